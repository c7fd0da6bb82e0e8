//! One check by hand: what `upmesh check URL` prints.

use std::sync::Arc;
use std::time::Duration;

use egress::{Egress, EgressConfig, EgressError};
use model::{MonitorSpec, SystemClock};

use crate::assertions::Compiled;
use crate::check::{Checked, Confirm, check};
use crate::probe::{Attempt, Pings, Prober};

/// How [`check_once`] dials.
#[derive(Debug, Clone, Default)]
pub struct OnceOptions {
    pub egress: EgressConfig,
    /// Whether a failure is confirmed by a second attempt.
    pub confirm: bool,
}

/// Checks a target once, without Kafka, Redis or a schedule. Answers the attempt that counts and how
/// many there were.
pub async fn check_once(spec: &MonitorSpec, options: &OnceOptions) -> Result<(Attempt, u8), EgressError> {
    let prober = Prober { egress: Egress::new(&options.egress)?, pings: Arc::new(Pings::default()), clock: Arc::new(SystemClock) };
    let confirm = if options.confirm { Confirm::default() } else { Confirm { pause: None } };
    let room = Duration::from_millis(u64::from(spec.timeout_ms)) * 2 + Duration::from_secs(1);
    let Checked { attempt, attempts, .. } = check(&prober, None, spec, &Compiled::of(spec), confirm, room).await;
    Ok((attempt, attempts))
}
