//! Moments and civil dates.
//!
//! A [`Timestamp`] is Unix milliseconds; a [`Date`] is a day of the civil calendar. Between them
//! stands a [`Zone`], a fixed offset: China has kept one offset without summer time since 1991,
//! and Xinjiang's offices work by it too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;
/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60_000;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A moment out of Unix milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }
    /// Unix milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }
    /// The moment `millis` later (or earlier, if negative); stops at the ends of the scale.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
    /// The moment `minutes` later.
    #[must_use]
    pub const fn plus_minutes(self, minutes: i64) -> Self {
        self.plus_millis(minutes.saturating_mul(MINUTE_MS))
    }
    /// Milliseconds from `earlier` to this moment; negative if `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
    /// `2026-11-21T09:30:00+08:00`, for machines (`<time datetime>`, JSON of the interface).
    pub fn iso(self, zone: Zone) -> String {
        let (date, minute) = zone.civil(self);
        let seconds = (self.0.div_euclid(1000)).rem_euclid(60);
        let (sign, off) = if zone.0 < 0 {
            ('-', -zone.0)
        } else {
            ('+', zone.0)
        };
        format!(
            "{date}T{:02}:{:02}:{seconds:02}{sign}{:02}:{:02}",
            minute / 60,
            minute % 60,
            off / 60,
            off % 60
        )
    }
    /// `2026-11-21 09:30`, for tables.
    pub fn minute_text(self, zone: Zone) -> String {
        let (date, minute) = zone.civil(self);
        format!("{date} {:02}:{:02}", minute / 60, minute % 60)
    }
}

/// A fixed offset from UTC, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", schema(as = ZoneOffset))]
pub struct Zone(pub i32);

impl Zone {
    /// Asia/Shanghai, the default of the configuration.
    pub const SHANGHAI: Self = Self(8 * 60);

    /// The civil day and the minute of that day (0–1439) at a moment.
    pub fn civil(self, at: Timestamp) -> (Date, i64) {
        let local = at.0 + i64::from(self.0) * MINUTE_MS;
        (
            Date::from_days(local.div_euclid(DAY_MS)),
            local.rem_euclid(DAY_MS) / MINUTE_MS,
        )
    }
    /// The civil day at a moment.
    pub fn date(self, at: Timestamp) -> Date {
        self.civil(at).0
    }
    /// The moment at which a minute of a civil day begins; minute 1440 is the end of the day.
    pub fn moment(self, date: Date, minute: i64) -> Timestamp {
        Timestamp(date.days() * DAY_MS + (minute - i64::from(self.0)) * MINUTE_MS)
    }
}

/// A day of the civil (Gregorian) calendar, years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
}

/// The text or the numbers are no day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidDate;

impl fmt::Display for InvalidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date of the form YYYY-MM-DD")
    }
}
impl std::error::Error for InvalidDate {}

/// Whether a year has 366 days.
pub const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a year: 365 or 366.
pub const fn days_of_year(year: i32) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

/// Days of a month (1–12).
pub const fn days_of_month(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

impl Date {
    /// A day out of its numbers.
    ///
    /// # Errors
    /// [`InvalidDate`] if the calendar has no such day.
    pub const fn new(year: i32, month: u8, day: u8) -> Result<Self, InvalidDate> {
        let ok = year >= 1
            && year <= 9999
            && month >= 1
            && month <= 12
            && day >= 1
            && day <= days_of_month(year, month);
        if ok {
            Ok(Self { year, month, day })
        } else {
            Err(InvalidDate)
        }
    }
    /// The year.
    pub const fn year(self) -> i32 {
        self.year
    }
    /// The month, 1–12.
    pub const fn month(self) -> u8 {
        self.month
    }
    /// The day of the month, 1–31.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01 (Howard Hinnant's `days_from_civil`).
    pub const fn days(self) -> i64 {
        let y = if self.month <= 2 {
            self.year as i64 - 1
        } else {
            self.year as i64
        };
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let m = self.month as i64;
        let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + self.day as i64 - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        era * 146_097 + doe - 719_468
    }

    /// The day a number of days after 1970-01-01 (Hinnant's `civil_from_days`), held inside the
    /// years 1 to 9999.
    pub const fn from_days(days: i64) -> Self {
        let days = if days < -719_162 {
            -719_162
        } else if days > 2_932_896 {
            2_932_896
        } else {
            days
        };
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u8;
        let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u8;
        let year = (yoe + era * 400) as i32 + if month <= 2 { 1 } else { 0 };
        Self { year, month, day }
    }

    /// The day `days` later (or earlier).
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self::from_days(self.days() + days)
    }

    /// The same day of the month `months` later; the 31st becomes the last day of a shorter month.
    #[must_use]
    pub const fn plus_months(self, months: i32) -> Self {
        let index = self.year * 12 + self.month as i32 - 1 + months;
        let year = index.div_euclid(12);
        let month = (index.rem_euclid(12) + 1) as u8;
        let last = days_of_month(year, month);
        let day = if self.day > last { last } else { self.day };
        Self { year, month, day }
    }

    /// First day of this day's month.
    #[must_use]
    pub const fn month_start(self) -> Self {
        Self {
            year: self.year,
            month: self.month,
            day: 1,
        }
    }

    /// Day of the week, 0 = Monday … 6 = Sunday.
    pub const fn weekday(self) -> u8 {
        (self.days() + 3).rem_euclid(7) as u8
    }

    /// `20261121`, the form in request numbers.
    pub fn compact(self) -> String {
        format!("{:04}{:02}{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = InvalidDate;
    /// Reads `2026-11-21`; full-width digits, `2026/11/21` and `2026年11月21日` are understood too.
    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let text = crate::text::half_width(text.trim());
        let mut parts = text
            .split(|c: char| !c.is_ascii_digit())
            .filter(|p| !p.is_empty())
            .map(|p| p.parse::<i32>().map_err(|_| InvalidDate));
        let mut next = || parts.next().unwrap_or(Err(InvalidDate));
        let (year, month, day) = (next()?, next()?, next()?);
        let narrow = |n: i32| u8::try_from(n).map_err(|_| InvalidDate);
        if parts.next().is_some() {
            return Err(InvalidDate);
        }
        Self::new(year, narrow(month)?, narrow(day)?)
    }
}
impl TryFrom<String> for Date {
    type Error = InvalidDate;
    fn try_from(text: String) -> Result<Self, InvalidDate> {
        text.parse()
    }
}
impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Date {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <String as utoipa::PartialSchema>::schema()
    }
}
#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Date {}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <i64 as utoipa::PartialSchema>::schema()
    }
}
#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days_have_known_weekdays() {
        let friday: Date = "2026-11-20".parse().unwrap();
        assert_eq!(friday.weekday(), 4);
        assert_eq!("1970-01-01".parse::<Date>().unwrap().days(), 0);
    }

    #[test]
    fn what_people_type_is_understood() {
        let want = Date::new(2026, 9, 7).unwrap();
        for text in [
            "2026-09-07",
            " 2026/9/7 ",
            "2026年9月7日",
            "２０２６－０９－０７",
        ] {
            assert_eq!(text.parse::<Date>(), Ok(want), "{text}");
        }
        for text in ["", "2026-02-29", "2026-13-01", "2026-09-07-01", "今天"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_prints_in_the_portals_zone() {
        let at = Zone::SHANGHAI.moment("2026-11-21".parse().unwrap(), 17 * 60 + 30);
        assert_eq!(at.iso(Zone::SHANGHAI), "2026-11-21T17:30:00+08:00");
        assert_eq!(at.minute_text(Zone::SHANGHAI), "2026-11-21 17:30");
    }

    proptest! {
        #[test]
        fn a_day_survives_the_way_through_its_number(days in -700_000_i64..2_900_000) {
            prop_assert_eq!(Date::from_days(days).days(), days);
        }
        #[test]
        fn a_moment_lies_in_its_civil_minute(ms in 0_i64..4_000_000_000_000) {
            let at = Timestamp::from_millis(ms);
            let (date, minute) = Zone::SHANGHAI.civil(at);
            let start = Zone::SHANGHAI.moment(date, minute);
            prop_assert!(start <= at && at.since(start) < MINUTE_MS);
        }
    }
}
