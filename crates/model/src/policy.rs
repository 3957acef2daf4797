//! Approval policies: versioned data that turns the facts of a request into a route.
//!
//! A submit stores the facts it was judged by and the steps it got, so that a policy can later be
//! replayed on history.

use serde::{Deserialize, Serialize};

use crate::id::ZoneId;
use crate::money::Money;
use crate::msg::Label;
use crate::people::{Role, UnitLevel};
use crate::placement::{Level, Zone};
use crate::words;

mod check;
mod compare;
mod plain;
mod said;

pub use check::{MOST_DUE_DAYS, MOST_STAGES};
pub use plain::{Join, Plain, PlainRow, What};

/// What a route depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Facts {
    /// Month price of the whole request.
    pub month: Money,
    /// Charged once.
    pub once: Money,
    /// Whether everything fits into the quota that the unit has now.
    pub within_quota: bool,
    /// Highest protection level in the request; `None` if nothing is placed.
    pub level: Option<Level>,
    /// Whether something stands in a zone that the internet reaches.
    pub internet: bool,
    /// The zones in which something stands; none in facts of days before policies named zones.
    #[serde(default)]
    pub zones: Vec<ZoneId>,
    /// Codes of the items.
    pub items: Vec<String>,
    /// Level of the applicant's unit.
    pub unit_level: UnitLevel,
    /// Whether the unit has a unit above it that examines first.
    pub has_upper: bool,
}

/// A zone of a condition, with the name that it had when the condition was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamedZone {
    /// The zone.
    pub id: ZoneId,
    /// Its name; need not be given, for the portal knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
}

/// A typed condition on the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "if", rename_all = "snake_case")]
pub enum Test {
    /// Month price and one-off price together are above this many 分.
    CostAbove {
        /// The bound, 分.
        fen: i64,
    },
    /// Everything fits into the present quota.
    WithinQuota,
    /// The highest level is at least this.
    LevelAtLeast {
        /// The bound.
        level: Level,
    },
    /// Something can be reached from the internet.
    Internet,
    /// Something stands in one of these zones.
    AnyZone {
        /// The zones.
        zones: Vec<NamedZone>,
    },
    /// One of these items is asked for.
    AnyItem {
        /// Item codes.
        codes: Vec<String>,
    },
    /// Only these items are asked for.
    OnlyItems {
        /// Item codes.
        codes: Vec<String>,
    },
    /// The unit stands on one of these levels.
    UnitLevel {
        /// Levels.
        levels: Vec<UnitLevel>,
    },
    /// A unit above examines first.
    HasUpper,
    /// All of them.
    All {
        /// Conditions.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        of: Vec<Test>,
    },
    /// Any of them.
    Any {
        /// Conditions.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        of: Vec<Test>,
    },
    /// Not this one.
    Not {
        /// Condition.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        of: Box<Test>,
    },
}

impl Test {
    /// Whether the condition holds.
    pub fn holds(&self, facts: &Facts) -> bool {
        match self {
            Self::CostAbove { fen } => (facts.month + facts.once).fen() > *fen,
            Self::WithinQuota => facts.within_quota,
            Self::LevelAtLeast { level } => facts.level.is_some_and(|l| l >= *level),
            Self::Internet => facts.internet,
            Self::AnyZone { zones } => zones.iter().any(|zone| facts.zones.contains(&zone.id)),
            Self::AnyItem { codes } => facts.items.iter().any(|i| codes.contains(i)),
            Self::OnlyItems { codes } => facts.items.iter().all(|i| codes.contains(i)),
            Self::UnitLevel { levels } => levels.contains(&facts.unit_level),
            Self::HasUpper => facts.has_upper,
            Self::All { of } => of.iter().all(|t| t.holds(facts)),
            Self::Any { of } => of.iter().any(|t| t.holds(facts)),
            Self::Not { of } => !of.holds(facts),
        }
    }
}

words! {
    /// From whose ranks the approver of a group comes.
    pub enum Ranks {
        /// The applicant's own unit (a grant whose reach covers it, given on it or on a unit above
        /// inside the same area).
        OwnUnit = "own_unit",
        /// The unit above the applicant's unit.
        UpperUnit = "upper_unit",
        /// The cloud office: grants for the whole site.
        Site = "site",
    }
}

/// One group of approvers; one opinion of the group decides its step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Group {
    /// Name of the step (单位负责人, 安全会签).
    pub name: Label,
    /// Role that decides.
    pub role: Role,
    /// From whose ranks.
    pub ranks: Ranks,
    /// Whether this group takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Test>,
}

/// One stage: its groups work in parallel, and all must approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stage {
    /// Short key, stable between versions (`dept`, `office`).
    pub key: String,
    /// Name.
    pub name: Label,
    /// Term in working days.
    pub due_days: u32,
    /// The groups.
    pub groups: Vec<Group>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Policy {
    /// When no human stage is needed; `None` = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<Test>,
    /// Stages in sequence.
    pub stages: Vec<Stage>,
}

/// One step that a request has to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoutedStep {
    /// Name of the step.
    pub name: Label,
    /// Role that decides.
    pub role: Role,
    /// From whose ranks.
    pub ranks: Ranks,
}

/// One stage that a request has to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoutedStage {
    /// Key of the stage.
    pub key: String,
    /// Name of the stage.
    pub name: Label,
    /// Term in working days.
    pub due_days: u32,
    /// Its steps, in parallel.
    pub steps: Vec<RoutedStep>,
}

/// The way of a request through its approvals; no stage = approved automatically.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Route {
    /// Stages in sequence.
    pub stages: Vec<RoutedStage>,
}

impl Route {
    /// Whether nobody has to be asked.
    pub const fn is_automatic(&self) -> bool {
        self.stages.is_empty()
    }
    /// Working days of all stages together.
    pub fn due_days(&self) -> u32 {
        self.stages.iter().map(|s| s.due_days).sum()
    }
}

impl Test {
    fn name_zones(&mut self, known: &[Zone]) -> Result<(), ZoneId> {
        match self {
            Self::AnyZone { zones } => {
                for zone in zones {
                    let Some(found) = known.iter().find(|one| one.id == zone.id) else {
                        return Err(zone.id.clone());
                    };
                    zone.name = Some(found.name.clone());
                }
            }
            Self::All { of } | Self::Any { of } => {
                for one in of {
                    one.name_zones(known)?;
                }
            }
            Self::Not { of } => of.name_zones(known)?,
            _ => {}
        }
        Ok(())
    }
}

impl Policy {
    /// Writes their names beside the zones that conditions name.
    ///
    /// # Errors
    /// A zone that is not among the known ones.
    pub fn name_zones(&mut self, known: &[Zone]) -> Result<(), ZoneId> {
        let groups = self.stages.iter_mut().flat_map(|stage| &mut stage.groups);
        let tests = groups.filter_map(|group| group.when.as_mut());
        for test in tests.chain(&mut self.automatic) {
            test.name_zones(known)?;
        }
        Ok(())
    }

    /// The route for a request with these facts. Something beyond the quota is never approved
    /// automatically, whatever the policy says.
    pub fn route(&self, facts: &Facts) -> Route {
        if facts.within_quota && self.automatic.as_ref().is_some_and(|t| t.holds(facts)) {
            return Route::default();
        }
        let stages = self
            .stages
            .iter()
            .map(|stage| RoutedStage {
                key: stage.key.clone(),
                name: stage.name.clone(),
                due_days: stage.due_days,
                steps: stage
                    .groups
                    .iter()
                    .filter(|g| g.when.as_ref().is_none_or(|t| t.holds(facts)))
                    .map(|g| RoutedStep {
                        name: g.name.clone(),
                        role: g.role,
                        ranks: g.ranks,
                    })
                    .collect(),
            })
            .filter(|stage| !stage.steps.is_empty())
            .collect();
        Route { stages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id as _;

    fn group(name: &str, role: Role, ranks: Ranks, when: Option<Test>) -> Group {
        Group {
            name: Label::new(name, ""),
            role,
            ranks,
            when,
        }
    }
    /// The example of `domain.md` 3.5.
    pub(super) fn policy() -> Policy {
        let stage = |key: &str, groups| Stage {
            key: key.into(),
            name: Label::new(key, ""),
            due_days: 1,
            groups,
        };
        let cost = |yuan: i64| Some(Test::CostAbove { fen: yuan * 100 });
        let sensitive = Test::Any {
            of: vec![
                Test::LevelAtLeast {
                    level: Level::Three,
                },
                Test::Internet,
            ],
        };
        Policy {
            automatic: Some(Test::All {
                of: vec![
                    Test::WithinQuota,
                    Test::Not {
                        of: Box::new(Test::CostAbove { fen: 50_000 }),
                    },
                    Test::Not {
                        of: Box::new(sensitive.clone()),
                    },
                ],
            }),
            stages: vec![
                stage(
                    "dept",
                    vec![group("单位负责人", Role::DeptLeader, Ranks::OwnUnit, None)],
                ),
                stage(
                    "office",
                    vec![group(
                        "初审",
                        Role::Reviewer,
                        Ranks::Site,
                        Some(Test::Any {
                            of: vec![
                                Test::CostAbove { fen: 200_000 },
                                Test::Not {
                                    of: Box::new(Test::WithinQuota),
                                },
                                sensitive.clone(),
                            ],
                        }),
                    )],
                ),
                stage(
                    "countersign",
                    vec![
                        group(
                            "安全会签",
                            Role::SecurityOfficer,
                            Ranks::Site,
                            Some(sensitive),
                        ),
                        group("财政会签", Role::Finance, Ranks::Site, cost(20_000)),
                    ],
                ),
                stage(
                    "leader",
                    vec![group("分管领导", Role::Leader, Ranks::Site, cost(100_000))],
                ),
            ],
        }
    }
    fn facts(yuan: i64) -> Facts {
        Facts {
            month: Money::from_yuan(yuan),
            once: Money::ZERO,
            within_quota: true,
            level: Some(Level::Two),
            internet: false,
            zones: Vec::new(),
            items: vec!["C-ECS".into()],
            unit_level: UnitLevel::City,
            has_upper: false,
        }
    }
    fn keys(route: &Route) -> Vec<&str> {
        route.stages.iter().map(|s| s.key.as_str()).collect()
    }

    #[test]
    fn a_small_request_inside_the_quota_needs_nobody() {
        assert!(policy().route(&facts(500)).is_automatic());
    }

    #[test]
    fn what_is_beyond_the_quota_is_never_approved_automatically() {
        let mut facts = facts(100);
        facts.within_quota = false;
        let always = Policy {
            automatic: Some(Test::All { of: vec![] }),
            ..policy()
        };
        assert_eq!(keys(&always.route(&facts)), ["dept", "office"]);
    }

    #[test]
    fn a_step_can_be_of_one_zone_alone_and_facts_of_earlier_days_name_none() {
        let zone = |n: u128| -> ZoneId {
            let site = crate::id::SiteCode::try_from("nb".to_owned()).unwrap();
            ZoneId::generate(&site, crate::time::Timestamp::from_millis(1), n)
        };
        let mut policy = policy();
        policy.stages[1].groups[0].when = Some(Test::AnyZone {
            zones: vec![NamedZone {
                id: zone(1),
                name: None,
            }],
        });
        let mut here = facts(1_500);
        here.zones = vec![zone(1), zone(2)];
        assert_eq!(keys(&policy.route(&here)), ["dept", "office"]);
        here.zones = vec![zone(2)];
        assert_eq!(keys(&policy.route(&here)), ["dept"]);
        let mut old = serde_json::to_value(facts(1_500)).unwrap();
        old.as_object_mut().unwrap().remove("zones");
        let old: Facts = serde_json::from_value(old).unwrap();
        assert_eq!(old, facts(1_500));
    }

    #[test]
    fn zones_are_called_as_they_are_and_one_that_is_not_there_is_told() {
        let site = crate::id::SiteCode::try_from("nb".to_owned()).unwrap();
        let id = ZoneId::generate(&site, crate::time::Timestamp::from_millis(1), 1);
        let zone = Zone {
            id: id.clone(),
            name: Label::new("行业应用区", "Sector"),
            hint: Label::new("", ""),
            internet: false,
        };
        let named = |id: &ZoneId, name: Option<Label>| Test::Not {
            of: Box::new(Test::AnyZone {
                zones: vec![NamedZone {
                    id: id.clone(),
                    name,
                }],
            }),
        };
        let mut policy = policy();
        policy.automatic = Some(named(&id, None));
        assert_eq!(policy.name_zones(&[]), Err(id.clone()));
        assert_eq!(policy.name_zones(std::slice::from_ref(&zone)), Ok(()));
        assert_eq!(policy.automatic, Some(named(&id, Some(zone.name))));
    }

    #[test]
    fn the_route_grows_with_money_level_and_internet() {
        assert_eq!(keys(&policy().route(&facts(1_500))), ["dept"]);
        assert_eq!(keys(&policy().route(&facts(15_000))), ["dept", "office"]);
        assert_eq!(
            keys(&policy().route(&facts(150_000))),
            ["dept", "office", "countersign", "leader"]
        );
        let mut three = facts(600);
        three.level = Some(Level::Three);
        let route = policy().route(&three);
        assert_eq!(keys(&route), ["dept", "office", "countersign"]);
        assert_eq!(
            route.stages[2].steps.len(),
            1,
            "finance is not asked for 600 元"
        );
    }
}
