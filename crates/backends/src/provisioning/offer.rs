//! What a catalogue offers, to be held against what a backend has.
use std::collections::BTreeSet;

/// What a catalogue lets people order in the pools of a backend: to be held against what there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offered {
    /// Codes of processor architectures.
    pub archs: BTreeSet<String>,
    /// Codes of images; see [`Capabilities::makes`](super::Capabilities::makes).
    pub images: BTreeSet<String>,
    /// Codes of disk classes; see [`VolumeSpec::volume_type`](super::VolumeSpec::volume_type).
    pub disk_classes: BTreeSet<String>,
    /// Sizes of servers.
    pub sizes: Vec<OfferedSizes>,
}

/// The sizes that one form offers: each number of cores with each amount of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedSizes {
    /// What offers them, for the operator.
    pub by: String,
    /// Cores.
    pub vcpus: Steps,
    /// Memory, GiB.
    pub memory_gb: Steps,
}

/// Whole numbers at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The first.
    pub first: u32,
    /// None is above it.
    pub last: u32,
    /// The distance, at least 1.
    pub step: u32,
    /// The one with which a form begins.
    pub default: u32,
}

impl Steps {
    /// All of them, from the first on.
    pub fn all(self) -> impl Iterator<Item = u32> {
        (self.first..=self.last).step_by(usize::try_from(self.step.max(1)).unwrap_or(1))
    }
    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u64 {
        if self.last < self.first {
            return 0;
        }
        let step = if self.step == 0 { 1 } else { self.step };
        ((self.last - self.first) / step) as u64 + 1
    }
    /// Whether a number is one of them.
    #[must_use]
    pub const fn has(self, n: u32) -> bool {
        let step = if self.step == 0 { 1 } else { self.step };
        n >= self.first && n <= self.last && (n - self.first).is_multiple_of(step)
    }
}
