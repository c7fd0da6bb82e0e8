//! One line of the table: a fault, a promise, how often it was tried, how often it hit, what it broke.

use std::collections::BTreeMap;
use std::time::Duration;

/// The outcome of one row.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: &'static str,
    pub fault: String,
    pub promise: &'static str,
    pub trials: u64,
    /// Trials in which the fault provably landed where it was aimed.
    pub exposures: u64,
    /// Exposures by place: crash point, kind of cut, service.
    pub places: BTreeMap<String, u64>,
    pub violations: Vec<String>,
    /// What was compared, in numbers.
    pub compared: String,
    pub took: Duration,
    /// What it violates is no news: it compares what was tampered with.
    scratch: bool,
}

impl Row {
    pub fn new(id: &'static str, fault: impl Into<String>, promise: &'static str) -> Self {
        Self {
            id,
            fault: fault.into(),
            promise,
            trials: 0,
            exposures: 0,
            places: BTreeMap::new(),
            violations: Vec::new(),
            compared: String::new(),
            took: Duration::ZERO,
            scratch: false,
        }
    }

    /// For a comparison whose violations are not the table's.
    pub fn scratch() -> Self {
        Self { scratch: true, ..Self::new("", "", "") }
    }

    /// The same row of another mesh.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.trials += other.trials;
        self.exposures += other.exposures;
        for (place, count) in other.places {
            *self.places.entry(place).or_default() += count;
        }
        self.violations.extend(other.violations);
        self.compared = format!("{}; {}", self.compared, other.compared);
        self.took = self.took.max(other.took);
        self
    }

    /// The fault landed.
    pub fn exposed(&mut self, place: &str) {
        self.exposures += 1;
        *self.places.entry(place.to_owned()).or_default() += 1;
    }

    /// Where it is aimed: what of it is never hit stands in the table with its nought.
    pub fn aim(&mut self, places: &[&str]) {
        for place in places {
            self.places.entry((*place).to_owned()).or_default();
        }
    }

    /// What it was aimed at and never hit.
    pub fn never_hit(&self) -> Vec<&str> {
        self.places.iter().filter(|(_, count)| **count == 0).map(|(place, _)| place.as_str()).collect()
    }

    pub fn violated(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.scratch {
            eprintln!("VIOLATION {}: {what}", self.id);
        }
        self.violations.push(what);
    }

    /// The comparison was lied to: it must have found something.
    pub fn lied_to(&mut self, lie: &str, seen: bool) {
        self.trials += 1;
        if seen {
            self.exposed(lie);
        } else {
            self.violated(format!("not seen: {lie}"));
        }
    }

    /// Violates unless `holds`.
    pub fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violated(what());
        }
    }

    /// The 95 % upper bound of the probability that an exposure breaks the promise (Clopper–Pearson,
    /// one-sided; with no violation that is about 3/n).
    pub fn bound(&self) -> Option<f64> {
        let broken = (self.violations.len() as u64).min(self.exposures);
        (self.exposures > 0).then(|| upper_bound(broken, self.exposures))
    }
}

/// Solves P(X ≤ k | n, p) = 5 % for p by bisection.
fn upper_bound(k: u64, n: u64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..60 {
        let p = f64::midpoint(low, high);
        if at_most(k, n, p) > 0.05 { low = p } else { high = p }
    }
    high
}

/// The probability of at most `k` successes in `n` trials.
#[expect(clippy::cast_precision_loss, reason = "trials are few")]
fn at_most(k: u64, n: u64, p: f64) -> f64 {
    let mut log_term = n as f64 * (1.0 - p).ln();
    let mut sum = log_term.exp();
    for i in 0..k {
        log_term += ((n - i) as f64 / (i + 1) as f64).ln() + (p / (1.0 - p)).ln();
        sum += log_term.exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_known_one() {
        // Rule of three, exactly 1 − 0.05^(1/n); and tables of Clopper–Pearson.
        assert!((upper_bound(0, 100) - 0.029_513).abs() < 1e-5);
        assert!((upper_bound(0, 3000) - 0.000_998).abs() < 1e-5);
        assert!((upper_bound(1, 20) - 0.216_11).abs() < 1e-4);
        assert!((upper_bound(5, 5) - 1.0).abs() < 1e-9);
    }
}
