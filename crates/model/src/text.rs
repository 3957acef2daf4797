//! Text that people type: normalised once, bounded always.

use crate::money::Rate;
use crate::msg::{FieldError, Msg};

/// Longest reason, opinion or note that a person gives for an act, characters: by page and by program
/// alike.
pub const REASON_MAX: u16 = 1000;

/// Full-width digits, letters and signs (as Chinese input methods type them) as their ASCII twins;
/// everything else stays.
pub fn half_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{3000}' => ' ',
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFF01 + 0x21).unwrap_or(c),
            _ => c,
        })
        .collect()
}

/// Reads a whole number as people type it: full-width digits, spaces and thousands commas are
/// taken; a sign only in front.
pub fn parse_integer(text: &str) -> Option<i64> {
    let plain: String = half_width(text.trim())
        .chars()
        .filter(|c| !matches!(c, ',' | '_' | ' '))
        .collect();
    plain.parse().ok()
}

/// Reads a whole number from 1 to `max`; where nothing is typed it is `empty`.
///
/// # Errors
/// What is wrong, under `field`: no number, too small, too large.
pub fn number(field: &str, typed: &str, empty: i64, max: i64) -> Result<i64, FieldError> {
    if typed.trim().is_empty() {
        return Ok(empty.min(max));
    }
    let wrong = |msg| Err(FieldError::new(field, msg));
    match parse_integer(typed) {
        None => wrong(Msg::new("error.not_a_number")),
        Some(n) if n < 1 => wrong(Msg::new("error.too_small").with("min", 1_i64)),
        Some(n) if n > max => wrong(Msg::new("error.too_large").with("max", max)),
        Some(n) => Ok(n),
    }
}

/// Reads a number with at most `places` decimals as whole units of the last place. Full-width digits
/// and thousands separators are taken; a minus is not.
fn decimal(text: &str, places: usize) -> Option<i64> {
    let plain: String = half_width(text.trim())
        .chars()
        .filter(|c| !matches!(c, ',' | '_' | ' '))
        .collect();
    let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if rest.len() > places || !digits(rest) || !digits(whole) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let rest: i64 = format!("{rest:0<places$}").parse().ok()?;
    let one = 10_i64.checked_pow(u32::try_from(places).ok()?)?;
    whole.checked_mul(one)?.checked_add(rest)
}

/// Reads an amount in 元 with at most two decimals as 分.
pub fn parse_yuan(text: &str) -> Option<i64> {
    decimal(text, 2)
}

/// Reads a price in 元 with at most eight decimals, which is what a [`Rate`] can hold.
pub fn parse_rate(text: &str) -> Option<Rate> {
    decimal(text, 8).map(Rate::from_micro)
}

/// Trims a line of text and holds it between `min` and `max` characters (not bytes); control
/// characters are refused, because they come from pasted binaries and break papers and CSV.
///
/// # Errors
/// A [`FieldError`] that names `field`.
pub fn line(field: &str, text: &str, min: usize, max: usize) -> Result<String, FieldError> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(FieldError::new(field, Msg::new("error.control_characters")));
    }
    bounded(field, text, min, max)
}

/// A name that a host can have: small letters, digits and hyphens, at most 40, a letter first and no
/// hyphen last; full-width and capital letters are taken.
///
/// # Errors
/// A [`FieldError`] that names `field`.
pub fn hostname(field: &str, text: &str) -> Result<String, FieldError> {
    let name = half_width(text.trim()).to_ascii_lowercase();
    let fits = name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        Ok(name)
    } else {
        Err(FieldError::new(field, Msg::new("error.hostname")))
    }
}

/// The same for text of several lines: line breaks and tabs are welcome.
///
/// # Errors
/// A [`FieldError`] that names `field`.
pub fn paragraph(field: &str, text: &str, min: usize, max: usize) -> Result<String, FieldError> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err(FieldError::new(field, Msg::new("error.control_characters")));
    }
    bounded(field, text, min, max)
}

fn bounded(field: &str, text: &str, min: usize, max: usize) -> Result<String, FieldError> {
    let length = text.chars().count();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    if length == 0 && min > 0 {
        Err(FieldError::new(field, Msg::new("error.required")))
    } else if length < min {
        Err(FieldError::new(
            field,
            Msg::new("error.too_short").with("min", count(min)),
        ))
    } else if length > max {
        Err(FieldError::new(
            field,
            Msg::new("error.too_long")
                .with("max", count(max))
                .with("now", count(length)),
        ))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_digits_are_taken() {
        assert_eq!(parse_integer("１２，０００"), Some(12_000));
        assert_eq!(parse_integer(" 16 "), Some(16));
        assert_eq!(parse_integer("16.5"), None);
        assert_eq!(parse_integer("十六"), None);
    }

    #[test]
    fn a_number_beyond_its_range_is_refused_and_nothing_typed_is_the_usual() {
        let said = |typed| number("count", typed, 1, 20).map_err(|e| (e.field, e.msg.key));
        assert_eq!(said("２０"), Ok(20));
        assert_eq!(said(" "), Ok(1));
        assert_eq!(
            number("count", "", 12, 6),
            Ok(6),
            "the usual is not beyond the range"
        );
        for (typed, key) in [
            ("0", "error.too_small"),
            ("-3", "error.too_small"),
            ("21", "error.too_large"),
            ("3.5", "error.not_a_number"),
        ] {
            assert_eq!(said(typed), Err(("count".into(), key.into())), "{typed}");
        }
    }

    #[test]
    fn amounts_are_read_in_yuan_and_kept_in_fen() {
        assert_eq!(parse_yuan("320"), Some(32_000));
        assert_eq!(parse_yuan("0.3"), Some(30));
        assert_eq!(parse_yuan("１，２００．５０"), Some(120_050));
        assert_eq!(parse_yuan("0.305"), None);
        assert_eq!(parse_yuan("-1"), None);
    }

    #[test]
    fn prices_are_read_in_yuan_with_eight_decimals_and_written_the_same() {
        for (typed, micro, again) in [
            ("46", 4_600_000_000, "46.00"),
            ("０．７", 70_000_000, "0.70"),
            ("0.00350", 350_000, "0.0035"),
            ("1,200.00000001", 120_000_000_001, "1200.00000001"),
        ] {
            let rate = parse_rate(typed).unwrap();
            assert_eq!((rate.micro(), rate.typed()), (micro, again.to_owned()));
            assert_eq!(parse_rate(again), Some(rate));
        }
        for wrong in ["", "-1", "0.000000001", "1e3", "99999999999999"] {
            assert_eq!(parse_rate(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert!(line("name", "政务云门户", 1, 5).is_ok());
        assert!(line("name", "政务云门户网", 1, 5).is_err());
        assert!(line("name", "a\u{0}b", 1, 5).is_err());
        assert_eq!(paragraph("why", " a\r\nb ", 1, 5).unwrap(), "a\nb");
    }
}
