//! Moments as the services write them.
use lingbao_model::time::{Date, Timestamp, Zone};

/// `2026-11-21T18:26:46Z`, `2026-11-21T18:26:46.123456Z` and, from Cinder, without the `Z`: all UTC.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let (day, clock) = text.split_once('T')?;
    let day: Date = day.parse().ok()?;
    let clock = clock.trim_end_matches('Z').split(['+', '.']).next()?;
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let midnight = Zone(0).moment(day, 0);
    Some(midnight.plus_millis(((hours * 60 + minutes) * 60 + seconds) * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_of_writing_are_one_moment() {
        let expected = Some(Timestamp::from_millis(1_795_285_606_000));
        for text in [
            "2026-11-21T18:26:46Z",
            "2026-11-21T18:26:46.000000",
            "2026-11-21T18:26:46.5Z",
        ] {
            assert_eq!(moment(text), expected, "{text}");
        }
        assert_eq!(moment("yesterday"), None);
    }
}
