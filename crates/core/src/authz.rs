//! Who may do what, and how far they see.
//!
//! [`Access::load`] reads the caller's roles; [`Access::scope`] turns an ability into a [`Scope`],
//! without which no list and no get of the storage can be called: a forgotten filter doesn't
//! compile. What lies outside the scope is [`ServiceError::NotFound`], whether it exists or not.

use lingbao_model::{
    id::{UnitId, UserId},
    people::{Grant, Reach, Role},
};

use crate::{
    app::{Actor, Cx},
    error::ServiceError,
    storage::{ReadTx, access, sql::Sql},
};

/// Something that a role permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ability {
    /// Write, submit, withdraw and confirm requests of one's unit.
    Order,
    /// Read requests.
    ReadRequests,
    /// Decide on open steps (which ones, the step's role says).
    Decide,
    /// Read resources, systems, VDCs.
    ReadResources,
    /// Start and stop resources.
    OperateResources,
    /// Have what lies in the recycle bin erased before its time.
    EraseResources,
    /// Read quotas.
    ReadQuota,
    /// Hand limits on to units below.
    HandQuota,
    /// Set the limits of the site's own VDC.
    SetSiteQuota,
    /// See jobs, sagas, work orders; retry, discard, fulfil.
    Operate,
    /// Write and publish item versions and policies.
    ManageItems,
    /// Write and publish prices.
    ManagePrices,
    /// Create and rename units, create accounts.
    ManageUnits,
    /// Give and take roles, unlock accounts.
    ManageRoles,
    /// Read the audit trail.
    ReadAudit,
    /// See the overview of the whole site.
    Overview,
}

impl Ability {
    /// Every ability.
    pub const ALL: &'static [Self] = &[
        Self::Order,
        Self::ReadRequests,
        Self::Decide,
        Self::ReadResources,
        Self::OperateResources,
        Self::EraseResources,
        Self::ReadQuota,
        Self::HandQuota,
        Self::SetSiteQuota,
        Self::Operate,
        Self::ManageItems,
        Self::ManagePrices,
        Self::ManageUnits,
        Self::ManageRoles,
        Self::ReadAudit,
        Self::Overview,
    ];

    /// Which roles give it. The one table of permissions.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        use Role::{
            Applicant, AuditAdmin, Auditor, DeptLeader, Finance, Leader, Operator, Reviewer,
            SecurityAdmin, SecurityOfficer, SystemAdmin, UpperReviewer,
        };
        match self {
            Self::Order | Self::OperateResources => &[Applicant],
            Self::ReadRequests => &[
                Applicant,
                DeptLeader,
                UpperReviewer,
                Reviewer,
                SecurityOfficer,
                Finance,
                Leader,
                Operator,
                Auditor,
            ],
            Self::Decide => &[
                DeptLeader,
                UpperReviewer,
                Reviewer,
                SecurityOfficer,
                Finance,
                Leader,
            ],
            Self::ReadResources => &[
                Applicant,
                DeptLeader,
                UpperReviewer,
                Reviewer,
                SecurityOfficer,
                Leader,
                Operator,
                Auditor,
            ],
            Self::EraseResources => &[DeptLeader],
            Self::ReadQuota => &[
                Applicant,
                DeptLeader,
                UpperReviewer,
                Reviewer,
                Finance,
                Leader,
                Operator,
                Auditor,
            ],
            Self::HandQuota => &[DeptLeader, Reviewer],
            Self::SetSiteQuota => &[Reviewer],
            Self::Operate => &[Operator],
            Self::ManageItems => &[Reviewer],
            Self::ManagePrices => &[Finance],
            Self::ManageUnits => &[SystemAdmin],
            Self::ManageRoles => &[SecurityAdmin],
            Self::ReadAudit => &[Auditor, AuditAdmin],
            Self::Overview => &[Leader, Reviewer, Operator, Auditor],
        }
    }

    /// Whether it is about what the whole site has in common: only a grant that reaches the site
    /// gives it. A county's operator runs no cloud, and its finance office sets no prices.
    #[must_use]
    pub const fn is_of_the_site(self) -> bool {
        matches!(
            self,
            Self::Operate
                | Self::ManageItems
                | Self::ManagePrices
                | Self::SetSiteQuota
                | Self::Overview
        )
    }

    /// Its name, for the viewer in the browser.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::ReadRequests => "read_requests",
            Self::Decide => "decide",
            Self::ReadResources => "read_resources",
            Self::OperateResources => "operate_resources",
            Self::EraseResources => "erase_resources",
            Self::ReadQuota => "read_quota",
            Self::HandQuota => "hand_quota",
            Self::SetSiteQuota => "set_site_quota",
            Self::Operate => "operate",
            Self::ManageItems => "manage_items",
            Self::ManagePrices => "manage_prices",
            Self::ManageUnits => "manage_units",
            Self::ManageRoles => "manage_roles",
            Self::ReadAudit => "read_audit",
            Self::Overview => "overview",
        }
    }
}

/// How far a caller sees; only this module can make one.
#[derive(Debug, Clone)]
pub struct Scope(Sight);

#[derive(Debug, Clone)]
enum Sight {
    Nothing,
    Site,
    Units {
        own: Vec<UnitId>,
        subtree: Vec<UnitId>,
    },
}

impl Scope {
    fn of<'a>(grants: impl Iterator<Item = &'a Grant>) -> Self {
        let (mut own, mut subtree) = (Vec::new(), Vec::new());
        for grant in grants {
            match grant.reach {
                Reach::Site => return Self(Sight::Site),
                Reach::Subtree => subtree.push(grant.unit.clone()),
                Reach::Own => own.push(grant.unit.clone()),
            }
        }
        if own.is_empty() && subtree.is_empty() {
            Self(Sight::Nothing)
        } else {
            Self(Sight::Units { own, subtree })
        }
    }

    /// The program itself sees everything: jobs, sagas, reconcilers.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`] if the act is not the program's own.
    pub fn system(cx: &Cx) -> Result<Self, ServiceError> {
        if cx.actor == Actor::System {
            Ok(Self(Sight::Site))
        } else {
            Err(ServiceError::Forbidden)
        }
    }

    /// Appends the filter to a statement; `column` holds a unit's id and ends with it, as in
    /// `" AND r.unit_id"`: `scope.filter(sql, " AND r.unit_id")`. A whole site adds nothing.
    #[must_use]
    pub fn filter(&self, sql: Sql, column: &'static str) -> Sql {
        match &self.0 {
            Sight::Site => sql,
            Sight::Nothing => sql.push(column).push(" IN (NULL)"),
            Sight::Units { own, subtree } => match (own.as_slice(), subtree.as_slice()) {
                ([unit], []) => sql.push(column).push(" = ").bind(unit.as_str()),
                (own, []) => sql
                    .push(column)
                    .push(" IN ")
                    .bind_list(own.iter().map(UnitId::as_str)),
                (own, subtree) => sql
                    .push(column)
                    .push(" IN (SELECT descendant FROM unit_closure WHERE ancestor IN ")
                    .bind_list(subtree.iter().map(UnitId::as_str))
                    .push(" UNION SELECT id FROM unit WHERE id IN ")
                    .bind_list(own.iter().map(UnitId::as_str))
                    .push(")"),
            },
        }
    }

    /// Whether nothing at all is in sight.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        matches!(self.0, Sight::Nothing)
    }
}

/// The caller with the roles they hold now.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who.
    pub user: UserId,
    /// The person's name.
    pub name: String,
    /// Where the person works.
    pub unit: UnitId,
    /// The roles.
    pub grants: Vec<Grant>,
}

impl Access {
    /// Reads the caller's account and roles.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] if nobody is signed in or the account was closed.
    pub async fn load(rx: &mut ReadTx, cx: &Cx) -> Result<Self, ServiceError> {
        let user = cx
            .actor
            .user()
            .ok_or(ServiceError::Unauthenticated)?
            .clone();
        let person = access::person(rx, &user)
            .await?
            .filter(|p| p.active)
            .ok_or(ServiceError::Unauthenticated)?;
        let unit = UnitId::try_from(person.unit_id)
            .map_err(|e| ServiceError::internal("unit of a user", e))?;
        // Whoever gave the first password knows it: until it is changed, the roles open nothing.
        let grants = if person.must_change {
            Vec::new()
        } else {
            access::grants(rx, &user).await?
        };
        Ok(Self {
            grants,
            name: person.name,
            unit,
            user,
        })
    }

    fn giving(&self, ability: Ability) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |g| {
            ability.roles().contains(&g.role)
                && (g.reach == Reach::Site || !ability.is_of_the_site())
        })
    }

    /// Whether the caller has the ability at all, on whatever unit.
    #[must_use]
    pub fn has(&self, ability: Ability) -> bool {
        self.giving(ability).next().is_some()
    }

    /// Whether the caller holds a role on whatever unit.
    #[must_use]
    pub fn holds(&self, role: Role) -> bool {
        self.grants.iter().any(|g| g.role == role)
    }

    /// How far the ability reaches.
    #[must_use]
    pub fn scope(&self, ability: Ability) -> Scope {
        Scope::of(self.giving(ability))
    }

    /// How far the grants of one role reach: for approval steps, which name a role.
    #[must_use]
    pub fn scope_of_role(&self, role: Role) -> Scope {
        Scope::of(self.grants.iter().filter(move |g| g.role == role))
    }

    /// Requires the ability at all: for things that belong to no unit.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`].
    pub fn require(&self, ability: Ability) -> Result<(), ServiceError> {
        if self.has(ability) {
            Ok(())
        } else {
            Err(ServiceError::Forbidden)
        }
    }

    /// Requires the ability on a unit. Call it after the thing was found within a reading scope:
    /// the caller sees it, so "forbidden" tells nothing new.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`].
    pub async fn require_on(
        &self,
        rx: &mut ReadTx,
        ability: Ability,
        unit: &UnitId,
    ) -> Result<(), ServiceError> {
        let allowed = reaches(rx, self.giving(ability), unit).await?;
        if allowed {
            Ok(())
        } else {
            Err(ServiceError::Forbidden)
        }
    }

    /// Whether a grant of `role` reaches a unit.
    ///
    /// # Errors
    /// What the database says.
    pub async fn holds_on(
        &self,
        rx: &mut ReadTx,
        role: Role,
        unit: &UnitId,
    ) -> Result<bool, ServiceError> {
        reaches(rx, self.grants.iter().filter(|g| g.role == role), unit).await
    }
}

async fn reaches<'a>(
    rx: &mut ReadTx,
    grants: impl Iterator<Item = &'a Grant>,
    unit: &UnitId,
) -> Result<bool, ServiceError> {
    let mut above = Vec::new();
    for grant in grants {
        match grant.reach {
            Reach::Site => return Ok(true),
            Reach::Own if grant.unit == *unit => return Ok(true),
            Reach::Own => {}
            Reach::Subtree => above.push(&grant.unit),
        }
    }
    Ok(!above.is_empty() && access::is_below(rx, unit, &above).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_administrator_and_no_auditor_has_an_ability_of_the_business() {
        for role in [Role::SystemAdmin, Role::SecurityAdmin, Role::AuditAdmin] {
            for ability in Ability::ALL.iter().filter(|a| a.roles().contains(&role)) {
                assert!(
                    matches!(
                        ability,
                        Ability::ManageUnits | Ability::ManageRoles | Ability::ReadAudit
                    ),
                    "{role}: {ability:?}"
                );
            }
        }
        assert!(!Ability::Decide.roles().contains(&Role::Auditor));
    }

    #[test]
    fn an_approval_policy_asks_only_those_who_decide() {
        for role in Role::ALL {
            let can = Ability::Decide.roles().contains(role);
            assert_eq!(role.decides(), can, "{role}");
        }
    }

    #[test]
    fn what_belongs_to_the_site_is_not_given_by_a_role_on_one_county() {
        let access = |reach| Access {
            user: "usr_nb_01JD3C00000000000000000000".parse().unwrap(),
            name: String::new(),
            unit: "unt_nb_01JD3C00000000000000000000".parse().unwrap(),
            grants: [Role::Operator, Role::Reviewer, Role::Finance, Role::Leader]
                .map(|role| Grant {
                    role,
                    unit: "unt_nb_01JD3C00000000000000000000".parse().unwrap(),
                    reach,
                })
                .into(),
        };
        for ability in Ability::ALL.iter().filter(|a| a.is_of_the_site()) {
            assert!(access(Reach::Site).has(*ability), "{ability:?}");
            assert!(!access(Reach::Own).has(*ability), "{ability:?}");
            assert!(!access(Reach::Subtree).has(*ability), "{ability:?}");
        }
        assert!(access(Reach::Own).has(Ability::Decide));
    }

    #[test]
    fn a_scope_without_grants_meets_nothing() {
        let scope = Scope::of([].iter());
        assert!(scope.is_nothing());
        let sql = scope.filter(
            Sql::new("SELECT 1 FROM request r WHERE TRUE"),
            " AND r.unit_id",
        );
        assert_eq!(
            sql.text(),
            "SELECT 1 FROM request r WHERE TRUE AND r.unit_id IN (NULL)"
        );
    }
}
