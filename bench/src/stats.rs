//! Medians and quantiles, and the pairing of a measure with its bare loop.

/// The median; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The nearest-rank quantile; 0 of nothing.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if sorted.is_empty() {
        return 0.0;
    }
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index into a small list")]
    let index = ((sorted.len() - 1) as f64 * q).round() as usize;
    sorted[index.min(sorted.len() - 1)]
}

/// Bare loop and product, run in turns. A cost per operation: lower is better.
#[derive(Debug, Clone, Default)]
pub struct Pairs {
    pub anchor: Vec<f64>,
    pub product: Vec<f64>,
}

/// A run does not count when its bare loop itself moved further than this.
pub const MAX_DRIFT: f64 = 0.25;

impl Pairs {
    pub fn push(&mut self, anchor: f64, product: f64) {
        self.anchor.push(anchor);
        self.product.push(product);
    }

    /// The pairs whose bare loop stayed within 25 % of its median; the others say more about the machine.
    pub fn valid(&self) -> Self {
        let middle = median(&self.anchor);
        let steady = |anchor: &f64| (anchor - middle).abs() <= MAX_DRIFT * middle;
        let mut kept = Self::default();
        for (anchor, product) in self.anchor.iter().zip(&self.product) {
            if steady(anchor) {
                kept.push(*anchor, *product);
            }
        }
        kept
    }

    /// How much of the bare loop's speed the product reaches (cost of the loop over cost of the product).
    pub fn share(&self) -> f64 {
        let product = median(&self.product);
        if product <= 0.0 { 0.0 } else { median(&self.anchor) / product }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((quantile(&[1.0, 2.0, 3.0, 4.0, 100.0], 0.99) - 100.0).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }

    #[test]
    fn a_pair_with_a_drifting_loop_does_not_count() {
        let mut pairs = Pairs::default();
        pairs.push(10.0, 20.0);
        pairs.push(11.0, 22.0);
        pairs.push(30.0, 1.0);
        let valid = pairs.valid();
        assert_eq!(valid.anchor.len(), 2);
        assert!((valid.share() - 0.5).abs() < 0.05);
    }
}
