//! Where the portal and a cloud differ: what is missing there, changed, stuck, foreign, or there twice.

use serde::{Deserialize, Serialize};

use super::{page::Page, resource::Related};
use crate::{
    access_rule,
    catalogue::Fulfiller,
    change::Change,
    id::{DifferenceId, ResourceId},
    money::Money,
    msg::Msg,
    time::Timestamp,
    words,
};

words! {
    /// In what way the cloud differs.
    pub enum DifferenceKind {
        /// A resource of ours is not there.
        Missing = "missing",
        /// It is there, and otherwise.
        Changed = "changed",
        /// It stands there in an error, or between two states for too long.
        Stuck = "stuck",
        /// It is there, and nobody's.
        Foreign = "foreign",
        /// An operation of ours made it a second time, and no row names it.
        Double = "double",
    }
}

words! {
    /// The kinds of things that are compared: what items are fulfilled as, what hangs on disks, and what
    /// hosts stand in.
    pub enum ThingKind {
        /// A server.
        Server = "server",
        /// A volume.
        Volume = "volume",
        /// An address.
        Address = "address",
        /// A backup plan.
        Backup = "backup",
        /// A snapshot of a volume.
        Snapshot = "snapshot",
        /// A unit's private network.
        Network = "network",
    }
}

impl ThingKind {
    /// As which a resource of this kind is compared; work of people is not.
    #[must_use]
    pub const fn of(kind: Fulfiller) -> Option<Self> {
        match kind {
            Fulfiller::Server => Some(Self::Server),
            Fulfiller::Volume => Some(Self::Volume),
            Fulfiller::Address => Some(Self::Address),
            Fulfiller::Backup => Some(Self::Backup),
            Fulfiller::People => None,
        }
    }
}

words! {
    /// What of a thing is compared.
    pub enum Aspect {
        /// What a server does: `running`, `stopped`, `building`, `changing`, `error`.
        Power = "power",
        /// What a disk does: `ready`, `changing`, `error`.
        State = "state",
        /// Cores.
        Vcpus = "vcpus",
        /// Memory, GiB.
        Memory = "memory_gb",
        /// Size of a disk, GiB.
        Size = "size_gb",
        /// Storage class of a disk.
        Class = "disk_class",
        /// Name.
        Name = "name",
        /// What it is attached to, leads to or backs up.
        Target = "target",
        /// Address.
        Address = "address",
        /// What stands of a network: `subnet`, `router`, with commas between.
        Parts = "parts",
        /// What may come in to a server beside its preset, as [`access_rule::text_of`] writes it.
        Rules = "rules",
        /// Of a backup plan, the hours between two backups and the days that one is kept: `24/7`.
        Schedule = "schedule",
    }
}

/// What both sides say of one aspect; `None` where a side has nothing to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Said {
    /// Of what.
    pub aspect: Aspect,
    /// What the portal thinks.
    pub ours: Option<String>,
    /// What the cloud says.
    pub cloud: Option<String>,
}

impl Said {
    /// Whether the two are different.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.ours != self.cloud
    }

    /// Of rules: what only the cloud lets in, and what only the portal does.
    #[must_use]
    pub fn rules_apart(&self) -> (Vec<&str>, Vec<&str>) {
        fn only<'a>(side: &'a Option<String>, other: &Option<String>) -> Vec<&'a str> {
            let other = other.as_deref().unwrap_or_default();
            access_rule::each_of(side.as_deref().unwrap_or_default())
                .filter(|one| access_rule::each_of(other).all(|there| there != *one))
                .collect()
        }
        (only(&self.cloud, &self.ours), only(&self.ours, &self.cloud))
    }
}

words! {
    /// How a difference ended.
    pub enum Closing {
        /// Both say the same again.
        Agrees = "agrees",
        /// What was foreign is there no more.
        Gone = "gone",
        /// It became a difference of another kind.
        Turned = "turned",
        /// The resource was given back.
        Released = "released",
        /// The cloud was made to follow the portal.
        Restored = "restored",
        /// The portal follows the cloud.
        Followed = "followed",
        /// The resource was written off.
        WrittenOff = "written_off",
        /// What was foreign was taken in.
        Adopted = "adopted",
        /// It was deleted in the cloud.
        Removed = "removed",
    }
}

words! {
    /// What an operator may do about a difference now.
    #[cfg_attr(feature = "openapi", schema(as = DifferenceAct))]
    pub enum Act {
        /// Make the cloud follow the portal.
        Restore = "restore",
        /// Let the portal follow the cloud.
        Follow = "follow",
        /// Let the portal follow in power and leave the rules, which differ too, as they are.
        FollowPower = "follow_power",
        /// Take over the size that the cloud has: price and quota follow from now on. Of a snapshot:
        /// keep it as one of its disk.
        Adopt = "adopt",
        /// Write the resource off.
        WriteOff = "write_off",
        /// Delete in the cloud what no row names.
        Remove = "remove",
        /// Let it stand, with a note.
        Note = "note",
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifferenceRow {
    /// Identifier.
    pub id: DifferenceId,
    /// Name of the backend.
    pub backend: String,
    /// In what way.
    pub kind: DifferenceKind,
    /// Kind of thing.
    pub thing: ThingKind,
    /// The backend's name for it.
    pub external_id: String,
    /// The operation that made it; empty if it was not the portal.
    pub operation: String,
    /// The resource; of a double the one that stays, of a snapshot its disk, `None` for what is foreign.
    pub resource: Option<ResourceId>,
    /// Its name, ours or the cloud's.
    pub name: String,
    /// Short name of the unit.
    pub unit_name: Option<String>,
    /// Name of the system.
    pub system_name: Option<String>,
    /// What both sides say.
    pub said: Vec<Said>,
    /// Digest of what both sides say. Who restores or follows tells the one that was read: what has
    /// moved since then is neither.
    pub digest: String,
    /// Month price at stake.
    pub month: Money,
    /// When a round first found it.
    pub first_seen: Timestamp,
    /// The last round that found it.
    pub last_seen: Timestamp,
    /// Why an operator lets it stand; empty if nobody does.
    pub note: String,
    /// Who.
    pub noted_by: Option<String>,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// How.
    pub closing: Option<Closing>,
    /// By whom; `None` by itself.
    pub closed_by: Option<String>,
}

impl DifferenceRow {
    /// What is typed to have it deleted: its name, or what the backend calls it where it has none.
    #[must_use]
    pub fn typed(&self) -> &str {
        match self.name.trim() {
            "" => &self.external_id,
            name => name,
        }
    }

    /// Whether a host uses it in the cloud: a disk that is attached, an address that leads to one.
    #[must_use]
    pub fn hangs(&self) -> bool {
        let on = |said: &Said| said.aspect == Aspect::Target && said.cloud.is_some();
        matches!(self.thing, ThingKind::Volume | ThingKind::Address) && self.said.iter().any(on)
    }
}

/// What taking over the size that the cloud has would come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Adoption {
    /// Before and after: size, month price, quota. Whoever adopts tells its `month_after`.
    pub change: Change,
    /// What stands against it, in words; nothing if it can be done.
    pub against: Vec<Msg>,
}

/// One difference with what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifferenceDetail {
    /// The difference.
    pub row: DifferenceRow,
    /// What hangs on the resource.
    pub attachments: Vec<Related>,
    /// A change of the resource that is under way, in words.
    pub busy: Option<Msg>,
    /// Why what is lost can't be built anew now, in words.
    pub hindrance: Option<Msg>,
    /// Where the cloud has another size: what taking it over would come to.
    pub adoption: Option<Adoption>,
    /// Whether the cloud answers now.
    pub silent: bool,
    /// Its last answer.
    pub answered_at: Option<Timestamp>,
    /// What may be done now.
    pub may: Vec<Act>,
}

/// Filter of differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifferenceFilter {
    /// In this way.
    pub kind: Option<DifferenceKind>,
    /// At this backend.
    pub backend: Option<String>,
    /// Those that have ended instead of those that stand.
    pub past: bool,
    /// Where the page begins.
    pub cursor: Option<String>,
    /// Rows of a page.
    pub limit: Option<i64>,
}

/// How often a kind stands, and what it costs a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifferenceCount {
    /// The kind.
    pub kind: DifferenceKind,
    /// Differences that stand.
    pub count: i64,
    /// Sum of their month prices.
    pub month: Money,
}

/// The rounds over one backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundLine {
    /// Name of the backend.
    pub backend: String,
    /// When the last whole round began; `None` if there was none.
    pub compared_at: Option<Timestamp>,
    /// How many things of the cloud it read.
    pub things: i64,
    /// When one was last tried.
    pub tried_at: Timestamp,
    /// Why the last one broke off.
    pub error: Option<String>,
}

/// The list with its counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferencesView {
    /// The page.
    pub page: Page<DifferenceRow>,
    /// By kind, all backends; every kind is there.
    pub counts: Vec<DifferenceCount>,
    /// By backend.
    pub rounds: Vec<RoundLine>,
    /// Tasks of ours that wait for an operator: they have a list of their own.
    pub stuck_tasks: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rules_it_is_told_what_only_one_side_lets_in() {
        let both = |ours: Option<&str>, cloud: Option<&str>| Said {
            aspect: Aspect::Rules,
            ours: ours.map(str::to_owned),
            cloud: cloud.map(str::to_owned),
        };
        let (pages, ssh) = ("tcp 443 10.8.0.0/24", "tcp 22 0.0.0.0/0");
        let said = both(Some(pages), Some(&format!("{ssh}; {pages}")));
        assert_eq!(said.rules_apart(), (vec![ssh], vec![]));
        let said = both(Some(pages), Some(ssh));
        assert_eq!(said.rules_apart(), (vec![ssh], vec![pages]));
        assert_eq!(both(Some(pages), None).rules_apart(), (vec![], vec![pages]));
    }
}
