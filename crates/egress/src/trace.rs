//! How far an exchange came and how long each phase took.

use std::time::{Duration, Instant};

/// What an exchange was doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Resolve,
    Connect,
    Tls,
    /// The request is written, or its answer's head awaited.
    FirstByte,
    /// The answer's body is read.
    Transfer,
}

/// How long each phase took; summed over redirects. A phase that did not end is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    pub resolve: Option<Duration>,
    pub connect: Option<Duration>,
    pub tls: Option<Duration>,
    pub first_byte: Option<Duration>,
    pub transfer: Option<Duration>,
}

/// Outlives the exchange's future, so that a deadline knows what it cut short.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) phase: Phase,
    pub(crate) timings: Timings,
    /// Bytes of a request may have reached the other side.
    pub(crate) sent: bool,
    began: Instant,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self { phase: Phase::Resolve, timings: Timings::default(), sent: false, began: Instant::now() }
    }

    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.began = Instant::now();
    }

    /// The phase entered last has ended; the next begins.
    pub(crate) fn next(&mut self, next: Phase) {
        let now = Instant::now();
        self.note(now);
        self.phase = next;
        self.began = now;
    }

    /// The last phase has ended.
    pub(crate) fn end(&mut self) {
        self.note(Instant::now());
    }

    fn note(&mut self, now: Instant) {
        let took = now.duration_since(self.began);
        let timing = match self.phase {
            Phase::Resolve => &mut self.timings.resolve,
            Phase::Connect => &mut self.timings.connect,
            Phase::Tls => &mut self.timings.tls,
            Phase::FirstByte => &mut self.timings.first_byte,
            Phase::Transfer => &mut self.timings.transfer,
        };
        *timing = Some(timing.unwrap_or_default() + took);
    }
}
