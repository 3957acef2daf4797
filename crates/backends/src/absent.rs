//! A backend that the configuration no longer names: it never answers. What stands on it waits for
//! an operator to mend the configuration, with all its steps in their places.
use async_trait::async_trait;

use crate::provisioning::{
    Call, Capabilities, Capacity, ExternalId, Kind, LackingNetwork, Object, OperationId,
    OperationState, Outcome, Page, PollToken, PoolRef, Provisioner, ReadError, Settled, Usage,
};

/// See the module.
#[derive(Debug)]
pub struct Absent(String);

impl Absent {
    /// In the place of the backend of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    fn why(&self) -> String {
        format!("the configuration has no backend called {}", self.0)
    }

    fn unread<T>(&self) -> Result<T, ReadError> {
        Err(ReadError::Unreachable(self.why()))
    }
}

#[async_trait]
impl Provisioner for Absent {
    fn name(&self) -> &str {
        &self.0
    }

    async fn capabilities(&self) -> Result<Capabilities, ReadError> {
        self.unread()
    }

    async fn capacity(&self, _: &PoolRef) -> Result<Capacity, ReadError> {
        self.unread()
    }

    async fn health(&self) -> Result<(), ReadError> {
        self.unread()
    }

    async fn execute(&self, _: &OperationId, _: Call) -> Outcome<Settled> {
        Outcome::Unreachable(self.why())
    }

    async fn poll(&self, _: &PollToken) -> Outcome<Settled> {
        Outcome::Unreachable(self.why())
    }

    async fn get(&self, _: Kind, _: &ExternalId) -> Result<Option<Object>, ReadError> {
        self.unread()
    }

    async fn find_by_operation(&self, _: &OperationId) -> Result<OperationState, ReadError> {
        self.unread()
    }

    async fn cancel(&self, _: &OperationId) -> Outcome<OperationState> {
        Outcome::Unreachable(self.why())
    }

    async fn list(&self, _: Option<&ExternalId>, _: Option<&str>) -> Result<Page, ReadError> {
        self.unread()
    }

    async fn lacking_networks(&self) -> Result<Vec<LackingNetwork>, ReadError> {
        self.unread()
    }

    async fn usage(&self, _: &ExternalId) -> Result<Option<Usage>, ReadError> {
        self.unread()
    }
}
