//! The service catalogue: items, their versions, and how a version is published.

mod compare;

use serde::{Deserialize, Serialize};

use crate::id::{ItemId, ItemVersionId};
use crate::msg::{FieldError, Label, Msg};
use crate::param::{Kind, Schema};
use crate::price::Formula;
use crate::quota::Consumption;
use crate::text;
use crate::words;

words! {
    /// Family of an item (`domain.md` 3.3): the headings of the catalogue.
    pub enum Family {
        /// 计算.
        Compute = "compute",
        /// 存储.
        Storage = "storage",
        /// 网络.
        Network = "network",
        /// 数据库与中间件.
        Platform = "platform",
        /// 应用.
        Application = "application",
        /// 安全.
        Security = "security",
        /// 容灾备份.
        Recovery = "recovery",
        /// 人工服务.
        Service = "service",
    }
}

words! {
    /// Who or what fulfils an item, and as which kind of thing.
    pub enum Fulfiller {
        /// A server at the pool's backend.
        Server = "server",
        /// A volume, attached to a server or free.
        Volume = "volume",
        /// An elastic address, bound to a server.
        Address = "address",
        /// A backup plan of a server.
        Backup = "backup",
        /// People, by a work order (工单).
        People = "people",
    }
}

words! {
    /// Where a version of an item or of a price stands.
    pub enum Publication {
        /// Being written; nobody can order it.
        Draft = "draft",
        /// Proposed by one person, waits for a second one.
        Proposed = "proposed",
        /// In force.
        Published = "published",
        /// Replaced or withdrawn; running orders keep it.
        Retired = "retired",
    }
}

/// What one version of an item says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Content {
    /// Name.
    pub name: Label,
    /// What it is good for, in plain words, one or two sentences.
    pub summary: Label,
    /// Heading in the catalogue.
    pub family: Family,
    /// Who fulfils it.
    pub fulfiller: Fulfiller,
    /// Whether the order chooses zone, level and pool. Work of people has no place.
    pub placed: bool,
    /// Parameters.
    pub schema: Schema,
    /// What it takes from quotas.
    pub consumption: Consumption,
    /// Most pieces in one line.
    pub max_count: i64,
    /// Promise: hours from approval to delivery.
    pub deliver_hours: i64,
    /// For work of people: what is to be done, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checklist: Vec<Label>,
}

/// One version of an item with the price in force: what a form is generated from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Offer {
    /// The item.
    pub item: ItemId,
    /// Code of the item (`C-ECS`).
    pub code: String,
    /// Identifier of this version.
    pub version_id: ItemVersionId,
    /// Number of this version, from 1.
    pub version: i64,
    /// What it says.
    pub content: Content,
    /// Number of the price version.
    pub price_version: i64,
    /// The price.
    pub price: Formula,
}

impl Content {
    /// Reads how many pieces are typed; nothing typed is one.
    ///
    /// # Errors
    /// As [`text::number`].
    pub fn read_count(&self, typed: &str) -> Result<i64, FieldError> {
        text::number("count", typed, 1, self.max_count)
    }

    /// Checks a version before it is proposed.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = self.schema.check().err().unwrap_or_default();
        if self.name.zh.trim().is_empty() {
            errors.push(FieldError::new("name", Msg::new("error.required")));
        }
        if !(1..=100).contains(&self.max_count) {
            errors.push(FieldError::new("max_count", Msg::new("schema.range")));
        }
        if !(1..=2000).contains(&self.deliver_hours) {
            errors.push(FieldError::new("deliver_hours", Msg::new("schema.range")));
        }
        for (i, takes) in self.consumption.0.iter().enumerate() {
            // What never holds takes nothing.
            let when = takes.when.as_ref();
            if let Some(msg) = when.and_then(|condition| condition.fault(&self.schema)) {
                errors.push(FieldError::new(format!("consumption[{i}].when"), msg));
            }
            if let crate::price::Quantity::Param { key } = &takes.quantity
                && !matches!(
                    self.schema.get(key).map(|p| &p.kind),
                    Some(Kind::Integer { .. } | Kind::Flag { .. })
                )
            {
                errors.push(FieldError::new(
                    format!("consumption[{i}]"),
                    Msg::new("schema.no_such_number").with("param", key.clone()),
                ));
            }
        }
        if self.placed == (self.fulfiller == Fulfiller::People) {
            errors.push(FieldError::new("placed", Msg::new("schema.placed")));
        }
        for key in self.fulfiller.needs() {
            if self.schema.get(key).is_none() {
                errors.push(FieldError::new(
                    "params",
                    Msg::new("schema.needs").with("param", *key),
                ));
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// The parameter by which a line attaches to another, if the item has one.
    pub fn attach_param(&self) -> Option<&crate::param::Param> {
        self.schema
            .0
            .iter()
            .find(|p| matches!(p.kind, Kind::Attach { .. }))
    }
}

impl Fulfiller {
    /// Keys of the parameters without which a backend can't build the thing.
    pub const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Server => &["vcpus", "memory_gb", "system_disk_gb", "image"],
            Self::Volume => &["size_gb", "disk_class"],
            Self::Address => &["bandwidth_mbps"],
            Self::Backup => &["size_gb", "keep_days", "attach_to"],
            Self::People => &[],
        }
    }
}

/// An item's code: capital letters, digits and hyphens, a letter first, at most 16 (`S-EVS`).
///
/// # Errors
/// A message about `field`.
pub fn parse_code(field: &str, typed: &str) -> Result<String, FieldError> {
    let code = crate::text::half_width(typed.trim()).to_ascii_uppercase();
    let fits = (2..=16).contains(&code.len())
        && code.starts_with(|c: char| c.is_ascii_uppercase())
        && code
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        Ok(code)
    } else {
        Err(FieldError::new(field, Msg::new("error.item_code")))
    }
}
