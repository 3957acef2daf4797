//! Submitting a request through the service, against bare transactions that write the same rows
//! with the same durability: what judging, pricing, authorization and reading cost on top.
use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use lingbao_core::{
    Actor, Cx,
    service::{cart, request::submit, system},
    storage::{
        place::{self, PoolFigure},
        quota, vdc,
    },
};
use lingbao_model::{
    id::UserId,
    quota::{Dimension, PoolDimension},
    view::request::{CartView, HeadForm, LineForm},
};
use sqlx::{
    PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Failure,
    city::City,
    replay::{self, Recording},
    rows::Pool,
    times::{Table, Times},
};

const BLOCKS: usize = 20;
/// What a submit must reach of the bare transactions.
const LEAST: f64 = 0.4;
/// More than a run can use.
const PLENTY: i64 = 50_000_000;

/// Measures on SQLite, or on the PostgreSQL of an address; prints a table.
pub async fn run(url: Option<&str>) -> Result<(), Failure> {
    let city = City::load(url).await?;
    let clerk = city.user("clerk").await?;
    let desk = Desk::open(&city, clerk).await?;
    let pool = bare_pool(&city, url).await?;

    // A few before the one that is recorded, so that the day's counter stands there already.
    for _ in 0..3 {
        desk.submit(&desk.draft().await?).await?;
    }
    let tables = pool.tables().await?;
    let cart = desk.draft().await?;
    let mut before = Vec::new();
    for table in &tables {
        before.push(pool.read(table).await?);
    }
    let number = desk.submit(&cart).await?;
    let mut after = Vec::new();
    for table in &tables {
        after.push(pool.read(table).await?);
    }
    let mut known = vec![cart.id.as_str(), cart.form_id.as_str(), number.as_str()];
    known.extend(cart.lines.iter().map(|line| line.line.id.as_str()));
    let recording = Arc::new(Recording::between(&tables, &before, &after, &known));
    println!("a submit writes {}", recording.describe());

    let engine = if url.is_some() {
        "PostgreSQL"
    } else {
        "SQLite"
    };
    let mut table = Table::begin(&format!("submit, {engine}"), LEAST);
    let next = AtomicUsize::new(1);
    // A person keeps twenty drafts at most.
    for (clients, each) in [(1, 16), (16, 1)] {
        let (mut of_ours, mut of_bare) = (Times::default(), Times::default());
        for block in 0..=BLOCKS {
            let mut carts = Vec::new();
            for _ in 0..clients * each {
                carts.push(desk.draft().await?);
            }
            let acts = carts.into_iter().map(|cart| {
                let desk = desk.clone();
                async move { desk.submit(&cart).await.map(|_| ()) }
            });
            let (took, wall) = side_by_side(acts.collect(), clients).await?;
            if block > 0 {
                of_ours.add(took, wall);
            }

            let mut acts = Vec::new();
            for _ in 0..clients * each {
                let n = next.fetch_add(1, Ordering::Relaxed);
                replay::write(&pool, &recording.draft(n)).await?;
                let (pool, statements) = (pool.clone(), recording.submit(n));
                acts.push(async move { replay::write(&pool, &statements).await });
            }
            let (took, wall) = side_by_side(acts, clients).await?;
            if block > 0 {
                of_bare.add(took, wall);
            }
        }
        table.line(&format!("{clients} client(s)"), &of_ours, &of_bare);
    }
    table.end()
}

/// Does all acts, `clients` at a time; how long each took, and all of them.
async fn side_by_side<F>(acts: Vec<F>, clients: usize) -> Result<(Vec<Duration>, Duration), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut hands: Vec<Vec<F>> = (0..clients).map(|_| Vec::new()).collect();
    for (n, act) in acts.into_iter().enumerate() {
        hands[n % clients].push(act);
    }
    let begun = Instant::now();
    let running: Vec<_> = hands
        .into_iter()
        .map(|acts| {
            tokio::spawn(async move {
                let mut took = Vec::with_capacity(acts.len());
                for act in acts {
                    let begun = Instant::now();
                    act.await?;
                    took.push(begun.elapsed());
                }
                Ok::<_, Failure>(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for one in running {
        took.extend(one.await??);
    }
    Ok((took, begun.elapsed()))
}

/// Connections as the portal opens them, for the other side.
async fn bare_pool(city: &City, url: Option<&str>) -> Result<Pool, Failure> {
    if let Some(url) = url {
        let most = city.config.database.max_connections;
        let pool: PgPool = PgPoolOptions::new()
            .max_connections(most)
            .connect(url)
            .await?;
        return Ok(Pool::Postgres(pool));
    }
    let options = SqliteConnectOptions::from_str(&city.config.database.url)?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5));
    let pool: SqlitePool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    Ok(Pool::Sqlite(pool))
}

/// A clerk who orders one host after the other.
#[derive(Clone)]
struct Desk {
    cx: Cx,
    head: HeadForm,
    line: LineForm,
}

impl Desk {
    async fn open(city: &City, clerk: UserId) -> Result<Self, Failure> {
        let cx = Cx::new(city.app.clone(), Actor::User(clerk));
        let systems = system::list(&cx).await?;
        let system = systems.first().ok_or("the clerk has no system")?;
        let mut rx = city.app.db.read().await?;
        let pools = place::pools(&mut rx).await?;
        drop(rx);
        let pool = pools.first().ok_or("no pool")?;
        let typed = [
            ("arch", "general"),
            ("vcpus", "2"),
            ("memory_gb", "4"),
            ("image", "kylin-v10"),
            ("system_disk_gb", "40"),
            ("access", "password"),
        ];
        let desk = Self {
            head: HeadForm {
                system: system.id.to_string(),
                title: "经济普查数据采集".into(),
                reason: "第五次全国经济普查".into(),
                with_quota_change: false,
            },
            line: LineForm {
                item: "C-ECS".into(),
                name: "web".into(),
                count: "1".into(),
                cell: format!("{}/2/{}", pool.zone, pool.id),
                typed: typed.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
                ..LineForm::default()
            },
            cx,
        };
        desk.raise_quota(&system.unit, &pool.id).await?;
        desk.raise_capacity(&pool.id).await?;
        Ok(desk)
    }

    /// Hands so much down to the unit that no submit is refused.
    async fn raise_quota(
        &self,
        unit: &lingbao_model::id::UnitId,
        pool: &lingbao_model::id::PoolId,
    ) -> Result<(), Failure> {
        let mut tx = self.cx.db().begin().await?;
        let own = vdc::of_unit(&mut tx, unit).await?;
        let mut chain = vec![own.into_iter().next().ok_or("no VDC")?.0];
        while let Some(above) = vdc::parent(&mut tx, &chain[chain.len() - 1]).await? {
            chain.push(above);
        }
        for dimension in Dimension::ALL {
            let mut above = None;
            for (depth, at) in chain.iter().rev().enumerate() {
                let operation = format!("bench:{dimension:?}:{depth}");
                match above {
                    None => {
                        let account = quota::account(&mut tx, at).await?;
                        let limit = account.standing(pool, *dimension).limit + PLENTY;
                        quota::set_limit(
                            &mut tx, &self.cx, &operation, at, pool, *dimension, limit,
                        )
                        .await?;
                    }
                    Some(from) => {
                        let both = (from, at);
                        let fits = quota::hand(
                            &mut tx, &self.cx, &operation, both, pool, *dimension, PLENTY,
                        )
                        .await?;
                        if !fits {
                            return Err("the quota could not be raised".into());
                        }
                    }
                }
                above = Some(at);
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Nobody builds what is submitted here: it would fill the pool.
    async fn raise_capacity(&self, pool: &lingbao_model::id::PoolId) -> Result<(), Failure> {
        let mut tx = self.cx.db().begin().await?;
        let plenty = PoolFigure {
            total: PLENTY,
            allocated: 0,
            hosts: None,
        };
        for dimension in PoolDimension::ALL {
            let at = self.cx.now();
            place::save_capacity(&mut tx, pool, *dimension, Some(plenty), at).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A request of one host that is ready to be submitted.
    async fn draft(&self) -> Result<CartView, Failure> {
        let id = cart::create(&self.cx).await?;
        let version = cart::save_head(&self.cx, &id, 1, &self.head).await?;
        cart::put_line(&self.cx, &id, version, None, &self.line).await?;
        Ok(cart::open(&self.cx, &id).await?)
    }

    /// Submits it; gives its number.
    async fn submit(&self, cart: &CartView) -> Result<String, Failure> {
        let done = submit::submit(&self.cx, &cart.id, cart.version, None, &cart.form_id).await?;
        Ok(done.number)
    }
}
