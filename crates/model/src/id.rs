//! Typed identifiers: `unt_nb_01JD3C…`, a readable prefix, the site and a ULID.
//!
//! The site part keeps the rows of two cities apart when they meet in a province's portal one
//! day. A `UserId` can't be passed where a `UnitId` is wanted, and a text with another prefix
//! doesn't parse, so that a wrong id in a URL is "not found" before it reaches the database.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Crockford's base 32, as ULID prescribes it.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The text is no identifier of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId {
    /// The prefix that was wanted.
    pub expected: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an identifier with prefix `{}`", self.expected)
    }
}
impl std::error::Error for InvalidId {}

/// Two to eight lower-case letters or digits that name a city's installation (`nb`, `hami`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(try_from = "String", into = "String")]
pub struct SiteCode(String);

impl SiteCode {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl Default for SiteCode {
    /// A code for previews that never reach a database.
    fn default() -> Self {
        Self("preview".to_owned())
    }
}
impl TryFrom<String> for SiteCode {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        let fits = (2..=8).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if fits {
            Ok(Self(text))
        } else {
            Err(InvalidId {
                expected: "site code",
            })
        }
    }
}
impl From<SiteCode> for String {
    fn from(code: SiteCode) -> Self {
        code.0
    }
}

/// What every kind of identifier can do; lets `Cx::id::<UnitId>()` make any of them.
pub trait Id: Sized {
    /// The kind's prefix, three letters.
    const PREFIX: &'static str;
    /// Makes an identifier out of the site, the moment and 80 random bits.
    fn generate(site: &SiteCode, now: Timestamp, random: u128) -> Self;
    /// The identifier as text.
    fn as_str(&self) -> &str;
}

/// 48 bits of milliseconds and 80 random bits as 26 letters.
fn ulid(now: Timestamp, random: u128) -> String {
    let millis = u128::from(u64::try_from(now.millis()).unwrap_or(0)) & 0xFFFF_FFFF_FFFF;
    let value = (millis << 80) | (random & ((1 << 80) - 1));
    (0..26)
        .map(|i| {
            let digit = ((value >> (125 - 5 * i)) & 31) as usize;
            ALPHABET.get(digit).copied().map_or('0', char::from)
        })
        .collect()
}

fn parse(text: &str, prefix: &'static str) -> Result<(), InvalidId> {
    let wrong = InvalidId { expected: prefix };
    let rest = text
        .strip_prefix(prefix)
        .and_then(|r| r.strip_prefix('_'))
        .ok_or(wrong)?;
    let (site, ulid) = rest.split_once('_').ok_or(wrong)?;
    SiteCode::try_from(site.to_owned()).map_err(|_| wrong)?;
    let fits = ulid.len() == 26 && ulid.bytes().all(|b| ALPHABET.contains(&b));
    if fits { Ok(()) } else { Err(wrong) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl Id for $name {
            const PREFIX: &'static str = $prefix;
            fn generate(site: &SiteCode, now: Timestamp, random: u128) -> Self {
                Self(format!("{}_{}_{}", $prefix, site.as_str(), ulid(now, random)))
            }
            fn as_str(&self) -> &str { &self.0 }
        }
        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text, $prefix).map(|()| Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                parse(&text, $prefix).map(|()| Self(text))
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self { id.0 }
        }
    )*};
}

// Append only: a prefix, once given, is in other people's bookmarks and papers.
ids! {
    /// A unit (单位) of the administration.
    UnitId = "unt";
    /// A person's account.
    UserId = "usr";
    /// A role given to a user on a unit.
    GrantId = "grt";
    /// A token for the programming interface.
    TokenId = "tok";
    /// A virtual data centre (虚拟数据中心), the holder of quotas.
    VdcId = "vdc";
    /// A VPC (专有网络).
    VpcId = "vpc";
    /// An application system (系统).
    SystemId = "sys";
    /// A network zone (网络区域).
    ZoneId = "zon";
    /// A resource pool (资源池).
    PoolId = "pol";
    /// A catalogue item (服务项), all its versions.
    ItemId = "itm";
    /// One version of a catalogue item.
    ItemVersionId = "itv";
    /// One version of an approval policy.
    PolicyId = "ply";
    /// A request (申请单), draft or submitted.
    RequestId = "req";
    /// One line of a request (申请明细).
    RequestItemId = "rqi";
    /// One approval step (审批环节) of a request.
    StepId = "stp";
    /// One entry of a request's history.
    HistoryId = "his";
    /// One booking in the quota ledger.
    QuotaEntryId = "qen";
    /// A thing that runs in the cloud and belongs to a unit (资源).
    ResourceId = "res";
    /// One event in the life of a resource.
    ResourceEventId = "rev";
    /// A job of the worker.
    JobId = "job";
    /// A saga: the way of one fulfilment.
    SagaId = "sag";
    /// One operation at a backend.
    OperationRef = "opr";
    /// A work order (工单) for people.
    WorkOrderId = "wor";
    /// A notice (站内信).
    NoticeId = "ntc";
    /// An audit event.
    AuditId = "aud";
    /// A change that waits for a second person (a publication, a price).
    ProposalId = "prp";
    /// One sending of a form; recognises a second click.
    FormId = "frm";
    /// A line of the cart's saved answers.
    OpinionId = "opn";
    /// A snapshot (快照) of a disk.
    SnapshotId = "snp";
    /// A backup (备份) of a disk.
    BackupId = "bak";
    /// Something in a cloud that is otherwise than the portal thinks.
    DifferenceId = "dif";
    /// A rule of what may come in to a host (安全组规则).
    AccessRuleId = "acr";
    /// Things of a cloud that were taken in at once (纳管).
    ImportId = "imp";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> SiteCode {
        SiteCode::try_from("nb".to_owned()).unwrap()
    }

    #[test]
    fn an_id_reads_back_as_what_it_is_and_as_nothing_else() {
        let id = UnitId::generate(&site(), Timestamp::from_millis(1_763_683_200_000), 42);
        assert!(id.as_str().starts_with("unt_nb_"));
        assert_eq!(id.as_str().parse::<UnitId>().unwrap(), id);
        assert!(id.as_str().parse::<UserId>().is_err());
    }

    #[test]
    fn ids_sort_by_time() {
        let a = UnitId::generate(&site(), Timestamp::from_millis(1000), u128::MAX);
        let b = UnitId::generate(&site(), Timestamp::from_millis(1001), 0);
        assert!(a < b);
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in [
            "",
            "unt",
            "unt__",
            "unt_nb_",
            "unt_nb_01",
            "unt_NB_01JD3C00000000000000000000",
            "unt_nb_01JD3C0000000000000000000U",
            "usr_nb_01JD3C00000000000000000000",
            "unt_nb_01JD3C00000000000000000000' OR 1=1 --",
        ] {
            assert!(text.parse::<UnitId>().is_err(), "{text}");
        }
    }
}
