//! Money in 分, prices in millionths of 分, and how a month is split.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Serialize};

use crate::time::{Date, days_of_month, days_of_year};

/// An amount in 分 (hundredths of 元). Never a float.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Money(i64);

/// `numerator / denominator`, half away from zero; the one rounding rule of the portal.
/// `denominator` must be positive.
const fn div_half_up(numerator: i128, denominator: i128) -> i128 {
    if numerator >= 0 {
        (2 * numerator + denominator) / (2 * denominator)
    } else {
        -((-2 * numerator + denominator) / (2 * denominator))
    }
}

/// An `i128` held to the range of `i64`: no sum of a city's bills comes near its ends.
const fn narrow(n: i128) -> i64 {
    if n > i64::MAX as i128 {
        i64::MAX
    } else if n < i64::MIN as i128 {
        i64::MIN
    } else {
        n as i64
    }
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount out of 分.
    pub const fn from_fen(fen: i64) -> Self {
        Self(fen)
    }
    /// An amount out of whole 元.
    pub const fn from_yuan(yuan: i64) -> Self {
        Self(yuan.saturating_mul(100))
    }
    /// The amount in 分.
    pub const fn fen(self) -> i64 {
        self.0
    }
    /// The amount `n` times.
    #[must_use]
    pub const fn times(self, n: i64) -> Self {
        Self(narrow(self.0 as i128 * n as i128))
    }
    /// `15,550.00`: 元 with two decimals and thousands separators, minus as `−`.
    pub fn yuan(self) -> String {
        let fen = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "−" } else { "" };
        format!("{sign}{}.{:02}", grouped(fen / 100), fen % 100)
    }
    /// `186,600`: yuan without fen, rounded half up, for large amounts.
    pub fn whole(self) -> String {
        grouped_signed(narrow(div_half_up(self.0 as i128, 100)))
    }
    /// `18.66`: 万元 with two decimals, for years, budgets and overviews.
    pub fn wan(self) -> String {
        let hundredths = narrow(div_half_up(self.0 as i128, 10_000));
        Self(hundredths).yuan()
    }
    /// The year of a month's amount: twelve times.
    #[must_use]
    pub const fn year(self) -> Self {
        self.times(12)
    }
}

/// A whole number with thousands separators: `12,000`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A signed whole number with thousands separators and `−` as minus.
pub fn grouped_signed(n: i64) -> String {
    let sign = if n < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(n.unsigned_abs()))
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.yuan())
    }
}
impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// A price: millionths of 分 for one unit (核, GB, Mbps, 个) and one month, or for one unit once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Rate(i64);

impl Rate {
    /// Millionths of 分 in one 分.
    pub const SCALE: i64 = 1_000_000;

    /// A price of so many 分 for one unit.
    pub const fn from_fen(fen: i64) -> Self {
        Self(fen.saturating_mul(Self::SCALE))
    }
    /// A price out of millionths of 分.
    pub const fn from_micro(micro: i64) -> Self {
        Self(micro)
    }
    /// Millionths of 分.
    pub const fn micro(self) -> i64 {
        self.0
    }
    /// The unrounded product with a quantity, in millionths of 分.
    pub const fn of(self, quantity: i64) -> i128 {
        self.0 as i128 * quantity as i128
    }
    /// The price in 元 as it is typed: two decimals, and as many of the next six as it has (`0.70`,
    /// `0.0035`).
    pub fn typed(self) -> String {
        let micro = self.0.unsigned_abs();
        let one = Self::SCALE.unsigned_abs() * 100;
        let sign = if self.0 < 0 { "-" } else { "" };
        let decimals = format!("{:08}", micro % one);
        let (two, more) = decimals.split_at(2);
        format!("{sign}{}.{two}{}", micro / one, more.trim_end_matches('0'))
    }
    /// The price of a quantity, rounded once, half up, to 分.
    pub const fn amount(self, quantity: i64) -> Money {
        round_micro(self.of(quantity))
    }
}

/// Millionths of 分 as 分, half up.
pub const fn round_micro(micro: i128) -> Money {
    Money(narrow(div_half_up(micro, Rate::SCALE as i128)))
}

/// A stretch of days with one month price: `from` is charged, `until` no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stretch {
    /// First charged day.
    pub from: Date,
    /// First day that is not charged any more.
    pub until: Date,
    /// Price of a whole month.
    pub month_price: Money,
}

/// What the stretches of one resource cost in one month, one amount for each stretch.
///
/// Rule (design §3, `domain.md` 3.9): a month that is wholly occupied costs exactly the month
/// price; if it is split, by the days of that month, and the parts of one price add up to the
/// whole. In a month that is not wholly occupied each charged day costs month price × 12 / days
/// of the year. Each line is rounded once, half up.
///
/// Stretches must be in order and must not overlap; what lies outside the month is ignored.
pub fn month_charges(year: i32, month: u8, stretches: &[Stretch]) -> Vec<Money> {
    let Ok(start) = Date::new(year, month, 1) else {
        return vec![Money::ZERO; stretches.len()];
    };
    let end = start.plus_months(1);
    let inside = |s: &Stretch| (s.until.min(end).days() - s.from.max(start).days()).max(0);
    let occupied: i64 = stretches.iter().map(inside).sum();
    let days_in_month = i64::from(days_of_month(year, month));
    if occupied < days_in_month {
        let year_days = i128::from(days_of_year(year));
        return stretches
            .iter()
            .map(|s| {
                let fen = i128::from(s.month_price.fen()) * 12 * i128::from(inside(s));
                Money(narrow(div_half_up(fen, year_days)))
            })
            .collect();
    }
    // Cumulative rounding: after each stretch the running sum is the rounded exact sum, so that
    // parts of one price always add up to the month price.
    let (mut exact, mut given) = (0_i128, 0_i128);
    stretches
        .iter()
        .map(|s| {
            exact += i128::from(s.month_price.fen()) * i128::from(inside(s));
            let upto = div_half_up(exact, i128::from(days_in_month));
            let part = upto - given;
            given = upto;
            Money(narrow(part))
        })
        .collect()
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <i64 as utoipa::PartialSchema>::schema()
    }
}
#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Money {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }
    fn stretch(from: &str, until: &str, yuan: i64) -> Stretch {
        Stretch {
            from: date(from),
            until: date(until),
            month_price: Money::from_yuan(yuan),
        }
    }

    #[test]
    fn money_prints_as_people_read_it() {
        assert_eq!(Money::from_fen(1_555_000).yuan(), "15,550.00");
        assert_eq!(Money::from_fen(-5).yuan(), "−0.05");
        assert_eq!(Money::from_yuan(186_600).wan(), "18.66");
        assert_eq!(Money::from_fen(18_660_050).whole(), "186,601");
    }

    #[test]
    fn a_whole_month_costs_exactly_the_month_price() {
        let whole = [stretch("2026-11-01", "2026-12-01", 320)];
        assert_eq!(month_charges(2026, 11, &whole), [Money::from_yuan(320)]);
    }

    #[test]
    fn a_month_split_by_a_resize_to_the_same_size_still_costs_the_month_price() {
        let split = [
            stretch("2026-11-01", "2026-11-12", 320),
            stretch("2026-11-12", "2026-12-01", 320),
        ];
        let total: Money = month_charges(2026, 11, &split).into_iter().sum();
        assert_eq!(total, Money::from_yuan(320));
    }

    #[test]
    fn twenty_two_days_from_the_tenth_of_december_of_320_cost_231_45() {
        let part = [stretch("2026-12-10", "2027-03-01", 320)];
        assert_eq!(month_charges(2026, 12, &part), [Money::from_fen(23_145)]);
    }

    proptest! {
        #[test]
        fn splitting_a_whole_month_never_changes_its_price(
            fen in 0_i64..100_000_000, cuts in proptest::collection::btree_set(2_u8..=28, 0..6),
        ) {
            let (start, end) = (date("2026-02-01"), date("2026-03-01"));
            let mut days: Vec<Date> = cuts.iter().map(|d| Date::new(2026, 2, *d).unwrap()).collect();
            days.insert(0, start);
            days.push(end);
            let parts: Vec<Stretch> = days.windows(2)
                .map(|w| Stretch { from: w[0], until: w[1], month_price: Money::from_fen(fen) })
                .collect();
            let total: Money = month_charges(2026, 2, &parts).into_iter().sum();
            prop_assert_eq!(total, Money::from_fen(fen));
        }

        #[test]
        fn a_part_of_a_month_never_costs_more_than_a_little_over_the_whole(
            fen in 0_i64..100_000_000, from in 1_u8..=31,
        ) {
            // 31 days at month × 12 / 365 exceed the month price by at most 31·12/365 − 1 = 1.92 %.
            let part = [Stretch { from: Date::new(2026, 12, from).unwrap(), until: date("2026-12-31"),
                month_price: Money::from_fen(fen) }];
            let cost = month_charges(2026, 12, &part)[0].fen();
            prop_assert!(cost <= fen + fen / 50 + 1);
        }

        #[test]
        fn rounding_is_half_up_and_off_by_at_most_half_a_fen(micro in 0_i64..i64::MAX / 4) {
            let rounded = i128::from(round_micro(i128::from(micro)).fen()) * i128::from(Rate::SCALE);
            let off = rounded - i128::from(micro);
            prop_assert!((-500_000..=500_000).contains(&off) && off != -500_000);
        }
    }
}
