//! What pages show of the catalogue.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Family, Fulfiller};
use crate::money::Money;
use crate::msg::Label;

/// One item in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferCard {
    /// Code, part of the link to the form.
    pub code: String,
    /// Name.
    pub name: Label,
    /// What it is good for.
    pub summary: Label,
    /// Heading.
    pub family: Family,
    /// Who fulfils it.
    pub fulfiller: Fulfiller,
    /// Month price of the cheapest configuration.
    pub month: Money,
    /// What that costs once.
    pub once: Money,
    /// Promise, hours.
    pub deliver_hours: i64,
}
