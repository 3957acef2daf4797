//! Conditions as rows of a form: some of them, all needed or any, each a sentence with one gap.
//!
//! Nearly every condition of an office is such a list. What is nested deeper has no rows and is
//! written by program; it is drawn in words like every other.

use super::{NamedZone, Test};
use crate::id::ZoneId;
use crate::msg::Msg;
use crate::people::UnitLevel;
use crate::placement::Level;
use crate::text::parse_yuan;
use crate::words;

words! {
    /// How rows belong together.
    pub enum Join {
        /// All are needed.
        All = "all",
        /// One is enough.
        Any = "any",
    }
}

words! {
    /// What a row says.
    pub enum What {
        /// Month price and one-off price together are above an amount.
        CostAbove = "cost_above",
        /// They are that amount at most.
        CostAtMost = "cost_at_most",
        /// Everything fits into the present quota.
        WithinQuota = "within_quota",
        /// Something does not.
        OverQuota = "over_quota",
        /// Something has this protection level or a higher one.
        LevelFrom = "level_from",
        /// Nothing has.
        LevelBelow = "level_below",
        /// Something can be reached from the internet.
        Internet = "internet",
        /// Nothing can.
        NoInternet = "no_internet",
        /// Something stands in one of these zones.
        AnyZone = "any_zone",
        /// Nothing does.
        NoZone = "no_zone",
        /// One of these items is asked for.
        AnyItem = "any_item",
        /// None of them is.
        NoItem = "no_item",
        /// Only these items are asked for.
        OnlyItems = "only_items",
        /// Something else is.
        OtherItem = "other_item",
        /// The unit stands on one of these levels.
        UnitLevel = "unit_level",
        /// It stands on another.
        NotUnitLevel = "not_unit_level",
        /// A unit above examines first.
        HasUpper = "has_upper",
        /// None does.
        NoUpper = "no_upper",
    }
}

/// One row: what it says, and what stands in its gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRow {
    /// What it says.
    pub what: What,
    /// What stands in the gap: an amount in 元, a level, zones, item codes, levels of
    /// units; mostly one.
    pub values: Vec<String>,
}

/// A condition as rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// How they belong together; one row alone is the same both ways.
    pub join: Join,
    /// The rows.
    pub rows: Vec<PlainRow>,
}

impl Test {
    /// The condition as rows, if it can be written so.
    pub fn plain(&self) -> Option<Plain> {
        let (mut join, mut rows) = (None, Vec::new());
        collect(self, false, &mut join, &mut rows).then(|| Plain {
            join: join.unwrap_or(Join::All),
            rows,
        })
    }
}

fn collect(test: &Test, not: bool, join: &mut Option<Join>, rows: &mut Vec<PlainRow>) -> bool {
    let of = match test {
        Test::Not { of } => return collect(of, !not, join, rows),
        Test::All { of } | Test::Any { of } => of,
        _ => {
            rows.extend(PlainRow::of(test, not));
            return true;
        }
    };
    // "Not all of them" is "any of them not".
    let any = matches!(test, Test::Any { .. }) != not;
    let own = if any { Join::Any } else { Join::All };
    if of.len() > 1 && *join.get_or_insert(own) != own {
        return false;
    }
    !of.is_empty() && of.iter().all(|one| collect(one, not, join, rows))
}

impl PlainRow {
    /// The row of a single condition or of its opposite; `None` for several.
    fn of(test: &Test, not: bool) -> Option<Self> {
        let pick = |so, other| if not { other } else { so };
        let (what, values) = match test {
            Test::CostAbove { fen } => {
                let typed = format!("{}.{:02}", fen / 100, fen % 100);
                (pick(What::CostAbove, What::CostAtMost), vec![typed])
            }
            Test::WithinQuota => (pick(What::WithinQuota, What::OverQuota), Vec::new()),
            Test::LevelAtLeast { level } => {
                let what = pick(What::LevelFrom, What::LevelBelow);
                (what, vec![level.to_string()])
            }
            Test::Internet => (pick(What::Internet, What::NoInternet), Vec::new()),
            Test::AnyZone { zones } => {
                let zones = zones.iter().map(|zone| zone.id.to_string()).collect();
                (pick(What::AnyZone, What::NoZone), zones)
            }
            Test::AnyItem { codes } => (pick(What::AnyItem, What::NoItem), codes.clone()),
            Test::OnlyItems { codes } => (pick(What::OnlyItems, What::OtherItem), codes.clone()),
            Test::UnitLevel { levels } => {
                let levels = levels.iter().map(ToString::to_string).collect();
                (pick(What::UnitLevel, What::NotUnitLevel), levels)
            }
            Test::HasUpper => (pick(What::HasUpper, What::NoUpper), Vec::new()),
            Test::All { .. } | Test::Any { .. } | Test::Not { .. } => return None,
        };
        Some(Self { what, values })
    }

    /// The condition that the row says.
    ///
    /// # Errors
    /// What is wrong with what stands in the gap.
    pub fn test(&self) -> Result<Test, Msg> {
        let one = self.values.first().map_or("", String::as_str);
        let (test, not) = match self.what {
            What::CostAbove | What::CostAtMost => {
                let fen = parse_yuan(one).ok_or_else(|| Msg::new("policy.amount"))?;
                (Test::CostAbove { fen }, self.what == What::CostAtMost)
            }
            What::WithinQuota => (Test::WithinQuota, false),
            What::OverQuota => (Test::WithinQuota, true),
            What::LevelFrom | What::LevelBelow => {
                let unknown = |_| Msg::new("error.not_in_list");
                let level = one.parse::<Level>().map_err(unknown)?;
                (Test::LevelAtLeast { level }, self.what == What::LevelBelow)
            }
            What::Internet => (Test::Internet, false),
            What::NoInternet => (Test::Internet, true),
            What::AnyZone | What::NoZone => {
                let named = |id: &String| -> Result<NamedZone, Msg> {
                    let id: ZoneId = id.parse().map_err(|_| Msg::new("error.not_in_list"))?;
                    Ok(NamedZone { id, name: None })
                };
                let zones: Result<Vec<NamedZone>, Msg> =
                    self.several()?.iter().map(named).collect();
                let test = Test::AnyZone { zones: zones? };
                (test, self.what == What::NoZone)
            }
            What::AnyItem | What::NoItem => {
                let codes = self.several()?;
                (Test::AnyItem { codes }, self.what == What::NoItem)
            }
            What::OnlyItems | What::OtherItem => {
                let codes = self.several()?;
                (Test::OnlyItems { codes }, self.what == What::OtherItem)
            }
            What::UnitLevel | What::NotUnitLevel => {
                let unknown = |_| Msg::new("error.not_in_list");
                let levels: Result<Vec<UnitLevel>, Msg> = self
                    .several()?
                    .iter()
                    .map(|level| level.parse::<UnitLevel>().map_err(unknown))
                    .collect();
                let test = Test::UnitLevel { levels: levels? };
                (test, self.what == What::NotUnitLevel)
            }
            What::HasUpper => (Test::HasUpper, false),
            What::NoUpper => (Test::HasUpper, true),
        };
        Ok(if not {
            Test::Not { of: Box::new(test) }
        } else {
            test
        })
    }

    fn several(&self) -> Result<Vec<String>, Msg> {
        if self.values.is_empty() {
            Err(Msg::new("policy.choose"))
        } else {
            Ok(self.values.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::policy;
    use super::*;
    use crate::id::Id as _;

    /// The rows as a condition again.
    fn again(plain: &Plain) -> Test {
        let of = plain.rows.iter().map(|row| row.test().unwrap()).collect();
        match plain.join {
            Join::All => Test::All { of },
            Join::Any => Test::Any { of },
        }
    }

    #[test]
    fn the_conditions_of_the_example_are_rows_and_mean_the_same() {
        let policy = policy();
        let groups = policy.stages.iter().flat_map(|stage| &stage.groups);
        let tests: Vec<_> = groups
            .filter_map(|group| group.when.as_ref())
            .chain(&policy.automatic)
            .collect();
        assert_eq!(tests.len(), 5);
        for test in tests {
            let rows = again(&test.plain().unwrap());
            let both = |a: &Test, b: &Test| Test::All {
                of: vec![
                    a.clone(),
                    Test::Not {
                        of: Box::new(b.clone()),
                    },
                ],
            };
            assert!(!both(test, &rows).can_hold(), "{test:?} {rows:?}");
            assert!(!both(&rows, test).can_hold(), "{test:?} {rows:?}");
            assert_eq!(rows.plain(), test.plain());
        }
    }

    #[test]
    fn every_row_is_a_condition_and_a_row_again() {
        for what in What::ALL {
            let values = match what {
                What::CostAbove | What::CostAtMost => vec!["1200.50".to_owned()],
                What::LevelFrom | What::LevelBelow => vec!["3".to_owned()],
                What::AnyZone | What::NoZone => {
                    let site = crate::id::SiteCode::try_from("nb".to_owned()).unwrap();
                    let at = crate::time::Timestamp::from_millis(1);
                    vec![ZoneId::generate(&site, at, 1).to_string()]
                }
                What::AnyItem | What::NoItem | What::OnlyItems | What::OtherItem => {
                    vec!["C-ECS".to_owned()]
                }
                What::UnitLevel | What::NotUnitLevel => vec!["county".to_owned()],
                _ => Vec::new(),
            };
            let row = PlainRow {
                what: *what,
                values,
            };
            let plain = row.test().unwrap().plain().unwrap();
            assert_eq!(plain.rows, [row]);
        }
    }

    #[test]
    fn what_is_nested_has_no_rows() {
        let either = Test::Any {
            of: vec![Test::Internet, Test::HasUpper],
        };
        let both = Test::All {
            of: vec![Test::WithinQuota, either],
        };
        assert_eq!(both.plain(), None);
        assert_eq!(Test::All { of: Vec::new() }.plain(), None);
    }

    #[test]
    fn a_gap_is_filled_with_what_fits() {
        let row = |what, value: &str| PlainRow {
            what,
            values: vec![value.to_owned()],
        };
        for bad in [
            row(What::CostAbove, "-1"),
            row(What::CostAtMost, "much"),
            row(What::LevelFrom, "4"),
            row(What::UnitLevel, "moon"),
        ] {
            assert!(bad.test().is_err(), "{bad:?}");
        }
    }
}
