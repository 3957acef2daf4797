//! How an operation travels in the cloud's objects, and what this process remembers of operations.
use std::{
    collections::{HashMap, VecDeque},
    fmt::Write,
    sync::{Arc, Mutex, Weak},
};

use sha2::{Digest, Sha256};

use super::client::lock;
use crate::{
    Clock,
    provisioning::{ExternalId, Kind, OperationId, Refusal, RefusalReason},
};

/// Tag of everything the portal makes.
pub(super) const MARK: &str = "lingbao";
/// Tag of what is set up to the end.
pub(super) const READY: &str = "lingbao-ready";
/// Begins the tag of an operation.
pub(super) const TAG: &str = "lingbao-op-";
/// Entry of the metadata that holds the operation.
pub(super) const META_OP: &str = "lingbao_op";
/// Begins every entry of the metadata that is the backend's own.
pub(super) const META: &str = "lingbao_";

/// The longest operation id that fits into every place.
const LONGEST: usize = 120;

/// Hexadecimal digits of a hash.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The tag by which an operation's object is found with one filtered request. Nova takes 60 letters
/// and neither `/` nor `,`: hence a hash. The operation itself stands in the metadata.
pub(super) fn tag(op: &OperationId) -> String {
    let mut hash = hex(&Sha256::digest(op.as_str()));
    hash.truncate(32);
    format!("{TAG}{hash}")
}

/// Sixteen digits that tell two orders under one operation apart.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = hex(&Sha256::digest(parts.join("\n")));
    hash.truncate(16);
    hash
}

/// Whether an operation id fits into the cloud's fields.
pub(super) fn check(op: &OperationId) -> Result<(), Refusal> {
    let fits = (1..=LONGEST).contains(&op.0.len()) && !op.0.contains(char::is_whitespace);
    if fits {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalReason::InvalidSpec,
        format!("an operation id has 1 to {LONGEST} letters without spaces"),
    ))
}

/// The description that carries an operation where there is no metadata.
pub(super) fn describe(op: &OperationId) -> String {
    format!("{MARK}:{op}")
}

/// The operation of a description; empty if somebody else wrote it.
pub(super) fn described(description: &str) -> OperationId {
    let rest = description.strip_prefix("lingbao:").unwrap_or_default();
    OperationId(rest.split(' ').next().unwrap_or_default().to_owned())
}

/// What an operation has made.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub kind: Kind,
    pub id: ExternalId,
}

/// An act on something that is there already.
#[derive(Debug, Clone)]
pub(super) struct Acted {
    /// What tells it from another act.
    pub digest: String,
    /// Whether it is over and done.
    pub done: bool,
}

/// The last so many things, by name.
struct Recent<V> {
    by_name: HashMap<OperationId, V>,
    order: VecDeque<OperationId>,
    most: usize,
}

impl<V: Clone> Recent<V> {
    fn new(most: usize) -> Self {
        Self {
            by_name: HashMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    fn put(&mut self, op: &OperationId, value: V) {
        if self.by_name.insert(op.clone(), value).is_some() {
            return;
        }
        self.order.push_back(op.clone());
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.by_name.remove(&oldest);
            }
        }
    }

    fn get(&self, op: &OperationId) -> Option<V> {
        self.by_name.get(op).cloned()
    }

    fn forget(&mut self, op: &OperationId) {
        if self.by_name.remove(op).is_some() {
            self.order.retain(|it| it != op);
        }
    }
}

/// What an unfinished building looked like.
#[derive(Clone)]
struct Seen {
    /// What is another as soon as something goes on.
    mark: String,
    /// Since when it has been so, and when it was looked at last.
    since: i64,
    last: i64,
}

/// Whoever was not looked at for so many milliseconds, because nobody asked or the cloud was away, is
/// waited for from the beginning.
const LOOKED_AWAY: i64 = 120_000;

/// What this process knows of operations, and the cloud does not: which were cancelled, what was
/// made and is gone again, what of it fell with a service of the cloud or stands still, which acts are
/// over, whose answer was lost a moment ago. Other processes don't know it; that is why the portal's sweep
/// looks again.
pub(super) struct Memory {
    cancelled: Mutex<Recent<()>>,
    made: Mutex<Recent<Made>>,
    fallen: Mutex<Recent<Vec<ExternalId>>>,
    excused: Mutex<Recent<ExternalId>>,
    seen: Mutex<Recent<Seen>>,
    acted: Mutex<Recent<Acted>>,
    doubts: Mutex<Recent<i64>>,
    turns: Mutex<HashMap<OperationId, Weak<tokio::sync::Mutex<()>>>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            cancelled: Mutex::new(Recent::new(100_000)),
            made: Mutex::new(Recent::new(100_000)),
            fallen: Mutex::new(Recent::new(10_000)),
            excused: Mutex::new(Recent::new(10_000)),
            seen: Mutex::new(Recent::new(10_000)),
            acted: Mutex::new(Recent::new(100_000)),
            doubts: Mutex::new(Recent::new(10_000)),
            turns: Mutex::default(),
        }
    }
}

impl Memory {
    /// The turn of an operation: its calls come one after the other.
    pub fn turn(&self, op: &OperationId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = lock(&self.turns);
        if let Some(turn) = turns.get(op).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        turns.insert(op.clone(), Arc::downgrade(&turn));
        turn
    }

    /// The turn of a network's key in a project, whatever the operations. No operation id has spaces.
    pub fn network_turn(&self, project: &ExternalId, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.turn(&OperationId(format!("net {project} {key}")))
    }

    /// The turn of a preset's group in a project.
    pub fn group_turn(&self, project: &ExternalId, preset: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.turn(&OperationId(format!("group {project} {preset}")))
    }

    /// Nothing may come of it any more.
    pub fn cancel(&self, op: &OperationId) {
        lock(&self.cancelled).put(op, ());
    }

    /// Whether it was cancelled here.
    pub fn is_cancelled(&self, op: &OperationId) -> bool {
        lock(&self.cancelled).get(op).is_some()
    }

    /// It has made something.
    pub fn made(&self, op: &OperationId, kind: Kind, id: &ExternalId) {
        lock(&self.made).put(
            op,
            Made {
                kind,
                id: id.clone(),
            },
        );
    }

    /// What it has made, gone or not.
    pub fn what(&self, op: &OperationId) -> Option<Made> {
        lock(&self.made).get(op)
    }

    /// How often its building fell with a service of the cloud, this server among them.
    pub fn falls(&self, op: &OperationId, id: &ExternalId) -> usize {
        let fallen = lock(&self.fallen).get(op).unwrap_or_default();
        let before = fallen.iter().filter(|it| *it != id).count();
        before + 1
    }

    /// What it made fell and is taken away: the operation may make it anew.
    pub fn fell(&self, op: &OperationId, id: &ExternalId) {
        let mut all = lock(&self.fallen);
        let mut fallen = all.get(op).unwrap_or_default();
        if !fallen.contains(id) {
            fallen.push(id.clone());
            all.put(op, fallen);
        }
        lock(&self.made).forget(op);
    }

    /// Whether this is one that it made, that fell and that is being taken away.
    pub fn is_given_up(&self, op: &OperationId, id: &ExternalId) -> bool {
        let fallen = lock(&self.fallen).get(op).unwrap_or_default();
        fallen.contains(id)
    }

    /// This one fell while a service was down: that stays true when the service is back.
    pub fn excuse(&self, op: &OperationId, id: &ExternalId) {
        lock(&self.excused).put(op, id.clone());
    }

    /// Whether this one fell while a service was down.
    pub fn is_excused(&self, op: &OperationId, id: &ExternalId) -> bool {
        lock(&self.excused).get(op).as_ref() == Some(id)
    }

    /// For how many milliseconds what it builds has looked like this.
    pub fn unchanged(&self, op: &OperationId, mark: String, now: i64) -> i64 {
        let mut all = lock(&self.seen);
        let before = all.get(op).filter(|it| {
            let looked_away = now.saturating_sub(it.last) > LOOKED_AWAY;
            it.mark == mark && !looked_away
        });
        let since = before.map_or(now, |it| it.since);
        let last = now;
        all.put(op, Seen { mark, since, last });
        now.saturating_sub(since)
    }

    /// It acts on something.
    pub fn act(&self, op: &OperationId, act: Acted) {
        lock(&self.acted).put(op, act);
    }

    /// How it has acted, if it has.
    pub fn acted(&self, op: &OperationId) -> Option<Acted> {
        lock(&self.acted).get(op)
    }

    /// From now on an answer may be lost: by an error, or because nobody waits for it any more.
    pub fn in_doubt<'a>(&'a self, op: &'a OperationId, clock: &'a dyn Clock) -> Doubt<'a> {
        Doubt {
            memory: self,
            clock,
            op,
            known: false,
        }
    }

    /// An answer was lost at this moment.
    pub fn doubt(&self, op: &OperationId, now: i64) {
        lock(&self.doubts).put(op, now);
    }

    /// How many milliseconds must still pass before anything may be made anew.
    pub fn settling(&self, op: &OperationId, now: i64, settle_ms: u64) -> Option<u64> {
        let since = lock(&self.doubts).get(op)?;
        let passed = u64::try_from(now.saturating_sub(since)).unwrap_or(0);
        settle_ms.checked_sub(passed).filter(|left| *left > 0)
    }

    /// The same of an operation that the cloud has taken and seems to have laid down: from the first
    /// time on that it was seen like this.
    pub fn resting(&self, op: &OperationId, now: i64, settle_ms: u64) -> Option<u64> {
        // No operation id has spaces.
        let key = OperationId(format!("rests {op}"));
        if lock(&self.doubts).get(&key).is_none() {
            self.doubt(&key, now);
        }
        self.settling(&key, now, settle_ms)
    }
}

/// Leaves a doubt when it is dropped before the answer is known: a future that is dropped half-way
/// has sent what it has sent.
pub(super) struct Doubt<'a> {
    memory: &'a Memory,
    clock: &'a dyn Clock,
    op: &'a OperationId,
    known: bool,
}

impl Doubt<'_> {
    /// The answer came, whatever it says.
    pub fn known(mut self) {
        self.known = true;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if !self.known {
            self.memory.doubt(self.op, self.clock.now().millis());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_fits_into_every_service() {
        let tag = tag(&"itm_nb01JABCDEFGHJKMNPQRSTVWXYZ:0:server/x,y".into());
        assert!(tag.len() <= 60 && !tag.contains(['/', ',']), "{tag}");
    }

    #[test]
    fn a_description_gives_its_operation_back() {
        assert_eq!(described(&describe(&"a:0:b".into())), "a:0:b".into());
        assert_eq!(described("lingbao:op key:k cidr:10.0.0.0/8"), "op".into());
        assert_eq!(described("made by hand"), "".into());
    }

    #[test]
    fn after_a_lost_answer_nothing_is_made_for_a_while() {
        let (memory, op) = (Memory::default(), OperationId::from("a"));
        assert_eq!(memory.settling(&op, 0, 10_000), None);
        memory.doubt(&op, 1_000);
        assert_eq!(memory.settling(&op, 4_000, 10_000), Some(7_000));
        assert_eq!(memory.settling(&op, 11_000, 10_000), None);
    }

    #[test]
    fn what_was_not_looked_at_has_not_stood_still() {
        let (memory, op) = (Memory::default(), OperationId::from("a"));
        let look = |mark: &str, now| memory.unchanged(&op, mark.to_owned(), now);
        assert_eq!((look("x", 0), look("x", 60_000)), (0, 60_000));
        assert_eq!((look("y", 90_000), look("y", 150_000)), (0, 60_000));
        // The cloud was away, or nobody asked.
        assert_eq!((look("y", 300_000), look("y", 330_000)), (0, 30_000));
    }

    #[test]
    fn only_so_much_is_remembered() {
        let mut recent = Recent::new(2);
        for op in ["a", "b", "a", "c"] {
            recent.put(&op.into(), ());
        }
        assert!(recent.get(&"a".into()).is_none() && recent.get(&"c".into()).is_some());
    }
}
