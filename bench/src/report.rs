//! The table and the bars of `docs/performance.md`.

use std::fmt::Write;

/// How a figure stands to its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Reached,
    Missed,
    /// The machine was too uneven for a judgement, or the figure is reported without a bar.
    Open,
}

/// One bar of the suite.
#[derive(Debug, Clone)]
pub struct Figure {
    pub id: &'static str,
    pub what: String,
    /// The figure itself: a share of the bare loop, milliseconds, bytes.
    pub value: f64,
    pub unit: &'static str,
    pub bar: f64,
    /// A share must reach the bar; a cost must stay below it.
    pub higher_is_better: bool,
    pub valid: bool,
    /// Medians behind the figure, and what else is worth knowing.
    pub note: String,
}

impl Figure {
    pub fn standing(&self) -> Standing {
        if !self.valid || !self.value.is_finite() {
            return Standing::Open;
        }
        let reached = if self.higher_is_better { self.value >= self.bar } else { self.value <= self.bar };
        if reached { Standing::Reached } else { Standing::Missed }
    }

    fn word(&self) -> &'static str {
        match self.standing() {
            Standing::Reached => "reached",
            Standing::Missed => "**missed**",
            Standing::Open => "not judged",
        }
    }

    fn bar_text(&self) -> String {
        let sign = if self.higher_is_better { "≥" } else { "≤" };
        format!("{sign} {}{}", number(self.bar), self.unit)
    }
}

/// A number with as many digits as say something.
pub fn number(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The table as Markdown.
pub fn table(figures: &[Figure]) -> String {
    let mut text = String::from("| id | measure | figure | bar | | behind it |\n| --- | --- | ---: | ---: | --- | --- |\n");
    for figure in figures {
        let _ = writeln!(
            text,
            "| {} | {} | {}{} | {} | {} | {} |",
            figure.id,
            figure.what,
            number(figure.value),
            figure.unit,
            figure.bar_text(),
            figure.word(),
            figure.note
        );
    }
    text
}

/// Each figure as a strip relative to its bar: the mark `│` is the bar, a longer strip is better.
pub fn bars(figures: &[Figure]) -> String {
    const BAR_AT: usize = 24;
    const WIDTH: usize = 60;
    let mut text = String::from("```text\n");
    for figure in figures {
        if figure.value <= 0.0 || figure.bar <= 0.0 {
            continue;
        }
        let goodness = if figure.higher_is_better { figure.value / figure.bar } else { figure.bar / figure.value };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a strip of at most 60 cells"
        )]
        let length = ((goodness * BAR_AT as f64).round() as usize).min(WIDTH);
        let strip: String = (0..WIDTH)
            .map(|cell| match (cell < length, cell == BAR_AT) {
                (_, true) => '│',
                (true, false) => '█',
                (false, false) => ' ',
            })
            .collect();
        let _ = writeln!(text, "{:<4} {} {}× the bar", figure.id, strip.trim_end(), number(goodness));
    }
    text.push_str("```\n");
    text
}

/// The whole document.
pub fn document(figures: &[Figure], machine: &str, date: &str, command: &str, busy: f64) -> String {
    let missed: Vec<&str> = figures.iter().filter(|figure| figure.standing() == Standing::Missed).map(|figure| figure.id).collect();
    let open: Vec<&str> = figures.iter().filter(|figure| figure.standing() == Standing::Open).map(|figure| figure.id).collect();
    let list = |ids: &[&str]| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
    format!(
        "# Performance\n\n\
         Written by `{command}` on {date}.\n\
         Machine: {machine}; it was {:.0} % busy during the run, our own work included.\n\n\
         Every share compares the product with a bare loop of `bench/src/anchors` that does the same work without it. \
         Loop and product run in turns on the same core (A-B-A-B), the medians are compared, cost is CPU time of the \
         process unless the line says otherwise, and pairs whose loop strays more than 25 % from its own median are thrown \
         away (a figure with fewer than two valid pairs is not judged). Everything stays on loopback.\n\n\
         Kafka, PostgreSQL and Redis are the real ones of `scripts/stack`, never the embedded broker. For P a pinger and its bare \
         loops have one core, where there are two or more; targets, feeds, load and those servers keep off it. With fewer than \
         four cores nothing is pinned for the others.\n\n\
         Bars missed: {}. Not judged: {}.\n\n{}\n## Distance from the bar\n\n{}",
        busy * 100.0,
        list(&missed),
        list(&open),
        table(figures),
        bars(figures)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, higher_is_better: bool) -> Figure {
        Figure { id: "X1", what: "a thing".to_owned(), value, unit: "×", bar: 0.5, higher_is_better, valid: true, note: String::new() }
    }

    #[test]
    fn a_share_must_reach_its_bar_and_a_cost_must_not() {
        assert_eq!(figure(0.6, true).standing(), Standing::Reached);
        assert_eq!(figure(0.6, false).standing(), Standing::Missed);
        assert_eq!(Figure { valid: false, ..figure(0.6, true) }.standing(), Standing::Open);
        assert_eq!(figure(f64::NAN, true).standing(), Standing::Open);
    }

    #[test]
    fn the_document_names_what_is_missed() {
        let text = document(&[figure(0.1, true)], "a box", "today", "bench", 0.5);
        assert!(text.contains("Bars missed: X1."));
        assert!(text.contains("| X1 | a thing | 0.10× | ≥ 0.50× | **missed** |"), "{text}");
    }
}
