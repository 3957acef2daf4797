//! What was taken, what is said of it, and what it must not fall below.
use std::time::Duration;

use crate::Failure;

/// Durations of one side.
#[derive(Debug, Default)]
pub struct Times {
    each: Vec<Duration>,
    wall: Duration,
}

impl Times {
    /// Notes a block: how long each act took, and how long all of it took with its clients side by
    /// side.
    pub fn add(&mut self, each: Vec<Duration>, wall: Duration) {
        self.each.extend(each);
        self.wall += wall;
    }

    /// The time below which `percent` of the acts stayed.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.each.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted
            .get(last * percent / 100)
            .copied()
            .unwrap_or_default()
    }

    /// Acts a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand acts")]
    pub fn rate(&self) -> f64 {
        self.each.len() as f64 / self.wall.as_secs_f64()
    }
}

/// A table of ratios, each of which must reach one figure.
#[derive(Debug)]
pub struct Table {
    least: f64,
    missed: Vec<String>,
}

impl Table {
    /// Prints the heading.
    #[must_use]
    pub fn begin(what: &str, least: f64) -> Self {
        let ratio = format!("ratio (at least {least})");
        println!(
            "{what:<34} {:>26} {:>26} {ratio:>22}",
            "ours: p50, p95 ms, per s", "bare: p50, p95 ms, per s"
        );
        Self {
            least,
            missed: Vec::new(),
        }
    }

    /// One line. The ratio is of acts a second: with one client the inverse of the times, with
    /// several what the machine gets done.
    pub fn line(&mut self, what: &str, ours: &Times, bare: &Times) {
        let shown = |side: &Times| {
            format!(
                "{:.2} {:>7.2} {:>8.0}",
                side.percentile(50).as_secs_f64() * 1e3,
                side.percentile(95).as_secs_f64() * 1e3,
                side.rate()
            )
        };
        let ratio = ours.rate() / bare.rate();
        println!(
            "{what:<34} {:>26} {:>26} {ratio:>22.2}",
            shown(ours),
            shown(bare)
        );
        self.note(what, ratio);
    }

    /// A figure that is none (nothing was measured) misses too.
    fn note(&mut self, what: &str, ratio: f64) {
        let reached = ratio >= self.least;
        if !reached {
            self.missed.push(format!("{what}: {ratio:.3}"));
        }
    }

    /// Whether every line reached it.
    ///
    /// # Errors
    /// The lines that did not.
    pub fn end(self) -> Result<(), Failure> {
        if self.missed.is_empty() {
            return Ok(());
        }
        let (least, missed) = (self.least, self.missed.join("; "));
        Err(format!("below the least ratio of {least}: {missed}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_each_line_below_its_figure_and_none_that_reaches_it() {
        let mut table = Table::begin("a test", 0.3);
        table.note("fast", 0.3);
        assert!(table.missed.is_empty());
        table.note("slow", 0.299);
        table.note("nothing measured", f64::NAN);
        let said = table.end().err().map(|error| error.to_string());
        let wanted = "below the least ratio of 0.3: slow: 0.299; nothing measured: NaN";
        assert_eq!(said.as_deref(), Some(wanted));
        assert!(Table::begin("a test", 0.3).end().is_ok());
    }
}
