//! Room in the pools is held from the last approval on, on both engines, against a small simulated
//! cloud that is read as in the field.

use std::sync::Arc;

use lingbao_backends::{
    Backends,
    provisioning::{
        CallKind, RefusalReason,
        simulator::{Fault, Latency, On, Simulator, What as Failure},
    },
};
use lingbao_model::{
    change::What,
    id::{PoolId, RequestId, UserId},
    msg::{Arg, Msg},
    quota::{PoolDimension, Room},
    request::{Decision, Status},
    time::MINUTE_MS,
    view::{
        overview::PoolLoad,
        request::{CardView, ChangeForm},
        resource::ResourceFilter,
    },
};

use super::day_two_tests::key;
use crate::{
    clock::Clock as _,
    error::ServiceError,
    jobs::{Registry, run_until_idle},
    seed,
    service::{
        approval, cart,
        request::{change, detail, fixture::City, submit},
        resource,
    },
    storage::{
        place::{self, PoolFigure},
        quota, room,
    },
};

/// Cores of the ordinary pool.
const CORES: i64 = 20;

/// A city whose ordinary pool has [`CORES`] cores and plenty of everything else.
struct Small {
    city: City,
    cloud: Simulator,
    jobs: Arc<Registry>,
}

impl Small {
    /// One on each engine, its cloud read a second ago.
    async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for mut city in City::all().await {
            let told = city.app.clock.clone();
            let mut config = seed::cloud(None, 7, Latency::default());
            let ordinary = &mut config.pools[0];
            ordinary.hosts = 1;
            ordinary.host_vcpus = u32::try_from(CORES).unwrap();
            ordinary.overcommit_percent = 100;
            let cloud = Simulator::open("simulator", config, move || told.now()).unwrap();
            let backends = Arc::new(Backends::default().with(cloud.clone()));
            city.app = city.app.clone().with_backends(backends.clone());
            let jobs = Arc::new(super::wire(Registry::new(), &backends));
            let small = Self { city, cloud, jobs };
            small.read().await;
            all.push(small);
        }
        all
    }

    async fn run(&self) {
        run_until_idle(&self.city.app.app, &self.jobs)
            .await
            .unwrap();
    }

    /// The next minute comes, and with it the next reading.
    async fn read(&self) {
        self.city.app.clock.advance_ms(MINUTE_MS);
        self.run().await;
        self.city.app.clock.advance_ms(1_000);
    }

    /// The cores of the ordinary pool.
    async fn cores(&self) -> PoolLoad {
        let mut rx = self.city.app.db.read().await.unwrap();
        let loads = room::loads(&mut rx).await.unwrap();
        let mut loads = loads.into_iter();
        let wanted =
            |it: &PoolLoad| it.pool == self.city.pool && it.dimension == PoolDimension::Vcpu;
        loads.find(wanted).unwrap()
    }

    /// Allocated as the cloud said, and held.
    async fn taken(&self) -> (i64, i64) {
        let cores = self.cores().await;
        (cores.allocated, cores.held)
    }

    /// A request for so many hosts of four cores that waits for its approvers.
    async fn waiting(&self, hosts: i64) -> RequestId {
        let view = self.city.cart(hosts).await;
        let made = self.city.submit(&view).await.unwrap();
        assert_eq!(made.status, Status::InApproval);
        made.request
    }

    async fn status(&self, request: &RequestId) -> Status {
        let cx = self.city.cx(&self.city.clerk);
        detail::detail(&cx, request).await.unwrap().row.status
    }

    fn refuses_hosts(&self, times: u32) {
        self.cloud.inject(Fault {
            on: On::Call(CallKind::CreateServer),
            what: Failure::Refuse(RefusalReason::NoCapacity),
            skip: 0,
            times: Some(times),
        });
    }
}

/// The card of a request on the desk of a signer, if it lies there.
async fn card(city: &City, signer: &UserId, request: &RequestId) -> Option<CardView> {
    let cx = city.cx(signer);
    let page = approval::todos(&cx, None, 50).await.unwrap();
    let row = page.rows.into_iter().find(|row| row.request == *request)?;
    Some(approval::card(&cx, &row.step).await.unwrap())
}

/// Everybody who is asked agrees, as far as they can.
async fn approve(city: &City, request: &RequestId) -> Result<(), ServiceError> {
    for signer in [&city.leader, &city.office, &city.security, &city.finance] {
        if let Some(card) = card(city, signer, request).await {
            city.decide_on(signer, &card, Decision::Approve).await?;
        }
    }
    Ok(())
}

/// The flags of the card on whatever desk the request lies, about room.
async fn flags(city: &City, request: &RequestId) -> Vec<Msg> {
    for signer in [&city.leader, &city.office, &city.security, &city.finance] {
        if let Some(card) = card(city, signer, request).await {
            let flags = card.flags.into_iter();
            let about_room =
                |it: &Msg| it.key == "card.flag.no_room" || it.key == "verdict.capacity";
            return flags.filter(about_room).collect();
        }
    }
    panic!("it lies on no desk");
}

fn argument(msg: &Msg, name: &str) -> Option<Arg> {
    let mut args = msg.args.iter();
    args.find(|(key, _)| key == name)
        .map(|(_, arg)| arg.clone())
}

/// Pool, dimension, asked and left.
fn assert_numbers(msg: &Msg, asked: i64, left: i64) {
    let Some(Arg::Label(pool)) = argument(msg, "pool") else {
        panic!("{msg:?}");
    };
    assert!(!pool.zh.is_empty(), "{msg:?}");
    let cores = Arg::from(Msg::new("dimension.vcpu"));
    assert_eq!(argument(msg, "dimension"), Some(cores), "{msg:?}");
    let numbers = (argument(msg, "asked"), argument(msg, "left"));
    let wanted = (Some(Arg::from(asked)), Some(Arg::from(left)));
    assert_eq!(numbers, wanted, "{msg:?}");
}

fn no_room(result: Result<(), ServiceError>) -> Msg {
    match result {
        Err(ServiceError::Conflict(msg)) if msg.key == "approval.no_room" => msg,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_two_that_each_fit_alone_the_second_is_approved_when_the_first_gives_its_room_back() {
    for small in Small::all().await {
        let city = &small.city;
        let (first, second) = (small.waiting(3).await, small.waiting(3).await);
        assert_eq!(small.taken().await, (0, 0), "what waits holds nothing");
        assert_eq!(flags(city, &second).await, []);
        approve(city, &first).await.unwrap();
        assert_eq!(small.taken().await, (0, 12));
        // Whoever submits now is warned with what is left.
        let warned = city.cart(3).await.verdict.warns;
        let warned: Vec<&Msg> = warned
            .iter()
            .filter(|it| it.key == "verdict.capacity")
            .collect();
        assert_numbers(warned[0], 12, 8);
        let said = flags(city, &second).await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0].key, "card.flag.no_room");
        assert_numbers(&said[0], 12, 8);
        assert_numbers(&no_room(approve(city, &second).await), 12, 8);
        // Nothing is lost by it: the request stands where it stood, on the same desk.
        assert_eq!(small.status(&second).await, Status::InApproval);
        assert_numbers(&no_room(approve(city, &second).await), 12, 8);
        assert_eq!(small.taken().await, (0, 12));
        // The cloud makes nothing of the first one.
        small.refuses_hosts(3);
        small.run().await;
        assert_eq!(small.taken().await, (0, 0));
        assert_eq!(flags(city, &second).await, []);
        approve(city, &second).await.unwrap();
        assert_eq!(small.status(&second).await, Status::Approved);
        assert_eq!(small.taken().await, (0, 12));
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn what_failed_in_part_holds_what_was_delivered() {
    for small in Small::all().await {
        let request = small.waiting(3).await;
        approve(&small.city, &request).await.unwrap();
        small.refuses_hosts(1);
        small.run().await;
        assert_eq!(small.taken().await, (0, 8));
        small.read().await;
        assert_eq!(small.taken().await, (8, 0));
    }
}

#[tokio::test]
async fn a_delivery_is_held_until_its_pool_was_read_after_it_and_counts_once() {
    for small in Small::all().await {
        let request = small.waiting(3).await;
        approve(&small.city, &request).await.unwrap();
        small.run().await;
        assert_eq!(small.status(&request).await, Status::Delivered);
        // The reading is older than the delivery.
        assert_eq!(small.taken().await, (0, 12));
        assert_eq!(small.cores().await.left(), 8);
        small.read().await;
        assert_eq!(small.taken().await, (12, 0));
        let more = small.waiting(2).await;
        approve(&small.city, &more).await.unwrap();
        assert_eq!(small.cores().await.left(), 0);
    }
}

#[tokio::test]
async fn what_is_rejected_returned_or_taken_back_never_held_anything() {
    for small in Small::all().await {
        let city = &small.city;
        for decision in [Decision::Reject, Decision::Return] {
            let request = small.waiting(3).await;
            let desk = card(city, &city.leader, &request).await.unwrap();
            city.decide_on(&city.leader, &desk, decision).await.unwrap();
            assert_eq!(small.taken().await, (0, 0));
        }
    }
}

#[tokio::test]
async fn of_two_approvals_at_one_instant_only_one_takes_the_last_room() {
    for small in Small::all().await {
        let city = &small.city;
        let (one, other) = (small.waiting(3).await, small.waiting(3).await);
        let ended = tokio::join!(approve(city, &one), approve(city, &other));
        let refused = match ended {
            (Ok(()), Err(error)) | (Err(error), Ok(())) => Err(error),
            both => panic!("{both:?}"),
        };
        assert_numbers(&no_room(refused), 12, 8);
        assert_eq!(small.taken().await, (0, 12));
    }
}

#[tokio::test]
async fn what_nobody_is_asked_about_is_not_submitted_into_a_full_pool_and_the_cart_stays() {
    for small in Small::all().await {
        let city = &small.city;
        // A host for which nobody is asked, judged while there was room.
        let early = city.cart(1).await;
        assert!(early.route.is_empty() && early.verdict.passes());
        let request = small.waiting(5).await;
        approve(city, &request).await.unwrap();
        assert_eq!(small.cores().await.left(), 0);
        assert_eq!(key(city.submit(&early).await), "verdict:verdict.no_room ");
        let cx = city.cx(&city.clerk);
        let seen = cart::open(&cx, &early.id).await.unwrap();
        let [block] = &seen.verdict.blocks[..] else {
            panic!("{:?}", seen.verdict.blocks);
        };
        assert_numbers(block, 4, 0);
        // There is room again: the same cart goes through, and holds it at once.
        small.refuses_hosts(5);
        small.run().await;
        let seen = cart::open(&cx, &early.id).await.unwrap();
        let made = city.submit(&seen).await.unwrap();
        assert_eq!(made.status, Status::Approved);
        assert_eq!(small.taken().await, (0, 4));
    }
}

#[tokio::test]
async fn of_many_small_orders_at_once_exactly_those_that_fit_are_made() {
    for small in Small::all().await {
        let city = &small.city;
        let mut carts = Vec::new();
        for _ in 0..8 {
            carts.push(city.cart(1).await);
        }
        let mut all = tokio::task::JoinSet::new();
        for cart in carts {
            let cx = city.cx(&city.clerk);
            all.spawn(async move {
                submit::submit(&cx, &cart.id, cart.version, None, &cart.form_id).await
            });
        }
        let (mut made, mut refused) = (0, 0);
        while let Some(result) = all.join_next().await {
            match result.unwrap() {
                Ok(_) => made += 1,
                Err(error) => {
                    assert_eq!(key::<()>(Err(error)), "verdict:verdict.no_room ");
                    refused += 1;
                }
            }
        }
        assert_eq!((made, refused), (5, 3));
        assert_eq!(small.taken().await, (0, CORES));
        city.assert_ledger().await;
    }
}

#[tokio::test]
async fn a_host_that_grows_holds_what_it_takes_more() {
    for small in Small::all().await {
        let city = &small.city;
        city.submit(&city.cart(1).await).await.unwrap();
        small.read().await;
        small.read().await;
        assert_eq!(small.taken().await, (4, 0));
        let cx = city.cx(&city.clerk);
        let rows = resource::list(&cx, &ResourceFilter::default()).await;
        let host = rows.unwrap().rows.remove(0).id;
        let size = |vcpus: i64| ChangeForm {
            what: What::Resize,
            typed: [("vcpus", vcpus), ("memory_gb", 8)]
                .map(|(key, n)| (key.to_owned(), n.to_string()))
                .into(),
            reason: "普查高峰".into(),
        };
        let request = small.waiting(3).await;
        approve(city, &request).await.unwrap();
        assert_eq!(small.cores().await.left(), 4);
        let too_large = change::create(&cx, &host, &size(9), "form-too-large").await;
        assert_eq!(key(too_large), "verdict:verdict.no_room ");
        let made = change::create(&cx, &host, &size(8), "form-that-fits").await;
        assert_eq!(made.unwrap().status, Status::Approved);
        assert_eq!(small.taken().await, (4, 16));
        small.run().await;
        assert_eq!(small.taken().await, (4, 16));
        small.read().await;
        assert_eq!(small.taken().await, (20, 0));
    }
}

#[tokio::test]
async fn a_pool_of_which_nothing_was_read_and_a_dimension_that_is_not_told_stop_nobody() {
    for city in City::all().await {
        let request = city.waiting().await;
        let free = async || {
            let mut rx = city.app.db.read().await.unwrap();
            room::free(&mut rx).await.unwrap()
        };
        assert_eq!(free().await, []);
        approve(&city, &request).await.unwrap();
        // The first reading finds the hold of before; disks it does not tell.
        says(&city, &city.pool, 5, None).await;
        let told = free().await;
        let told: Vec<_> = told.into_iter().map(|(_, room)| room).collect();
        let nothing_left = Room([(PoolDimension::Vcpu, 0)].into());
        assert_eq!(told, [nothing_left]);
    }
}

/// The cloud says that a pool has so many cores on some hosts, all free.
async fn says(city: &City, pool: &PoolId, cores: i64, hosts: Option<&str>) {
    let mut tx = city.app.db.begin().await.unwrap();
    let figure = PoolFigure {
        total: cores,
        allocated: 0,
        hosts,
    };
    let now = city.app.clock.now();
    place::save_capacity(&mut tx, pool, PoolDimension::Vcpu, Some(figure), now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn pools_on_the_same_hosts_take_their_room_from_each_other() {
    for city in City::all().await {
        let beside: PoolId = city.cell_three.rsplit('/').next().unwrap().parse().unwrap();
        let request = city.waiting().await;
        let left = async || {
            let mut rx = city.app.db.read().await.unwrap();
            let free = room::free(&mut rx).await.unwrap();
            let mut free = free.into_iter();
            let (_, room) = free.find(|(pool, _)| *pool == beside).unwrap();
            room.0[&PoolDimension::Vcpu]
        };
        says(&city, &city.pool, 20, Some("gov")).await;
        says(&city, &beside, 20, Some("gov")).await;
        assert_eq!(left().await, 20);
        approve(&city, &request).await.unwrap();
        assert_eq!(left().await, 12);
        says(&city, &beside, 20, Some("net")).await;
        assert_eq!(left().await, 20);
        // What is asked for in both at once must fit into the hosts that they share.
        says(&city, &beside, 20, Some("gov")).await;
        let mut rx = city.app.db.read().await.unwrap();
        let mut asked = room::of_request(&mut rx, &request).await.unwrap();
        assert_eq!(room::short(&mut rx, &asked).await.unwrap(), []);
        let same = asked[&city.pool].clone();
        asked.insert(beside.clone(), same);
        let short = room::short(&mut rx, &asked).await.unwrap();
        let short: Vec<_> = short.iter().map(|it| (it.asked, it.left)).collect();
        assert_eq!(short, [(8, 4), (8, 4)]);
        assert_eq!(quota::recount(&mut rx).await.unwrap(), []);
    }
}
