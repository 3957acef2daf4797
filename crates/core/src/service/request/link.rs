//! Paths of the pages that notices and answers point to.

use lingbao_model::id::{RequestId, StepId};

/// The page of a request.
#[must_use]
pub fn request(id: &RequestId) -> String {
    format!("/requests/{id}")
}

/// The approval card of a step.
#[must_use]
pub fn card(id: &StepId) -> String {
    format!("/todo/{id}")
}

/// The cart.
#[must_use]
pub fn cart(id: &RequestId) -> String {
    format!("/cart/{id}")
}
