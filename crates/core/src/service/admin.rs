//! Who administers: a person with the ability, or the program itself (seed, `lingbao user`).

use lingbao_model::id::{UnitId, UserId};

use crate::{
    app::{Actor, Cx},
    authz::{Ability, Access, Scope},
    error::ServiceError,
    storage::ReadTx,
};

/// The caller of an administration.
#[derive(Debug)]
pub(super) enum Admin {
    /// The program.
    System,
    /// A person with their roles.
    Person(Access),
}

impl Admin {
    /// Reads who calls.
    pub(super) async fn load(rx: &mut ReadTx, cx: &Cx) -> Result<Self, ServiceError> {
        if cx.actor == Actor::System {
            Ok(Self::System)
        } else {
            Access::load(rx, cx).await.map(Self::Person)
        }
    }

    /// How far units and accounts are seen: by those who keep them, and by those who give roles.
    pub(super) fn sight(&self, cx: &Cx) -> Result<Scope, ServiceError> {
        match self {
            Self::System => Scope::system(cx),
            Self::Person(access) if access.has(Ability::ManageUnits) => {
                Ok(access.scope(Ability::ManageUnits))
            }
            Self::Person(access) => {
                access.require(Ability::ManageRoles)?;
                Ok(access.scope(Ability::ManageRoles))
            }
        }
    }

    /// Requires an ability on a unit that the caller sees.
    pub(super) async fn require_on(
        &self,
        rx: &mut ReadTx,
        ability: Ability,
        unit: &UnitId,
    ) -> Result<(), ServiceError> {
        match self {
            Self::System => Ok(()),
            Self::Person(access) => access.require_on(rx, ability, unit).await,
        }
    }

    /// Whether the caller is this person.
    pub(super) fn is(&self, user: &UserId) -> bool {
        matches!(self, Self::Person(access) if access.user == *user)
    }
}
