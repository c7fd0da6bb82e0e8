//! A wrong clock for the fault tests. As [`crate::crash`], it exists only in builds with the feature
//! `failpoints`, and even there only where `CLOCK_OFFSET_FILE` names a file: milliseconds to add, and how
//! many more with each second of the process, as in `-300000 0`. (libfaketime would do without our help, but
//! not with librdkafka: its C11 waits escape it, and spin while the clock is behind.)

/// What the wall clock is tampered with by, in milliseconds.
#[cfg(not(feature = "failpoints"))]
pub const fn clock_offset_ms() -> i64 {
    0
}

#[cfg(feature = "failpoints")]
pub use armed::clock_offset_ms;

#[cfg(feature = "failpoints")]
mod armed {
    use std::path::PathBuf;
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::time::{Duration, Instant};

    /// The file is read again this often.
    const LOOK: Duration = Duration::from_millis(200);

    struct Armed {
        file: PathBuf,
        began: Instant,
        /// Offset, drift per second, and when they were read.
        read: Mutex<(i64, i64, Option<Instant>)>,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let file = std::env::var_os("CLOCK_OFFSET_FILE")?;
        Some(Armed { file: file.into(), began: Instant::now(), read: Mutex::default() })
    });

    /// What the wall clock is tampered with by, in milliseconds.
    pub fn clock_offset_ms() -> i64 {
        let Some(armed) = ARMED.as_ref() else { return 0 };
        let mut read = armed.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.2.is_none_or(|at| at.elapsed() > LOOK) {
            let text = std::fs::read_to_string(&armed.file).unwrap_or_default();
            let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap_or(0));
            let (offset, drift) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
            if (offset, drift) != (read.0, read.1) {
                tracing::warn!(offset, drift, "the wall clock is tampered with");
            }
            *read = (offset, drift, Some(Instant::now()));
        }
        let lived_ms = i64::try_from(armed.began.elapsed().as_millis()).unwrap_or(0);
        read.0 + read.1 * lived_ms / 1000
    }
}
