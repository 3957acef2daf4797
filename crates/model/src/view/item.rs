//! What the administration of the catalogue shows: items, their versions, their prices.

use serde::{Deserialize, Serialize};

use crate::catalogue::Publication;
use crate::msg::Label;
use crate::time::Timestamp;
use crate::words;

words! {
    /// Which of the two versioned sides of an item is meant.
    pub enum Side {
        /// What it says about itself: name, parameters, what it takes from quotas.
        Content = "content",
        /// What it costs.
        Price = "price",
    }
}

words! {
    /// What may be done with a version now.
    pub enum Act {
        /// Write it on.
        Write = "write",
        /// Show it to a second person.
        Propose = "propose",
        /// Take it back to write it on.
        TakeBack = "take_back",
        /// Put it in force; never by who wrote it.
        Publish = "publish",
    }
}

/// One row of the list of items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemRow {
    /// Code (`C-ECS`).
    pub code: String,
    /// Name in the newest version; empty while there is none.
    pub name: Label,
    /// Whether it can be ordered as soon as both sides are published.
    pub offered: bool,
    /// Number of the content in force.
    pub content: Option<i64>,
    /// Number of the price in force.
    pub price: Option<i64>,
    /// Versions that wait for a second person.
    pub proposed: i64,
}

/// One version of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionRow {
    /// Number, from 1.
    pub number: i64,
    /// Where it stands.
    pub state: Publication,
    /// Who wrote it; `None` for the installation.
    pub written_by: Option<String>,
    /// When.
    pub written_at: Timestamp,
    /// Who published it.
    pub published_by: Option<String>,
    /// When.
    pub published_at: Option<Timestamp>,
    /// JSON, indented.
    pub text: String,
    /// Version of the row, for changes.
    pub version: i64,
    /// What the reader may do with it.
    pub may: Vec<Act>,
}

/// One item with all versions of both sides, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemView {
    /// Code.
    pub code: String,
    /// Whether it can be ordered.
    pub offered: bool,
    /// Version of the item's row.
    pub version: i64,
    /// Versions of the content.
    pub contents: Vec<VersionRow>,
    /// Versions of the price.
    pub prices: Vec<VersionRow>,
    /// Whether the reader may write contents.
    pub may_content: bool,
    /// Whether the reader may write prices.
    pub may_price: bool,
}
