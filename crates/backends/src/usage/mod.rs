//! What servers use of what they were given, told by a system that measures them.
//!
//! A source knows servers by the name that their cloud gives them, and is asked for whole civil days.
//! Half an answer is an error: what was not said is asked for again, and is never zero.

pub mod prometheus;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use async_trait::async_trait;
use lingbao_model::{
    time::Timestamp,
    usage::{Measure, Reading},
};

use crate::provisioning::Finding;

/// Why a source said nothing, in words for operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It does not answer, or not to the end.
    #[error("it does not answer: {0}")]
    Unreachable(String),
    /// It answers, and refuses.
    #[error("it refuses: {0}")]
    Refused(String),
    /// It answers what can't be read, or says itself that something is missing.
    #[error("its answer is not whole: {0}")]
    Partial(String),
}

/// One measure of one day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readings {
    /// By the cloud's name of the server.
    pub servers: BTreeMap<String, Reading>,
    /// How many series were left out: without the label, more than one of a server, no number, out of
    /// range.
    pub odd: i64,
}

/// A system that measures servers.
#[async_trait]
pub trait UsageSource: fmt::Debug + Send + Sync + 'static {
    /// Names the source and what it is asked: days that were told by another are asked anew.
    fn digest(&self) -> &str;

    /// What it measures.
    fn measures(&self) -> Vec<Measure>;

    /// One measure of all servers from one moment to (and without) another.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole.
    async fn read(
        &self,
        measure: Measure,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Readings, SourceError>;

    /// The servers that it tells of at a moment.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    async fn servers(&self, at: Timestamp) -> Result<BTreeSet<String>, SourceError>;

    /// Whether it answers and says what is needed, for `lingbao doctor`.
    async fn check(&self, at: Timestamp) -> Vec<Finding>;
}
