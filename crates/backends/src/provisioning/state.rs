//! What the things of a cloud do.
use serde::{Deserialize, Serialize};

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Being built.
    Building,
    /// Runs.
    Active,
    /// Between two states: starting, stopping, resizing.
    Changing,
    /// Does not run: switched off, or put to sleep by somebody else.
    Stopped,
    /// Building failed; delete it.
    Error,
}

/// What a disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeState {
    /// Nothing: it can be used.
    #[default]
    Ready,
    /// Between two states: being made, attached, detached, extended, deleted.
    Changing,
    /// Something that was asked of it came to nothing, and the cloud takes no order for it.
    Error,
}
