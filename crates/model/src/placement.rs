//! Where things run: network zones, protection levels, resource pools and the legal cells.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{PoolId, ZoneId};
use crate::msg::{Label, Msg};
use crate::words;
use crate::words::UnknownWord;

/// Protection level (等保级别, GB/T 22239). Systems of level four and above, and classified ones,
/// must stay outside the government cloud; the form refuses them, so there is no variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum Level {
    /// 等保二级.
    Two,
    /// 等保三级.
    Three,
}
impl Level {
    /// Both levels that the cloud takes.
    pub const ALL: &'static [Self] = &[Self::Two, Self::Three];

    /// Its name, as it is called everywhere.
    #[must_use]
    pub fn msg(self) -> Msg {
        Msg::new(format!("level.{self}"))
    }
}
impl From<Level> for i64 {
    fn from(level: Level) -> Self {
        match level {
            Level::Two => 2,
            Level::Three => 3,
        }
    }
}
impl TryFrom<i64> for Level {
    type Error = UnknownWord;
    fn try_from(n: i64) -> Result<Self, UnknownWord> {
        match n {
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            _ => Err(UnknownWord),
        }
    }
}
impl FromStr for Level {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        text.parse::<i64>().map_err(|_| UnknownWord)?.try_into()
    }
}
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", i64::from(*self))
    }
}

words! {
    /// Purpose of a pool (HS-15): 衡水's three pools.
    pub enum Purpose {
        /// 政府核心数据.
        CoreData = "core_data",
        /// 政府公共服务业务.
        PublicService = "public_service",
        /// 政府部门行业应用.
        Sector = "sector",
    }
}

/// A network zone (网络区域): 互联网区, 公共服务区, 核心数据区.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Zone {
    /// Identifier.
    pub id: ZoneId,
    /// Name in both languages.
    pub name: Label,
    /// One sentence that says who reaches it.
    pub hint: Label,
    /// Whether the public internet reaches it; routes to the security officer.
    pub internet: bool,
}

/// A resource pool (资源池): capacity of one backend in one zone for up to one protection level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pool {
    /// Identifier.
    pub id: PoolId,
    /// Name in both languages.
    pub name: Label,
    /// Name of the backend that provisions here.
    pub backend: String,
    /// The zone in which the pool stands.
    pub zone: ZoneId,
    /// Lowest level it takes: a core-data pool takes no level two.
    pub lowest: Level,
    /// Highest level it takes.
    pub highest: Level,
    /// Purpose.
    pub purpose: Purpose,
    /// Whether it is built of domestic technology (信创).
    pub xinchuang: bool,
    /// Over-commit of virtual cores, in percent: 300 = 1 : 3.
    pub overcommit_percent: i64,
    /// Whether orders may still be placed.
    pub open: bool,
}

/// The cell of the matrix zone × level × pool that a request chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Placement {
    /// Zone.
    pub zone: ZoneId,
    /// Protection level of the system.
    pub level: Level,
    /// Pool.
    pub pool: PoolId,
}

/// A legal cell, with its names: where one may order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Place {
    /// The cell as a form names it: zone, level and pool.
    pub cell: String,
    /// The zone's name.
    pub zone: Label,
    /// Protection level.
    pub level: Level,
    /// The pool's name.
    pub pool: Label,
    /// Its purpose.
    pub purpose: Purpose,
    /// Whether it is built of domestic technology.
    pub xinchuang: bool,
}

impl std::fmt::Display for Placement {
    /// As forms name a cell.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.zone, self.level, self.pool)
    }
}

impl Pool {
    /// Whether this pool may hold a system of that level in that zone.
    ///
    /// # Errors
    /// A message that says why the cell is closed; the matrix of the form shows it in the cell.
    pub fn accepts(&self, zone: &Zone, level: Level) -> Result<(), Msg> {
        if self.zone != zone.id {
            Err(Msg::new("placement.pool_elsewhere").with("pool", self.name.clone()))
        } else if !self.open {
            Err(Msg::new("placement.pool_closed").with("pool", self.name.clone()))
        } else if zone.internet && level == Level::Three {
            Err(Msg::new("placement.three_not_on_internet"))
        } else if level > self.highest {
            Err(Msg::new("placement.level_too_high").with("level", self.highest.msg()))
        } else if level < self.lowest {
            Err(Msg::new("placement.level_too_low").with("level", self.lowest.msg()))
        } else {
            Ok(())
        }
    }
}

/// Checks a chosen cell against the rows.
///
/// # Errors
/// Why the cell is not legal; an unknown zone or pool reads as closed, not as a hint that it exists.
pub fn legal<'a>(
    zones: &'a [Zone],
    pools: &'a [Pool],
    chosen: &Placement,
) -> Result<(&'a Zone, &'a Pool), Msg> {
    let unknown = || Msg::new("placement.unknown");
    let zone = zones
        .iter()
        .find(|z| z.id == chosen.zone)
        .ok_or_else(unknown)?;
    let pool = pools
        .iter()
        .find(|p| p.id == chosen.pool)
        .ok_or_else(unknown)?;
    pool.accepts(zone, chosen.level).map(|()| (zone, pool))
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Level {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <i64 as utoipa::PartialSchema>::schema()
    }
}
#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Level {}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
