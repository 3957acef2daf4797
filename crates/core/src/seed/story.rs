//! Half a year of a demo city: every system orders once, and today some requests are on their way.

use std::{collections::BTreeMap, sync::Arc};

use lingbao_model::{
    id::{PoolId, RequestId, RequestItemId, StepId, SystemId, UnitId, UserId},
    people::Role,
    placement::{Level, Pool},
    quota::Dimension,
    request::Decision,
    time::{DAY_MS, Timestamp},
    view::{
        request::{HeadForm, LineForm},
        system::SystemForm,
    },
};

use super::{
    City,
    orders::{Order, Want, order_of},
    people::People,
};
use crate::{
    app::{Actor, App, Cx},
    clock::{Clock, MockClock},
    error::{OrNotFound, ServiceError},
    fulfil::upkeep::ReadCapacity,
    jobs::{self, Registry},
    service::{approval, cart, catalogue, request, system},
    storage::{fulfilment, place, quota, step, user as users},
};

/// How many days before today the story begins.
pub const DAYS: i64 = 160;

struct Stage<'a> {
    app: &'a Arc<App>,
    jobs: &'a Arc<Registry>,
    people: &'a People,
    pools: Vec<Pool>,
    pool_names: BTreeMap<String, PoolId>,
}

pub async fn play(
    app: &Arc<App>,
    clock: &MockClock,
    jobs: &Arc<Registry>,
    city: &City,
    people: &People,
    end: i64,
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), ServiceError> {
    let stage = Stage::open(app, jobs, people).await?;
    say("quotas");
    stage.hand_out_quotas(city).await?;
    let all = systems(city);
    let (count, begin) = (all.len(), clock.now().millis());
    let step = (end - begin - 3 * DAY_MS) / i64::try_from(count.max(1)).unwrap_or(1);
    let extra = city.running_hosts.saturating_sub(count * 5);
    for (k, (code, name, n)) in all.iter().enumerate() {
        clock.set(Timestamp::from_millis(
            begin + step * i64::try_from(k).unwrap_or(0),
        ));
        let clerk = stage.clerk(code)?;
        let short = format!("{code}{}", n + 1);
        let level = if k % 4 == 3 { Level::Three } else { Level::Two };
        let state = if k % 12 == 7 { "testing" } else { "live" };
        let id = stage.system(&clerk, name, &short, level, state).await?;
        // The hosts beyond five a system go to the first systems of the list, evenly.
        let more = usize::from(k < extra % count.max(1)) + extra / count.max(1);
        let order = order_of(k, name, &short, level, more);
        let request = stage.submit(&clerk, &id, &order).await?;
        clock.advance_ms(5 * 60 * 60 * 1000);
        stage.approve_all(&request, &clerk).await?;
        // While the clouds build no time passes here: what they take of it is told beforehand.
        clock.advance_ms((3 + i64::try_from(k % 8).unwrap_or(0)) * 60 * 1000);
        stage.run_jobs().await?;
        clock.advance_ms(20 * 60 * 1000);
        stage.confirm(&clerk, &request).await?;
        if k % 15 == 14 {
            say(&format!("{} of {count} systems have moved in", k + 1));
        }
    }
    clock.set(Timestamp::from_millis(end - 26 * 60 * 60 * 1000));
    say("today's requests");
    stage.today(clock, end).await?;
    clock.set(Timestamp::from_millis(end));
    stage.read_capacity().await
}

/// The quotas and systems of a city without a story.
pub async fn first_day(
    app: &Arc<App>,
    jobs: &Arc<Registry>,
    city: &City,
    people: &People,
) -> Result<(), ServiceError> {
    let stage = Stage::open(app, jobs, people).await?;
    stage.hand_out_quotas(city).await?;
    for (code, name, n) in systems(city) {
        let clerk = stage.clerk(code)?;
        let short = format!("{code}{}", n + 1);
        stage
            .system(&clerk, name, &short, Level::Two, "testing")
            .await?;
    }
    stage.read_capacity().await
}

/// The systems of a city: code of the unit, name, number within the unit from 0.
fn systems(city: &City) -> Vec<(&str, &str, usize)> {
    city.units
        .iter()
        .filter_map(|u| Some((u.code.as_deref()?, u)))
        .flat_map(|(code, u)| {
            u.systems
                .iter()
                .enumerate()
                .map(move |(n, s)| (code, s.as_str(), n))
        })
        .collect()
}

impl<'a> Stage<'a> {
    async fn open(
        app: &'a Arc<App>,
        jobs: &'a Arc<Registry>,
        people: &'a People,
    ) -> Result<Self, ServiceError> {
        let mut rx = app.db.read().await?;
        let pools = place::pools(&mut rx).await?;
        let pool_names = place::sites(&mut rx)
            .await?
            .into_iter()
            .map(|(id, _, there)| (there, id))
            .collect();
        Ok(Self {
            app,
            jobs,
            people,
            pools,
            pool_names,
        })
    }

    /// Whoever looks at the overview at once should see what the clouds say.
    async fn read_capacity(&self) -> Result<(), ServiceError> {
        let mut tx = self.app.db.begin().await?;
        jobs::enqueue(&mut tx, &self.app.system(), &ReadCapacity {}).await?;
        tx.commit().await?;
        self.run_jobs().await
    }

    fn cx(&self, user: &UserId) -> Cx {
        Cx::new(self.app.clone(), Actor::User(user.clone()))
    }

    fn clerk(&self, code: &str) -> Result<UserId, ServiceError> {
        let own = format!("clerk.{code}");
        // The bureau that the readme walks through has the short login.
        self.people
            .user(&own)
            .or_else(|_| self.people.user("clerk"))
            .cloned()
    }

    /// The city has ample limits; every unit that has systems gets a share, and everybody below the
    /// counties a small one through the county.
    async fn hand_out_quotas(&self, city: &City) -> Result<(), ServiceError> {
        let cx = self.app.system();
        let root = self.people.root.as_ref().or_not_found()?;
        let mut tx = self.app.db.begin().await?;
        let top = catalogue::vdc_of(&mut tx, root).await?;
        for pool in &self.pools {
            for dimension in Dimension::ALL {
                let limit = share(*dimension) * 60;
                quota::set_limit(
                    &mut tx,
                    &cx,
                    "seed:limit",
                    &top,
                    &pool.id,
                    *dimension,
                    limit,
                )
                .await?;
            }
            for one in &city.units {
                let Some(code) = &one.code else { continue };
                let unit = self.people.unit(code)?;
                let vdc = catalogue::vdc_of(&mut tx, unit).await?;
                for dimension in Dimension::ALL {
                    let operation = format!("seed:hand:{code}");
                    quota::hand(
                        &mut tx,
                        &cx,
                        &operation,
                        (&top, &vdc),
                        &pool.id,
                        *dimension,
                        share(*dimension),
                    )
                    .await?;
                }
                for child in &one.children {
                    let below = catalogue::vdc_of(&mut tx, self.people.unit(&child.short)?).await?;
                    for dimension in Dimension::ALL {
                        let operation = format!("seed:hand:{}", child.short);
                        quota::hand(
                            &mut tx,
                            &cx,
                            &operation,
                            (&vdc, &below),
                            &pool.id,
                            *dimension,
                            share(*dimension) / 16,
                        )
                        .await?;
                    }
                }
            }
        }
        Ok(tx.commit().await?)
    }

    async fn system(
        &self,
        clerk: &UserId,
        name: &str,
        short: &str,
        level: Level,
        state: &str,
    ) -> Result<SystemId, ServiceError> {
        let form = SystemForm {
            name: name.to_owned(),
            short_name: short.to_owned(),
            level: level.to_string(),
            state: state.to_owned(),
            contact_name: "系统管理员".to_owned(),
            contact_phone: "0000-12345".to_owned(),
        };
        system::create(&self.cx(clerk), &form).await
    }

    fn cell(&self, (level, there): (Level, &str)) -> Result<String, ServiceError> {
        let id = self.pool_names.get(there).ok_or(ServiceError::NotFound)?;
        let pool = self
            .pools
            .iter()
            .find(|p| p.id == *id)
            .ok_or(ServiceError::NotFound)?;
        Ok(format!("{}/{level}/{}", pool.zone, pool.id))
    }

    /// Fills a cart.
    async fn fill(
        &self,
        clerk: &UserId,
        system: &SystemId,
        order: &Order,
    ) -> Result<(RequestId, i64), ServiceError> {
        let cx = self.cx(clerk);
        let id = cart::create(&cx).await?;
        let head = HeadForm {
            system: system.to_string(),
            title: order.title.clone(),
            reason: order.reason.to_owned(),
            with_quota_change: false,
        };
        let mut version =
            cart::save_head(&cx, &id, cart::open(&cx, &id).await?.version, &head).await?;
        let cell = self.cell(order.cell)?;
        let mut lines: Vec<RequestItemId> = Vec::new();
        for want in &order.wants {
            let mut form = LineForm {
                item: want.item.to_owned(),
                name: want.name.clone(),
                cell: cell.clone(),
                count: want.count.to_string(),
                term_months: "12".to_owned(),
                ..LineForm::default()
            };
            form.typed
                .extend(want.typed.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
            if let Some(target) = want.attach.and_then(|n| lines.get(n)) {
                form.typed
                    .insert("attach_to".to_owned(), target.to_string());
            }
            let change = cart::put_line(&cx, &id, version, None, &form).await?;
            version = change.version;
            lines.push(change.line);
        }
        Ok((id, version))
    }

    async fn submit(
        &self,
        clerk: &UserId,
        system: &SystemId,
        order: &Order,
    ) -> Result<RequestId, ServiceError> {
        let (id, version) = self.fill(clerk, system, order).await?;
        let form = format!("seed-{id}");
        Ok(
            request::submit::submit(&self.cx(clerk), &id, version, None, &form)
                .await?
                .request,
        )
    }

    /// The open steps of a request: id, role, unit.
    async fn open_steps(
        &self,
        request: &RequestId,
    ) -> Result<Vec<(StepId, Role, UnitId)>, ServiceError> {
        let mut rx = self.app.db.read().await?;
        Ok(step::open(&mut rx, request).await?)
    }

    /// Somebody who may decide on a step and is not the applicant.
    async fn decider(
        &self,
        role: Role,
        unit: &UnitId,
        applicant: &UserId,
    ) -> Result<UserId, ServiceError> {
        let mut rx = self.app.db.read().await?;
        users::holders(&mut rx, role, unit)
            .await?
            .into_iter()
            .find(|u| u != applicant)
            .or_not_found()
    }

    async fn decide_one(
        &self,
        step: &(StepId, Role, UnitId),
        applicant: &UserId,
        decision: Decision,
        opinion: &str,
    ) -> Result<(), ServiceError> {
        let cx = self.cx(&self.decider(step.1, &step.2, applicant).await?);
        let card = approval::card(&cx, &step.0).await?;
        approval::decide(&cx, &step.0, decision, opinion, &card.digest).await?;
        Ok(())
    }

    async fn approve_all(
        &self,
        request: &RequestId,
        applicant: &UserId,
    ) -> Result<(), ServiceError> {
        loop {
            let steps = self.open_steps(request).await?;
            let Some(step) = steps.first() else {
                return Ok(());
            };
            self.decide_one(step, applicant, Decision::Approve, "同意。")
                .await?;
        }
    }

    async fn run_jobs(&self) -> Result<(), ServiceError> {
        jobs::run_until_idle(self.app, self.jobs).await?;
        Ok(())
    }

    async fn confirm(&self, clerk: &UserId, id: &RequestId) -> Result<(), ServiceError> {
        let mut rx = self.app.db.read().await?;
        if let Some((item, reason)) = fulfilment::failures(&mut rx, id).await?.into_iter().next() {
            let context = format!("in the story {} of {id} failed: {}", item.zh, reason.key);
            return Err(ServiceError::Internal {
                context,
                source: None,
            });
        }
        drop(rx);
        let cx = self.cx(clerk);
        let version = request::detail::detail(&cx, id).await?.version;
        request::confirm::confirm(&cx, id, version).await
    }

    /// What waits for people on the day the demo begins.
    async fn today(&self, clock: &MockClock, end: i64) -> Result<(), ServiceError> {
        let clerk = self.people.user("clerk")?.clone();
        let census = self.system_named(&clerk, 1).await?;
        let small = |name: &str, title: &str, vcpus: i64, pool: &'static str, level| {
            let mut order = order_of(0, title, name, level, 0);
            order.cell = (level, pool);
            order.title = title.to_owned();
            order.wants.truncate(1);
            if let Some(want) = order.wants.first_mut() {
                want.count = 1;
                want.name = name.to_owned();
                for (key, value) in &mut want.typed {
                    match *key {
                        "vcpus" => *value = vcpus.to_string(),
                        "memory_gb" => *value = (2 * vcpus).to_string(),
                        "arch" if pool.ends_with("xinchuang") => "kunpeng".clone_into(value),
                        _ => {}
                    }
                }
            }
            order
        };
        // Two wait for the leader of the bureau, one for the cloud office, one came back.
        self.submit(
            &clerk,
            &census,
            &small(
                "pc-gather",
                "普查数据采集扩容",
                8,
                "public-general",
                Level::Two,
            ),
        )
        .await?;
        clock.advance_ms(60 * 60 * 1000);
        let office = self
            .submit(
                &clerk,
                &census,
                &small(
                    "pc-core",
                    "普查核心库主机",
                    16,
                    "public-xinchuang",
                    Level::Three,
                ),
            )
            .await?;
        let first = self.open_steps(&office).await?;
        if let Some(step) = first.first() {
            self.decide_one(
                step,
                &clerk,
                Decision::Approve,
                "普查任务紧，请数据局支持。",
            )
            .await?;
        }
        let rsj = self.people.user("clerk.rsj")?.clone();
        let social = self.system_named(&rsj, 1).await?;
        let back = self
            .submit(
                &rsj,
                &social,
                &small("rs-report", "社保报表主机", 8, "public-general", Level::Two),
            )
            .await?;
        if let Some(step) = self.open_steps(&back).await?.first() {
            self.decide_one(
                step,
                &rsj,
                Decision::Return,
                "请说明报表的使用人数和高峰时间。",
            )
            .await?;
        }
        // People work on a migration.
        let help = Order {
            title: "老系统迁移上云".to_owned(),
            reason: "机房下月停用。",
            cell: (Level::Two, "public-general"),
            wants: vec![Want {
                item: "M-MIG",
                name: "old-report".to_owned(),
                count: 1,
                typed: vec![
                    ("person_days", "6".to_owned()),
                    (
                        "scope",
                        "报表系统一套，数据约 200 GB，希望月底前切换。".to_owned(),
                    ),
                ],
                attach: None,
            }],
        };
        let moving = self.submit(&rsj, &social, &help).await?;
        self.approve_all(&moving, &rsj).await?;
        self.run_jobs().await?;
        clock.set(Timestamp::from_millis(end - 90 * 60 * 1000));
        self.submit(
            &clerk,
            &census,
            &small("pc-web", "普查公示网站", 4, "internet-general", Level::Two),
        )
        .await?;
        self.fill(
            &clerk,
            &census,
            &small("pc-test", "", 2, "public-general", Level::Two),
        )
        .await?;
        Ok(())
    }

    async fn system_named(&self, clerk: &UserId, n: usize) -> Result<SystemId, ServiceError> {
        let systems = system::list(&self.cx(clerk)).await?;
        systems
            .get(n)
            .or_else(|| systems.first())
            .map(|s| s.id.clone())
            .or_not_found()
    }
}

/// What one unit of the city may use in one pool.
const fn share(dimension: Dimension) -> i64 {
    match dimension {
        Dimension::Vcpu => 192,
        Dimension::MemoryGb => 768,
        Dimension::SsdGb => 8_000,
        Dimension::SasGb | Dimension::SataGb => 4_000,
        Dimension::BackupGb => 8_000,
        Dimension::Addresses => 24,
        Dimension::BandwidthMbps => 320,
        Dimension::MonthlyFee => 4_000_000,
    }
}
