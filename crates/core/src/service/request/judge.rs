//! The verdict of the server: the same function as in the browser, on what the database holds now.

use std::collections::BTreeMap;

use lingbao_model::{
    catalogue::Content,
    id::{ItemVersionId, PoolId, RequestItemId},
    msg::{FieldError, Label, Msg},
    param::{Answer, Kind as ParamKind},
    placement::Level,
    quota::{Account, Demand, Dimension},
    request::{Kind, Line, MAX_LINES, Status, check_attachments},
    text::{self, REASON_MAX},
    verdict::{self, Above, Verdict},
    view::request::LineView,
};

use super::ground::{self, Ground};
use crate::{
    error::{ServiceError, StorageError},
    storage::{
        ReadTx, item,
        request::{self as requests, Request},
        system,
    },
};

/// A request with everything by which it is judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Lines, in order.
    pub lines: Vec<Line>,
    /// Contents of the versions from which the lines were made.
    pub contents: BTreeMap<ItemVersionId, Content>,
    /// Where the order is placed.
    pub ground: Ground,
    /// What will become of it.
    pub verdict: Verdict,
    /// What it takes from the quotas.
    pub demand: Demand,
    /// What is missing or wrong, by field of the form.
    pub problems: Vec<FieldError>,
    /// Lines whose item or price has changed since.
    pub outdated: BTreeMap<RequestItemId, Msg>,
}

/// Judges a request for something new as it stands in the database.
///
/// # Errors
/// What the database says.
pub async fn judge(rx: &mut ReadTx, request: &Request) -> Result<Judged, ServiceError> {
    let lines = requests::lines(rx, &request.id).await?;
    judge_lines(rx, request, lines).await
}

/// Judges a request with lines that need not be in the database yet.
///
/// # Errors
/// What the database says.
pub async fn judge_lines(
    rx: &mut ReadTx,
    request: &Request,
    lines: Vec<Line>,
) -> Result<Judged, ServiceError> {
    let contents = item::contents(rx, lines.iter().map(|l| &l.version)).await?;
    let ground = ground::load(rx, &request.unit, &request.vdc, Kind::New).await?;
    let consumption = |line: &Line| contents.get(&line.version).map(|c| c.consumption.clone());
    let verdict = verdict::judge(
        &lines,
        consumption,
        &ground.around,
        request.with_quota_change,
    );
    let demand = verdict::demand(&lines, consumption);
    // A returned request keeps the prices with which it was first submitted.
    let outdated = if request.status == Status::Draft {
        outdated(rx, &lines).await?
    } else {
        BTreeMap::new()
    };
    let level = system::of_request(rx, request).await?.map(|s| s.level);
    let mut problems = head_problems(request);
    problems.extend(line_problems(&lines, &contents, &outdated));
    problems.extend(placed_too_low(&lines, level));
    problems.extend(not_made_here(&lines, &ground));
    Ok(Judged {
        lines,
        contents,
        ground,
        verdict,
        demand,
        problems,
        outdated,
    })
}

async fn outdated(
    rx: &mut ReadTx,
    lines: &[Line],
) -> Result<BTreeMap<RequestItemId, Msg>, StorageError> {
    let offers = item::by_codes(rx, lines.iter().map(|l| l.code.as_str())).await?;
    let mut found = BTreeMap::new();
    for line in lines {
        let msg = match offers.iter().find(|o| o.code == line.code) {
            None => Msg::new("cart.item_retired"),
            Some(offer) if offer.version_id != line.version => Msg::new("cart.item_changed"),
            Some(offer) if offer.price_version != line.price_version => {
                Msg::new("cart.price_changed")
            }
            Some(_) => continue,
        };
        let msg = msg
            .with("line", line.position)
            .with("item", line.item_name.clone());
        found.insert(line.id.clone(), msg);
    }
    Ok(found)
}

fn head_problems(request: &Request) -> Vec<FieldError> {
    let mut problems = Vec::new();
    if request.system.is_none() {
        problems.push(FieldError::new("system", Msg::new("cart.system_needed")));
    }
    problems.extend(text::line("title", &request.title, 2, TITLE_MAX).err());
    problems.extend(text::paragraph("reason", &request.reason, 2, usize::from(REASON_MAX)).err());
    problems
}

/// Longest title, characters.
pub const TITLE_MAX: usize = 60;

fn line_problems(
    lines: &[Line],
    contents: &BTreeMap<ItemVersionId, Content>,
    outdated: &BTreeMap<RequestItemId, Msg>,
) -> Vec<FieldError> {
    let mut problems = Vec::new();
    if lines.len() > MAX_LINES {
        let max = i64::try_from(MAX_LINES).unwrap_or(i64::MAX);
        problems.push(FieldError::new(
            "lines",
            Msg::new("cart.too_many_lines").with("max", max),
        ));
    }
    for (i, line) in lines.iter().enumerate() {
        if let Some(msg) = outdated.get(&line.id) {
            problems.push(FieldError::new(format!("lines[{i}]"), msg.clone()));
        }
        // The version's own rules once more: a draft may have been written by an older program.
        let answers = contents.get(&line.version).map(|c| &c.schema);
        let errors = answers.and_then(|s| s.check_answers(&line.answers).err());
        problems.extend(
            errors
                .into_iter()
                .flatten()
                .map(|e| FieldError::new(format!("lines[{i}].{}", e.field), e.msg)),
        );
        // Somebody took away what it attaches to; the wish still stands in the answers.
        let wish = contents
            .get(&line.version)
            .and_then(Content::attach_param)
            .and_then(|p| line.answers.0.get(&p.key));
        if wish.is_some() && line.attach_to.is_none() {
            problems.push(FieldError::new(
                format!("lines[{i}].attach_to"),
                Msg::new("attach.gone").with("line", line.position),
            ));
        }
    }
    let none: &[String] = &[];
    let accepts = |line: &Line| {
        contents
            .get(&line.version)
            .and_then(Content::attach_param)
            .map_or(none, |p| match &p.kind {
                ParamKind::Attach { items } => items.as_slice(),
                _ => none,
            })
    };
    problems.extend(check_attachments(lines, accepts).err().unwrap_or_default());
    problems
}

/// An account as if these were not held in it.
pub(super) fn without(account: &mut Account, held: &[(PoolId, Dimension, i64)]) {
    for (pool, dimension, standing) in &mut account.standings {
        let own = held.iter().find(|(p, d, _)| p == pool && d == dimension);
        *standing = standing.with_held(-own.map_or(0, |(_, _, n)| *n));
    }
}

/// A system of level three is protected as one wherever it runs (HS-05): nobody gets around the
/// security officer by ordering for level two.
fn placed_too_low(lines: &[Line], level: Option<Level>) -> Vec<FieldError> {
    let Some(level) = level else {
        return Vec::new();
    };
    let too_low = |(i, line): (usize, &Line)| {
        let placed = line.placement.as_ref()?.level;
        (placed < level).then(|| {
            let msg = Msg::new("cart.placed_too_low")
                .with("line", line.position)
                .with("level", level.msg());
            FieldError::new(format!("lines[{i}].cell"), msg)
        })
    };
    lines.iter().enumerate().filter_map(too_low).collect()
}

/// A draft may be older than what its cloud says of itself now.
fn not_made_here(lines: &[Line], ground: &Ground) -> Vec<FieldError> {
    let lacking = |(i, line): (usize, &Line)| {
        let placed = line.placement.as_ref()?;
        let pool = ground.around.pools.iter().find(|p| p.id == placed.pool)?;
        ground.lacks.holds(pool, line.kind).then(|| {
            let msg = Msg::new("cart.not_made_here")
                .with("line", line.position)
                .with("item", line.item_name.clone())
                .with("pool", pool.name.clone());
            FieldError::new(format!("lines[{i}].cell"), msg)
        })
    };
    lines.iter().enumerate().filter_map(lacking).collect()
}

impl Judged {
    /// Judges anew without the hold that a returned request keeps: what it holds itself does not
    /// stand in its own way. A draft holds nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn own_hold(
        &mut self,
        rx: &mut ReadTx,
        request: &Request,
    ) -> Result<(), StorageError> {
        if request.status != Status::Returned {
            return Ok(());
        }
        without(
            &mut self.ground.around.account,
            &requests::held(rx, request, &request.vdc).await?,
        );
        if let (Above::Known(above), Some(parent)) =
            (&mut self.ground.around.above, &self.ground.parent)
        {
            without(above, &requests::held(rx, request, parent).await?);
        }
        let contents = &self.contents;
        self.verdict = verdict::judge(
            &self.lines,
            |line| contents.get(&line.version).map(|c| c.consumption.clone()),
            &self.ground.around,
            request.with_quota_change,
        );
        Ok(())
    }

    /// The lines as they are read.
    #[must_use]
    pub fn views(&self) -> Vec<LineView> {
        let around = &self.ground.around;
        self.lines
            .iter()
            .map(|line| {
                let place = line.placement.as_ref();
                let target = line
                    .attach_to
                    .as_ref()
                    .and_then(|t| self.lines.iter().find(|l| l.id == *t));
                LineView {
                    facts: self
                        .contents
                        .get(&line.version)
                        .map(|c| c.schema.facts(&line.answers))
                        .unwrap_or_default(),
                    zone_name: place.and_then(|p| {
                        let zone = around.zones.iter().find(|z| z.id == p.zone)?;
                        Some(zone.name.clone())
                    }),
                    pool_name: place.and_then(|p| {
                        let pool = around.pools.iter().find(|q| q.id == p.pool)?;
                        Some(pool.name.clone())
                    }),
                    attached_to: target.map(|t| (t.position, t.name.clone())),
                    outdated: self.outdated.get(&line.id).cloned(),
                    line: line.clone(),
                }
            })
            .collect()
    }

    /// Names of the pools that the verdict speaks of.
    #[must_use]
    pub fn pool_names(&self) -> Vec<(PoolId, Label)> {
        self.ground
            .around
            .pools
            .iter()
            .filter(|p| self.verdict.changes.iter().any(|c| c.pool == p.id))
            .map(|p| (p.id.clone(), p.name.clone()))
            .collect()
    }

    /// Refuses what can't be submitted: what is missing, by field; what does not fit into the
    /// quota, with the way out; everything else that blocks.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`], [`ServiceError::QuotaExceeded`].
    pub fn require(&self, request: &Request) -> Result<(), ServiceError> {
        let mut wrong = self.problems.clone();
        let others = self.verdict.blocks.iter().filter(|m| !is_about_quota(m));
        wrong.extend(others.map(|m| FieldError::new("verdict", m.clone())));
        if !wrong.is_empty() {
            let quota = self.verdict.blocks.iter().filter(|m| is_about_quota(m));
            wrong.extend(quota.map(|m| FieldError::new("verdict", m.clone())));
            return Err(ServiceError::Invalid(wrong));
        }
        if self.verdict.passes() {
            return Ok(());
        }
        Err(self.over_quota(request, self.verdict.shortfalls.clone()))
    }

    /// The answer to a request for more than is left.
    #[must_use]
    pub fn over_quota(
        &self,
        request: &Request,
        shortfalls: Vec<lingbao_model::quota::Shortfall>,
    ) -> ServiceError {
        let around = &self.ground.around;
        let parent_has = shortfalls.iter().all(|short| around.above.gives(short));
        let key = if request.with_quota_change {
            "verdict.parent_short"
        } else {
            "verdict.over_quota"
        };
        let link = (parent_has && !request.with_quota_change)
            .then(|| format!("/cart/{}?quota=1", request.id));
        ServiceError::over_quota(key, shortfalls, &around.pools, link)
    }
}

fn is_about_quota(msg: &Msg) -> bool {
    matches!(&*msg.key, "verdict.over_quota" | "verdict.parent_short")
}

/// The line that an attach parameter names, if the line's item has one and it was answered.
#[must_use]
pub fn wish(content: &Content, line: &Line) -> Option<RequestItemId> {
    let param = content.attach_param()?;
    match line.answers.0.get(&param.key)? {
        Answer::Text(id) => id.parse().ok(),
        _ => None,
    }
}
