//! What would have been against what was.

use model::Millis;
use store::incidents::PastIncident;

use super::judge::WouldBe;

/// How a would-be incident relates to what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Opened by the same slot, ended by the same.
    Same,
    /// There was an incident at that time, with another beginning or end.
    Other,
    /// There was none.
    New,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Other => "other",
            Self::New => "new",
        }
    }
}

#[derive(Debug)]
pub struct Pair {
    pub would: WouldBe,
    pub was: Option<PastIncident>,
    pub verdict: Verdict,
}

#[derive(Debug, Default)]
pub struct Outcome {
    pub pairs: Vec<Pair>,
    /// What happened and would not have been told.
    pub missing: Vec<PastIncident>,
}

impl Outcome {
    /// Pairs by identity, then by the time they share.
    pub fn new(would: Vec<WouldBe>, mut was: Vec<PastIncident>) -> Self {
        let mut outcome = Self::default();
        let mut left = Vec::new();
        for would in would {
            match was.iter().position(|was| was.id == would.id) {
                Some(at) => outcome.pair(would, Some(was.remove(at))),
                None => left.push(would),
            }
        }
        for would in left {
            let twin = was.iter().position(|was| was.monitor == would.monitor && overlap(&would, was));
            let twin = twin.map(|at| was.remove(at));
            outcome.pair(would, twin);
        }
        outcome.pairs.sort_by(|a, b| (a.would.since, &a.would.name).cmp(&(b.would.since, &b.would.name)));
        outcome.missing = was;
        outcome
    }

    fn pair(&mut self, would: WouldBe, was: Option<PastIncident>) {
        let verdict = match &was {
            None => Verdict::New,
            // A pause ends an incident when the alerter hears of it.
            Some(was) if was.id == would.id && was.opened_at == would.since && (was.resolved_at == would.until || was.note.is_some()) => {
                Verdict::Same
            }
            Some(_) => Verdict::Other,
        };
        self.pairs.push(Pair { would, was, verdict });
    }

    pub fn count(&self, verdict: Verdict) -> usize {
        self.pairs.iter().filter(|pair| pair.verdict == verdict).count()
    }

    /// What happened: from the pairs, and what is missing.
    pub fn past(&self) -> impl Iterator<Item = &PastIncident> {
        self.pairs.iter().filter_map(|pair| pair.was.as_ref()).chain(&self.missing)
    }
}

fn overlap(would: &WouldBe, was: &PastIncident) -> bool {
    let end = |end: Option<Millis>| end.unwrap_or(Millis::MAX);
    would.since <= end(was.resolved_at) && was.opened_at <= end(would.until)
}

/// The middle one.
pub fn median(mut spans: Vec<Millis>) -> Option<Millis> {
    spans.sort_unstable();
    spans.get(spans.len() / 2).copied()
}
