//! One press on a button beside a number: the same in the browser and on the server.

/// The number after one press, inside its limits.
pub fn step(value: i64, by: i64, min: i64, max: i64) -> i64 {
    value.saturating_add(by).clamp(min, max.max(min))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_inside_their_limits() {
        assert_eq!(step(1, -1, 1, 64), 1);
        assert_eq!(step(64, 1, 1, 64), 64);
        assert_eq!(step(8, 1, 1, 64), 9);
        assert_eq!(step(i64::MAX, 1, 1, i64::MAX), i64::MAX);
    }
}
