//! What an open page may hear about. It hears only *that* something changed and asks again, by the
//! same function and the same authorization as before.
//!
//! | a page's word            | it hears of                                              | who may       |
//! | ---                      | ---                                                      | ---           |
//! | `viewer`, `todo`         | `user:<own id>`                                          | everybody     |
//! | `request:<id or number>` | `request:<id>`                                           | who reads it  |
//! | `requests`               | `user:<own id>`, `unit:<id>` of units whose requests one reads | readers |
//! | `resource:<id>`          | `unit:<id>` of its unit                                  | who reads it  |
//! | `resources`, `quota`     | `unit:<id>` of units whose resources one reads           | readers       |
//! | `usage`                  | `usage`: a day was taken in                              | readers       |
//! | `jobs`                   | everything                                               | operators     |
//!
//! Every other word, and one that the caller may not hear, is silent.

use std::collections::BTreeSet;

use lingbao_model::time::Timestamp;

use super::notice;
use crate::{
    app::{App, Cx},
    authz::{Ability, Access},
    error::{ServiceError, StorageError},
    storage::{change, live, session},
};

/// How many changes one look takes.
const BATCH: i64 = 1_000;

/// A page's word with what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The word, as the page wrote it.
    pub word: String,
    topics: Topics,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Topics {
    Everything,
    These(BTreeSet<String>),
}

impl Watch {
    /// Whether a change of a topic is news for the word.
    #[must_use]
    pub fn hears(&self, topic: &str) -> bool {
        match &self.topics {
            Topics::Everything => true,
            Topics::These(these) => these.contains(topic),
        }
    }
}

/// Turns a page's words into what the caller may hear; those that are not for them are left out.
///
/// # Errors
/// [`ServiceError::Unauthenticated`] if nobody is signed in.
pub async fn watches(cx: &Cx, words: &[String]) -> Result<Vec<Watch>, ServiceError> {
    let mut rx = cx.db().read().await?;
    let access = Access::load(&mut rx, cx).await?;
    let own = notice::topic(&access.user);
    let mut watches = Vec::new();
    for word in words {
        let (noun, id) = word.split_once(':').unwrap_or((word.as_str(), ""));
        let mut these = BTreeSet::new();
        match noun {
            "viewer" | "todo" => {
                these.insert(own.clone());
            }
            "request" => {
                let scope = access.scope(Ability::ReadRequests);
                let found = live::request(&mut rx, &scope, id).await?;
                these.extend(found.map(|id| format!("request:{id}")));
            }
            "resource" => {
                let scope = access.scope(Ability::ReadResources);
                let found = live::unit_of_resource(&mut rx, &scope, id).await?;
                these.extend(found.map(|id| format!("unit:{id}")));
            }
            "requests" | "resources" | "quota" => {
                let ability = match noun {
                    "requests" => Ability::ReadRequests,
                    "resources" => Ability::ReadResources,
                    _ => Ability::ReadQuota,
                };
                let units = live::units(&mut rx, &access.scope(ability)).await?;
                these.extend(units.into_iter().map(|id| format!("unit:{id}")));
                if noun == "requests" {
                    these.insert(own.clone());
                }
            }
            "usage" if access.has(Ability::ReadResources) => {
                these.insert("usage".to_owned());
            }
            "jobs" if access.has(Ability::Operate) => {
                watches.push(Watch {
                    word: word.clone(),
                    topics: Topics::Everything,
                });
            }
            _ => {}
        }
        if !these.is_empty() {
            watches.push(Watch {
                word: word.clone(),
                topics: Topics::These(these),
            });
        }
    }
    Ok(watches)
}

/// What changed at or after a moment, `(id, topic)`, for the one look of a process.
///
/// # Errors
/// What the database says.
pub async fn changes(app: &App, from: Timestamp) -> Result<Vec<(String, String)>, StorageError> {
    let mut rx = app.db.read().await?;
    change::since(&mut rx, from, BATCH).await
}

/// Whether a session is still open.
///
/// # Errors
/// What the database says.
pub async fn session_lives(app: &App, digest: &str) -> Result<bool, StorageError> {
    let mut rx = app.db.read().await?;
    Ok(session::get(&mut rx, digest, app.clock.now())
        .await?
        .is_some())
}
