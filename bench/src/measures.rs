//! The suite: which bars there are, in which order they are measured, and what becomes of the figures.

mod alert;
mod checks;
mod log;
mod reads;
mod rest;
mod results;

use std::path::PathBuf;

use anyhow::Context;

use crate::report::{Figure, document, table};
use crate::stats::Pairs;

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Writes the report to this file as well.
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Smaller sizes, one pair each, at most three minutes; checks that every figure was produced, judges none.
    #[arg(long)]
    pub short: bool,
    /// Only these bars (P1, R1, …), separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Pairs of bare loop and product per bar.
    #[arg(long, default_value_t = 5)]
    pub pairs: usize,
}

/// What every measure is given.
pub struct Suite {
    pub options: Options,
    /// Logs of everything started.
    pub scratch: tempfile::TempDir,
    figures: Vec<Figure>,
}

impl Suite {
    /// Whether any of these bars is asked for.
    pub fn wants(&self, ids: &[&str]) -> bool {
        self.options.only.is_empty() || ids.iter().any(|id| self.options.only.iter().any(|only| only.eq_ignore_ascii_case(id)))
    }

    pub fn pairs(&self) -> usize {
        if self.options.short { 1 } else { self.options.pairs.max(1) }
    }

    /// The full size, or the small one of `--short`.
    pub fn size<T>(&self, full: T, short: T) -> T {
        if self.options.short { short } else { full }
    }

    /// Keeps a figure and shows it at once.
    pub fn add(&mut self, figure: Figure) {
        let line = format!("{} {} {}{} ({})", figure.id, figure.what, crate::report::number(figure.value), figure.unit, figure.note);
        progress(&line);
        self.figures.push(figure);
    }

    /// A share of a bare loop by cost, judged over its valid pairs.
    pub fn share(&mut self, id: &'static str, what: &str, bar: f64, unit: &str, pairs: &Pairs) {
        let valid = pairs.valid();
        let enough = self.options.short || valid.anchor.len() >= 2;
        let note = format!(
            "bare {} {unit}, ours {} {unit}, {} of {} pairs valid",
            crate::report::number(crate::stats::median(&valid.anchor)),
            crate::report::number(crate::stats::median(&valid.product)),
            valid.anchor.len(),
            pairs.anchor.len()
        );
        self.add(Figure { id, what: what.to_owned(), value: valid.share(), unit: "×", bar, higher_is_better: true, valid: enough, note });
    }

    /// A figure with an upper bar.
    pub fn below(&mut self, id: &'static str, what: &str, value: f64, unit: &'static str, bar: f64, note: String) {
        self.add(Figure { id, what: what.to_owned(), value, unit, bar, higher_is_better: false, valid: true, note });
    }

    /// A figure with a lower bar.
    pub fn above(&mut self, id: &'static str, what: &str, value: f64, unit: &'static str, bar: f64, note: String) {
        self.add(Figure { id, what: what.to_owned(), value, unit, bar, higher_is_better: true, valid: true, note });
    }
}

/// Where a person sees how far it is; the report itself goes to standard output.
pub fn progress(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let machine = crate::cpu::Machine::look();
    let mut suite = Suite { options, scratch: tempfile::tempdir()?, figures: Vec::new() };
    let begun = std::time::Instant::now();
    let outcome = measure(&mut suite).await;
    if outcome.is_err() {
        // The logs say why; a directory that vanishes with the error would not.
        let kept = suite.scratch.path().to_owned();
        suite.scratch.disable_cleanup(true);
        progress(&format!("the logs are kept in {}", kept.display()));
    }
    outcome?;
    let mut command = "make bench".to_owned();
    if suite.options.short {
        command.push_str(" (short)");
    }
    if !suite.options.only.is_empty() {
        command.push_str(", only ");
        command.push_str(&suite.options.only.join(","));
    }
    let date = chrono::DateTime::from_timestamp_micros(crate::roles::now_us()).unwrap_or_default().format("%Y-%m-%d %H:%M UTC").to_string();
    let text = document(&suite.figures, &crate::cpu::machine(), &date, &command, machine.busy_since());
    {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", if suite.options.write.is_some() { table(&suite.figures) } else { text.clone() })?;
    }
    if let Some(path) = &suite.options.write {
        std::fs::write(path, &text).with_context(|| path.display().to_string())?;
        progress(&format!("written to {}", path.display()));
    }
    progress(&format!("{} figures in {:.0} s", suite.figures.len(), begun.elapsed().as_secs_f64()));
    sane(&suite)
}

async fn measure(suite: &mut Suite) -> anyhow::Result<()> {
    checks::measure(suite).await.context("checks (P1 … P10)")?;
    results::measure(suite).await.context("results (R1 … R5, D, M1)")?;
    rest::measure(suite).await.context("history at rest (D2)")?;
    reads::measure(suite).await.context("reads (G1 … G4)")?;
    alert::measure(suite).await.context("alerts (E1 … E3)")?;
    Ok(())
}

/// Every figure must have been produced and mean something, whatever the machine does; how good it is, is not judged here.
fn sane(suite: &Suite) -> anyhow::Result<()> {
    anyhow::ensure!(!suite.figures.is_empty(), "no figure was produced");
    for figure in &suite.figures {
        anyhow::ensure!(
            figure.value.is_finite() && figure.value > 0.0,
            "{} ({}) is {}: {}",
            figure.id,
            figure.what,
            figure.value,
            figure.note
        );
    }
    Ok(())
}
