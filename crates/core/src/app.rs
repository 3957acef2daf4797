//! [`App`], what the whole process shares, and [`Cx`], what one act is given.
//!
//! A use case takes `&Cx` and nothing else of the surroundings: database, time, chance, who acts.
//! What it needs of time it takes from `cx.now()`, which stands still during one act, so that all
//! rows of one act carry one moment.
use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use lingbao_backends::Backends;
use lingbao_model::{
    id::{Id, SiteCode, UserId},
    resource::{KEEP_DAYS, MOST_KEEP_DAYS},
    time::Timestamp,
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tokio::sync::Notify;

use crate::{
    clock::{Clock, SystemClock},
    crypto::{Crypto, Passwords},
    idempotency::IdempotencyKey,
    storage::Db,
    usage::Metering,
};

/// What the whole process shares. Built once, handed around as `Arc<App>`.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The clock; a use case reads [`Cx::now`] instead.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Random,
    /// Which city's portal this is: part of every id and request number.
    pub site: SiteCode,
    /// Hashing, signing and wrapping.
    pub crypto: Arc<dyn Crypto>,
    /// Hashing of passwords, at most two at once.
    pub passwords: Passwords,
    /// Rings when a job of this process was committed, so that the worker need not wait for its
    /// next look.
    pub job_bell: Arc<Notify>,
    /// The clouds, for the few questions whose answers are kept nowhere (a console). Whatever
    /// changes something in a cloud is a step of a saga.
    pub backends: Arc<Backends>,
    /// How many days what is given back lies in the recycle bin; 0: it is erased at once.
    pub keep_days: i64,
    /// Whom to call, with hours, as the configuration says; empty if it says nothing.
    pub phone: String,
    /// What measures the hosts; `None` if the configuration names nothing.
    pub usage: Option<Arc<Metering>>,
}

impl App {
    /// An application in production: the operating system's clock and entropy.
    #[must_use]
    pub fn new(db: Db, site: SiteCode, crypto: Arc<dyn Crypto>) -> Self {
        Self::with(db, site, crypto, Arc::new(SystemClock), Random::from_os())
    }

    /// An application with a clock and a generator of one's own.
    #[must_use]
    pub fn with(
        db: Db,
        site: SiteCode,
        crypto: Arc<dyn Crypto>,
        clock: Arc<dyn Clock>,
        random: Random,
    ) -> Self {
        Self {
            db,
            clock,
            random,
            site,
            crypto,
            passwords: Passwords::default(),
            job_bell: Arc::default(),
            backends: Arc::default(),
            keep_days: KEEP_DAYS,
            phone: String::new(),
            usage: None,
        }
    }

    /// The same with clouds to ask.
    #[must_use]
    pub fn with_backends(mut self, backends: Arc<Backends>) -> Self {
        self.backends = backends;
        self
    }

    /// The same with another time in the recycle bin.
    #[must_use]
    pub fn with_keep_days(mut self, days: i64) -> Self {
        self.keep_days = days.clamp(0, MOST_KEEP_DAYS);
        self
    }

    /// The same with a telephone for help.
    #[must_use]
    pub fn with_phone(mut self, phone: &str) -> Self {
        phone.trim().clone_into(&mut self.phone);
        self
    }

    /// The same with something that measures the hosts.
    #[must_use]
    pub fn with_usage(mut self, usage: Option<Arc<Metering>>) -> Self {
        self.usage = usage;
        self
    }

    /// A fresh id of any kind.
    #[must_use]
    pub fn id<T: Id>(&self) -> T {
        T::generate(&self.site, self.clock.now(), self.random.bits())
    }

    /// The surroundings of an act of the program itself.
    #[must_use]
    pub fn system(self: &Arc<Self>) -> Cx {
        Cx::new(self.clone(), Actor::System)
    }
}

/// A generator behind a mutex: seeded by the operating system, in tests by a number.
pub struct Random(Mutex<ChaCha20Rng>);

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}

impl Random {
    /// Seeded by the operating system.
    #[must_use]
    pub fn from_os() -> Self {
        Self(Mutex::new(ChaCha20Rng::from_os_rng()))
    }

    /// Repeatable, for tests.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }

    /// Runs `f` on the generator.
    pub fn with<T>(&self, f: impl FnOnce(&mut ChaCha20Rng) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// 128 random bits.
    #[must_use]
    pub fn bits(&self) -> u128 {
        self.with(|rng| (u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64()))
    }

    /// So many random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|rng| rng.fill_bytes(&mut bytes));
        bytes
    }

    /// A number from 0 to `bound` - 1; 0 if `bound` is 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        // The bias of a remainder of 64 bits is far below anything that could matter to jitter.
        if bound == 0 {
            0
        } else {
            self.with(RngCore::next_u64) % bound
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The program itself: jobs, sagas, reconcilers.
    System,
    /// A person, signed in or by a token. What the person may do is `authz`'s to load.
    User(UserId),
    /// Nobody yet: sign-in and public pages.
    Anonymous,
}

impl Actor {
    /// The user, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::System | Self::Anonymous => None,
        }
    }

    /// As it stands in the audit trail: `system`, `anonymous`, or the user's id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Anonymous => "anonymous",
            Self::User(id) => id.as_str(),
        }
    }
}

/// The surroundings of one act.
#[derive(Debug, Clone)]
pub struct Cx {
    /// What the process shares.
    pub app: Arc<App>,
    /// Who acts.
    pub actor: Actor,
    /// Joins the user's message, the log and the audit trail.
    pub request_id: Option<String>,
    /// The caller's address, after the trusted proxies.
    pub ip: Option<IpAddr>,
    /// Digest of the session's id, for the audit trail.
    pub session: Option<String>,
    /// Of a REST request that carried one, or of a form that makes something.
    pub idempotency: Option<IdempotencyKey>,
    now: Timestamp,
}

impl Cx {
    /// The surroundings of an act by `actor`, now.
    #[must_use]
    pub fn new(app: Arc<App>, actor: Actor) -> Self {
        let now = app.clock.now();
        Self {
            app,
            actor,
            request_id: None,
            ip: None,
            session: None,
            idempotency: None,
            now,
        }
    }

    /// With the id of the HTTP request.
    #[must_use]
    pub fn with_request(mut self, id: impl Into<String>, ip: Option<IpAddr>) -> Self {
        self.request_id = Some(id.into());
        self.ip = ip;
        self
    }

    /// The same surroundings with another actor.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self {
            actor,
            ..self.clone()
        }
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.app.db
    }

    /// The moment of this act.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A fresh id of any kind, made at the moment of this act.
    #[must_use]
    pub fn id<T: Id>(&self) -> T {
        T::generate(&self.app.site, self.now, self.app.random.bits())
    }
}
