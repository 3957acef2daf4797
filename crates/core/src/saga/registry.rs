//! Which lists of steps this program knows.
use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use lingbao_model::{id::SagaId, msg::Msg};
use serde_json::Value;

use super::{End, Ended, Saga, Step};
use crate::{app::Cx, error::StorageError, storage::Tx};

/// What an ended saga hands on before its parameters are decoded.
pub(super) struct AnyEnded<'a> {
    pub saga: &'a SagaId,
    pub subject: &'a str,
    pub params: &'a str,
    pub end: &'a End,
    pub reason: Option<&'a Msg>,
    pub outputs: &'a BTreeMap<String, Value>,
}

/// A saga whose parameters are known only as JSON.
#[async_trait]
pub(super) trait AnySaga: Send + Sync {
    fn steps(&self, params: &str) -> Result<Vec<Box<dyn Step>>, serde_json::Error>;
    async fn ended(&self, tx: &mut Tx, cx: &Cx, ended: AnyEnded<'_>) -> Result<(), StorageError>;
}

#[async_trait]
impl<S: Saga> AnySaga for S {
    fn steps(&self, params: &str) -> Result<Vec<Box<dyn Step>>, serde_json::Error> {
        Ok(Saga::steps(self, &serde_json::from_str(params)?))
    }

    async fn ended(&self, tx: &mut Tx, cx: &Cx, ended: AnyEnded<'_>) -> Result<(), StorageError> {
        let params: S::Params = serde_json::from_str(ended.params).map_err(|error| {
            StorageError::inconsistent("saga", "params", ended.saga.as_str(), error)
        })?;
        let typed = Ended {
            saga: ended.saga,
            subject: ended.subject,
            params: &params,
            end: ended.end,
            reason: ended.reason,
            outputs: ended.outputs,
        };
        Saga::ended(self, tx, cx, &typed).await
    }
}

/// The sagas of a program, by kind and version. Built once, in the wiring.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<(&'static str, i64), Arc<dyn AnySaga>>);

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more saga, or one more version of one.
    #[must_use]
    pub fn with<S: Saga>(mut self, saga: S) -> Self {
        self.0.insert((S::KIND, S::VERSION), Arc::new(saga));
        self
    }

    pub(super) fn get(&self, kind: &str, version: i64) -> Option<Arc<dyn AnySaga>> {
        self.0
            .iter()
            .find(|((known, number), _)| *known == kind && *number == version)
            .map(|(_, saga)| saga.clone())
    }
}
