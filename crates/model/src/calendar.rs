//! Working days: weekends, public holidays, make-up work days (调休), and terms counted in them.
//!
//! Source of the built-in years: the State Council's yearly notices (国务院办公厅关于部分节假日安排的通知)
//! for 2025 and 2026. Later years and local holidays (民族节日) are rows of the portal's own
//! calendar and are laid over these; a [`Notice`] brings them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::time::{Date, Timestamp, Zone};

/// What a notice says about one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DayKind {
    /// A day off, whatever day of the week it is.
    Off,
    /// A working day, even on a weekend (调休上班).
    Work,
}

/// One day of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeDay {
    /// Which day.
    pub day: Date,
    /// What it is.
    pub kind: DayKind,
    /// The holiday that it belongs to.
    pub name: String,
}

/// The days of a year's notice, local holidays among them, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Of which year.
    pub year: i32,
    /// Its days; never empty.
    pub days: Vec<NoticeDay>,
}

/// Why a text is no notice, for whoever enters it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidNotice {
    /// No JSON of the form that is known.
    Unreadable(String),
    /// A year that no notice is of.
    Year(i32),
    /// No day off in it.
    Empty,
    /// A day that is none.
    Date(String),
    /// A day of another year (but for the December before).
    OutOfYear(Date),
    /// A day that stands there twice.
    Twice(Date),
    /// The name of a holiday that is too long or can't be shown.
    Name(Date),
}

impl fmt::Display for InvalidNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(
                f,
                "no notice of the form {{\"year\": …, \"days\": [{{\"name\", \"date\", \"isOffDay\"}}]}}: {why}"
            ),
            Self::Year(year) => write!(f, "{year} is no year of a notice"),
            Self::Empty => f.write_str("it names no day off"),
            Self::Date(text) => write!(f, "{text:?} is {}", crate::time::InvalidDate),
            Self::OutOfYear(day) => write!(f, "{day} is of another year"),
            Self::Twice(day) => write!(f, "{day} stands there twice"),
            Self::Name(day) => write!(
                f,
                "the name of {day} has more than {NAME_MAX} characters or can't be shown"
            ),
        }
    }
}
impl std::error::Error for InvalidNotice {}

/// Longest name of a holiday, characters.
const NAME_MAX: usize = 40;

impl Notice {
    /// Reads the JSON in which the notices are kept by the project holiday-cn:
    /// `{"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": true}]}`. The year is
    /// that of the notice: days of the December before may stand in it.
    ///
    /// # Errors
    /// Where it does not hold.
    pub fn read(json: &str) -> Result<Self, InvalidNotice> {
        #[derive(Deserialize)]
        struct File {
            year: i32,
            days: Vec<Day>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Day {
            #[serde(default)]
            name: String,
            date: String,
            is_off_day: bool,
        }
        let json = json.trim_start_matches('\u{feff}');
        let file: File =
            serde_json::from_str(json).map_err(|e| InvalidNotice::Unreadable(e.to_string()))?;
        if !(2000..=2200).contains(&file.year) {
            return Err(InvalidNotice::Year(file.year));
        }
        let mut days = BTreeMap::new();
        for one in file.days {
            let Ok(day) = one.date.parse::<Date>() else {
                return Err(InvalidNotice::Date(one.date));
            };
            if day.year() != file.year && (day.year(), day.month()) != (file.year - 1, 12) {
                return Err(InvalidNotice::OutOfYear(day));
            }
            let name = one.name.trim().to_owned();
            if name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
                return Err(InvalidNotice::Name(day));
            }
            let kind = if one.is_off_day {
                DayKind::Off
            } else {
                DayKind::Work
            };
            if days.insert(day, NoticeDay { day, kind, name }).is_some() {
                return Err(InvalidNotice::Twice(day));
            }
        }
        let days: Vec<NoticeDay> = days.into_values().collect();
        if !days.iter().any(|d| d.kind == DayKind::Off) {
            return Err(InvalidNotice::Empty);
        }
        Ok(Self {
            year: file.year,
            days,
        })
    }
}

/// First and last day (month, day) of each stretch off.
type Stretches = &'static [((u8, u8), (u8, u8))];

const OFF_2025: Stretches = &[
    ((1, 1), (1, 1)),
    ((1, 28), (2, 4)),
    ((4, 4), (4, 6)),
    ((5, 1), (5, 5)),
    ((5, 31), (6, 2)),
    ((10, 1), (10, 8)),
];
const WORK_2025: &[(u8, u8)] = &[(1, 26), (2, 8), (4, 27), (9, 28), (10, 11)];
const OFF_2026: Stretches = &[
    ((1, 1), (1, 3)),
    ((2, 15), (2, 23)),
    ((4, 4), (4, 6)),
    ((5, 1), (5, 5)),
    ((6, 19), (6, 21)),
    ((9, 25), (9, 27)),
    ((10, 1), (10, 7)),
];
const WORK_2026: &[(u8, u8)] = &[(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)];

/// The calendar of a city: which days are worked, and until what hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Calendar {
    days: BTreeMap<Date, DayKind>,
    /// Years for which a notice has been entered.
    years: Vec<i32>,
    /// Minute of the day at which a term ends: 1050 = 17:30, 1440 = midnight.
    pub close_minute: i64,
    /// The portal's zone.
    pub zone: Zone,
}

impl Calendar {
    /// The built-in years 2025 and 2026, terms ending at 17:30 in Asia/Shanghai.
    pub fn builtin() -> Self {
        let mut calendar = Self {
            days: BTreeMap::new(),
            years: Vec::new(),
            close_minute: 17 * 60 + 30,
            zone: Zone::SHANGHAI,
        };
        for (year, off, work) in [(2025, OFF_2025, WORK_2025), (2026, OFF_2026, WORK_2026)] {
            calendar.years.push(year);
            for (first, last) in off {
                let (Ok(mut day), Ok(last)) = (
                    Date::new(year, first.0, first.1),
                    Date::new(year, last.0, last.1),
                ) else {
                    continue;
                };
                while day <= last {
                    calendar.days.insert(day, DayKind::Off);
                    day = day.plus_days(1);
                }
            }
            for (month, day) in work {
                if let Ok(day) = Date::new(year, *month, *day) {
                    calendar.days.insert(day, DayKind::Work);
                }
            }
        }
        calendar
    }

    /// Lays a day of a later notice or a local holiday over what is known.
    pub fn set(&mut self, day: Date, kind: DayKind) {
        self.days.insert(day, kind);
        if !self.years.contains(&day.year()) {
            self.years.push(day.year());
        }
    }

    /// The days of a year of which a notice says something, in order.
    pub fn days_of(&self, year: i32) -> impl Iterator<Item = (Date, DayKind)> {
        let days = self.days.iter().map(|(day, kind)| (*day, *kind));
        days.filter(move |(day, _)| day.year() == year)
    }

    /// Whether the year's notice has been entered; without it only weekends are known, and
    /// operators are warned 60 days before such a year begins.
    pub fn knows(&self, year: i32) -> bool {
        self.years.contains(&year)
    }

    /// Whether a day is worked.
    pub fn is_working(&self, day: Date) -> bool {
        match self.days.get(&day) {
            Some(DayKind::Off) => false,
            Some(DayKind::Work) => true,
            None => day.weekday() < 5,
        }
    }

    /// The `n`-th working day after `start`; `start` itself is day 0, worked or not.
    pub fn plus_working_days(&self, start: Date, n: u32) -> Date {
        let mut day = start;
        let mut left = n;
        while left > 0 {
            day = day.plus_days(1);
            if self.is_working(day) {
                left -= 1;
            }
        }
        day
    }

    /// The moment at which a term of `n` working days ends that began at `start`.
    pub fn due(&self, start: Timestamp, n: u32) -> Timestamp {
        let day = self.plus_working_days(self.zone.date(start), n);
        self.zone.moment(day, self.close_minute)
    }

    /// Working days in `(from, until]`; 0 if `until` is not later.
    pub fn working_days_between(&self, from: Date, until: Date) -> u32 {
        let mut count = 0;
        let mut day = from;
        while day < until {
            day = day.plus_days(1);
            if self.is_working(day) {
                count += 1;
            }
        }
        count
    }

    /// What a deadline lamp shows at `now` for a term that ends at `due`.
    pub fn lamp(&self, now: Timestamp, due: Timestamp) -> Lamp {
        let (today, due_day) = (self.zone.date(now), self.zone.date(due));
        if now > due {
            Lamp::Overdue {
                working_days: self.working_days_between(due_day, today),
            }
        } else if today == due_day {
            Lamp::Today
        } else {
            match self.working_days_between(today, due_day) {
                n @ 0..=1 => Lamp::Near { working_days: n },
                n => Lamp::Ample { working_days: n },
            }
        }
    }
}

/// A deadline lamp (时限灯): shape, text and colour follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "lamp", rename_all = "snake_case")]
pub enum Lamp {
    /// More than one working day is left.
    Ample {
        /// Working days left.
        working_days: u32,
    },
    /// One working day or less is left.
    Near {
        /// Working days left.
        working_days: u32,
    },
    /// The term ends today.
    Today,
    /// The term has ended.
    Overdue {
        /// Working days since the term ended; 0 on the same day.
        working_days: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn terms_agree_with_the_vectors_of_domain_3_6() {
        let calendar = Calendar::builtin();
        for (start, n, want) in [
            ("2026-09-18", 3, "2026-09-22"),
            ("2026-09-30", 5, "2026-10-13"),
            ("2026-02-13", 5, "2026-02-27"),
            ("2026-02-13", 6, "2026-02-28"),
            ("2026-04-30", 3, "2026-05-08"),
            ("2026-04-30", 4, "2026-05-09"),
            ("2025-09-26", 3, "2025-09-30"),
            ("2025-09-26", 5, "2025-10-10"),
            ("2025-12-31", 2, "2026-01-05"),
            ("2026-01-01", 1, "2026-01-04"),
            ("2026-11-20", 3, "2026-11-25"),
        ] {
            assert_eq!(
                calendar.plus_working_days(date(start), n),
                date(want),
                "{start}+{n}"
            );
        }
    }

    #[test]
    fn the_years_2025_and_2026_have_248_working_days_each() {
        let calendar = Calendar::builtin();
        for year in [2025, 2026] {
            let (last, end) = (
                Date::new(year - 1, 12, 31).unwrap(),
                Date::new(year, 12, 31).unwrap(),
            );
            assert_eq!(calendar.working_days_between(last, end), 248, "{year}");
        }
    }

    #[test]
    fn a_term_ends_at_the_close_of_its_last_working_day() {
        let calendar = Calendar::builtin();
        let start = Zone::SHANGHAI.moment(date("2026-09-18"), 10 * 60);
        assert_eq!(
            calendar.due(start, 3).minute_text(Zone::SHANGHAI),
            "2026-09-22 17:30"
        );
    }

    #[test]
    fn a_local_holiday_is_laid_over_the_national_calendar() {
        let mut calendar = Calendar::builtin();
        calendar.set(date("2026-05-27"), DayKind::Off);
        assert_eq!(
            calendar.plus_working_days(date("2026-05-26"), 1),
            date("2026-05-28")
        );
        assert!(!calendar.knows(2027));
    }

    #[test]
    fn a_notice_is_read_whole_or_not_at_all() {
        let read = |days: &str| Notice::read(&format!("{{\"year\": 2027, \"days\": [{days}]}}"));
        let day = |date: &str, off: bool| {
            format!("{{\"name\": \"元旦\", \"date\": \"{date}\", \"isOffDay\": {off}}}")
        };
        let good = format!("{},{}", day("2027-01-01", true), day("2026-12-27", false));
        let notice = read(&good).unwrap();
        let first = &notice.days[0];
        assert_eq!((first.day, first.kind), (date("2026-12-27"), DayKind::Work));
        assert_eq!((notice.year, notice.days.len()), (2027, 2));
        for (days, why) in [
            (String::new(), InvalidNotice::Empty),
            (day("2027-01-02", false), InvalidNotice::Empty),
            (
                day("2027-02-30", true),
                InvalidNotice::Date("2027-02-30".into()),
            ),
            (
                day("2028-01-01", true),
                InvalidNotice::OutOfYear(date("2028-01-01")),
            ),
            (
                day("2026-11-30", true),
                InvalidNotice::OutOfYear(date("2026-11-30")),
            ),
            (
                format!("{good},{}", day("2027-01-01", false)),
                InvalidNotice::Twice(date("2027-01-01")),
            ),
            (
                day("2027-01-01", true).replace("元旦", &"长".repeat(41)),
                InvalidNotice::Name(date("2027-01-01")),
            ),
        ] {
            assert_eq!(read(&days), Err(why), "{days}");
        }
        let other = Notice::read("{\"year\": 27, \"days\": []}");
        assert_eq!(other, Err(InvalidNotice::Year(27)));
        assert!(matches!(
            Notice::read("[]"),
            Err(InvalidNotice::Unreadable(_))
        ));
    }

    #[test]
    fn the_lamp_turns_with_the_days_left() {
        let calendar = Calendar::builtin();
        let at = |day: &str, minute| Zone::SHANGHAI.moment(date(day), minute);
        let due = at("2026-09-22", 1050);
        assert_eq!(
            calendar.lamp(at("2026-09-18", 600), due),
            Lamp::Ample { working_days: 3 }
        );
        assert_eq!(
            calendar.lamp(at("2026-09-21", 600), due),
            Lamp::Near { working_days: 1 }
        );
        assert_eq!(calendar.lamp(at("2026-09-22", 600), due), Lamp::Today);
        assert_eq!(
            calendar.lamp(at("2026-09-22", 1100), due),
            Lamp::Overdue { working_days: 0 }
        );
        assert_eq!(
            calendar.lamp(at("2026-09-24", 600), due),
            Lamp::Overdue { working_days: 2 }
        );
    }
}
