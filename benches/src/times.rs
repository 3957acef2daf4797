//! What was taken, and what is said of it.
use std::time::Duration;

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

/// The heading of [`line`].
pub fn heading(what: &str) {
    println!(
        "{what:<34} {:>26} {:>26} {:>7}",
        "ours: p50, p95 ms, per s", "bare: p50, p95 ms, per s", "ratio"
    );
}

/// One line of the table. The ratio is of acts a second: with one client the inverse of the times,
/// with several what the machine gets done.
pub fn line(what: &str, ours: &Times, bare: &Times) {
    let shown = |side: &Times| {
        format!(
            "{:.2} {:>7.2} {:>8.0}",
            side.percentile(50).as_secs_f64() * 1e3,
            side.percentile(95).as_secs_f64() * 1e3,
            side.rate()
        )
    };
    println!(
        "{what:<34} {:>26} {:>26} {:>7.2}",
        shown(ours),
        shown(bare),
        ours.rate() / bare.rate()
    );
}
