//! Approval policies: versioned data that turns the facts of a request into a route.
//!
//! A submit stores the facts it was judged by and the steps it got, so that a policy can later be
//! replayed on history.

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::msg::Label;
use crate::people::{Role, UnitLevel};
use crate::placement::Level;
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
    /// Codes of the items.
    pub items: Vec<String>,
    /// Level of the applicant's unit.
    pub unit_level: UnitLevel,
    /// Whether the unit has a unit above it that examines first.
    pub has_upper: bool,
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

impl Policy {
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
