//! From a route (roles and ranks) to steps (roles on units, with people who could decide).

use lingbao_model::{
    calendar::Calendar,
    id::{UnitId, UserId},
    msg::{Label, Msg},
    people::{Role, role_key},
    policy::{Ranks, Route, RoutedStage, RoutedStep},
    request::StepStatus,
    view::request::{ApproverView, StageView},
};

use super::link;
use crate::{
    app::Cx,
    error::StorageError,
    service::notice,
    storage::{
        ReadTx, Tx, history,
        request::Request,
        step::{self, Step},
    },
};

/// One step that a request will take.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// Name.
    pub name: Label,
    /// Role that decides.
    pub role: Role,
    /// On which unit a grant must reach.
    pub unit: UnitId,
    /// Its name.
    pub unit_name: String,
    /// Who could decide today, the applicant left out.
    pub people: Vec<(UserId, String)>,
    /// Nobody could have decided where the policy wanted it: it went up.
    pub rerouted: bool,
}

/// One stage.
#[derive(Debug, Clone)]
pub struct PlannedStage {
    /// Key.
    pub key: String,
    /// Name.
    pub name: Label,
    /// Term in working days.
    pub due_days: u32,
    /// Steps in parallel.
    pub steps: Vec<PlannedStep>,
}

/// Finds units and people for a route. A group of the upper unit takes part only where there is
/// one; a step on which nobody could act is routed to the next unit up, at last to the site's
/// reviewers. A route that named somebody never becomes empty by this.
///
/// # Errors
/// What the database says.
pub async fn plan(
    rx: &mut ReadTx,
    applicant: &UserId,
    unit: &UnitId,
    has_upper: bool,
    route: &Route,
) -> Result<Vec<PlannedStage>, StorageError> {
    let ladder = step::ladder(rx, unit).await?;
    let mut stages = Vec::new();
    for routed in &route.stages {
        let mut steps = Vec::new();
        for one in &routed.steps {
            if one.ranks == Ranks::UpperUnit && (!has_upper || ladder.len() < 2) {
                continue;
            }
            steps.push(place(rx, applicant, &ladder, one).await?);
        }
        if !steps.is_empty() {
            stages.push(planned(routed, steps));
        }
    }
    if stages.is_empty()
        && let Some(routed) = route.stages.first()
        && let Some(one) = routed.steps.first()
    {
        let site = RoutedStep {
            role: Role::Reviewer,
            ranks: Ranks::Site,
            ..one.clone()
        };
        let steps = vec![place(rx, applicant, &ladder, &site).await?];
        stages.push(planned(routed, steps));
    }
    Ok(stages)
}

fn planned(routed: &RoutedStage, steps: Vec<PlannedStep>) -> PlannedStage {
    PlannedStage {
        key: routed.key.clone(),
        name: routed.name.clone(),
        due_days: routed.due_days,
        steps,
    }
}

async fn place(
    rx: &mut ReadTx,
    applicant: &UserId,
    ladder: &[(UnitId, String)],
    routed: &RoutedStep,
) -> Result<PlannedStep, StorageError> {
    let first = match routed.ranks {
        Ranks::OwnUnit => 0,
        Ranks::UpperUnit => 1,
        Ranks::Site => ladder.len().saturating_sub(1),
    };
    let mut tries: Vec<(Role, &(UnitId, String))> = ladder
        .iter()
        .skip(first)
        .map(|rung| (routed.role, rung))
        .collect();
    if let Some(top) = ladder.last() {
        tries.push((Role::Reviewer, top));
    }
    let mut last = None;
    for (i, (role, (unit, unit_name))) in tries.into_iter().enumerate() {
        let people = step::deciders(rx, role, unit, applicant).await?;
        let found = !people.is_empty();
        let planned = PlannedStep {
            name: routed.name.clone(),
            role,
            unit: unit.clone(),
            unit_name: unit_name.clone(),
            people,
            rerouted: i > 0,
        };
        if found {
            return Ok(planned);
        }
        // Nobody anywhere: it stays with the reviewers, for whoever becomes one.
        last = Some(planned);
    }
    last.ok_or_else(|| {
        StorageError::inconsistent("unit_closure", "descendant", "-", "a unit without itself")
    })
}

/// The stages as they are shown.
#[must_use]
pub fn views(stages: &[PlannedStage]) -> Vec<StageView> {
    stages
        .iter()
        .map(|stage| StageView {
            name: stage.name.clone(),
            due_days: stage.due_days,
            approvers: stage
                .steps
                .iter()
                .map(|s| ApproverView {
                    name: s.name.clone(),
                    role: s.role,
                    unit_name: s.unit_name.clone(),
                    people: s.people.iter().take(5).map(|(_, n)| n.clone()).collect(),
                })
                .collect(),
        })
        .collect()
}

/// Writes the steps of a round down and opens its first stage. Steps that went up leave a trace in
/// the history.
///
/// # Errors
/// What the database says.
pub async fn begin_round(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    calendar: &Calendar,
    stages: &[PlannedStage],
) -> Result<(), StorageError> {
    let round = step::last_round(tx, &request.id).await? + 1;
    for (number, stage) in (0_i64..).zip(stages) {
        for (position, planned) in (0_i64..).zip(&stage.steps) {
            let step = Step {
                id: cx.id(),
                request: request.id.clone(),
                round,
                stage: number,
                stage_key: stage.key.clone(),
                position,
                name: planned.name.clone(),
                role: planned.role,
                unit: planned.unit.clone(),
                unit_name: planned.unit_name.clone(),
                due_days: stage.due_days,
                status: StepStatus::Planned,
                opened_at: None,
                due_at: None,
                seen_at: None,
                acted_by: None,
                acted_name: None,
                acted_at: None,
                decision: None,
                opinion: String::new(),
                version: 1,
            };
            step::insert(tx, &step).await?;
            if planned.rerouted {
                let msg = Msg::new("request.history.rerouted")
                    .with("step", planned.name.clone())
                    .with("role", Msg::new(role_key(planned.role)))
                    .with("unit", planned.unit_name.clone());
                history::add(tx, cx, &request.id, &msg).await?;
            }
        }
    }
    let mut steps = step::of_request(tx, &request.id).await?;
    steps.retain(|s| s.round == round);
    open_stage(tx, cx, request, calendar, &mut steps, 0).await
}

/// Opens the planned steps of a stage: terms begin, approvers are told.
///
/// # Errors
/// What the database says.
pub async fn open_stage(
    tx: &mut Tx,
    cx: &Cx,
    request: &mut Request,
    calendar: &Calendar,
    steps: &mut [Step],
    stage: i64,
) -> Result<(), StorageError> {
    request.stage = Some(stage);
    request.due_at = None;
    for step in steps.iter_mut().filter(|s| s.stage == stage) {
        if !matches!(step.status, StepStatus::Planned | StepStatus::Open) {
            continue;
        }
        step.status = StepStatus::Open;
        step.opened_at = Some(cx.now());
        step.due_at = Some(calendar.due(cx.now(), step.due_days));
        step::save(tx, step).await?;
        request.due_at = request.due_at.max(step.due_at);
        tell(tx, cx, request, step).await?;
    }
    Ok(())
}

async fn tell(tx: &mut Tx, cx: &Cx, request: &Request, open: &Step) -> Result<(), StorageError> {
    let msg = Msg::new("notice.todo")
        .with("number", request.number.clone().unwrap_or_default())
        .with("title", request.title.clone())
        .with("step", open.name.clone());
    let to = link::card(&open.id);
    for (user, _) in step::deciders(tx, open.role, &open.unit, &request.applicant).await? {
        notice::send(tx, cx, &user, &msg, &to).await?;
    }
    Ok(())
}
