//! The steps that build the pieces of a group.

use std::sync::Arc;

use async_trait::async_trait;
use lingbao_backends::provisioning::{
    ARCH, Access, AddressSpec, BackupPlanSpec, Call, ExternalId, NetworkSpec, Object, PoolRef,
    ProjectSpec, Provisioner, ServerSpec, VolumeSpec,
};
use lingbao_model::{
    catalogue::Fulfiller,
    id::{RequestId, UnitId, VdcId, VpcId},
    makes::GENERAL,
    msg::Msg,
    param::Answers,
    view::operation::{Check, WorkOrderStatus},
};
use serde_json::{Value, json};

use super::{
    build::{Attach, Params, PiecePlan, Site},
    cloud_limit::{Limited, Whose},
    step::{CallStep, MakeCall, Undo, id_of},
};
use crate::{
    error::StorageError,
    saga::{Outcome, Outside, Step, StepCx, Undone, Verified},
    storage::{Tx, project, work_order},
};

/// Name of the step that makes the thing of a piece.
#[must_use]
pub fn make_name(index: usize, kind: Fulfiller) -> String {
    format!("{kind}-{}", index + 1)
}

/// Project, network, then the pieces. The limits of the project are made sure of once, before anything
/// is built in it.
#[must_use]
pub fn steps(backend: &Arc<dyn Provisioner>, params: &Params, site: &Site) -> Vec<Box<dyn Step>> {
    let whose = Whose::Vdc(params.vdc.clone());
    let network = Limited::boxed(network_step(backend, site), backend.clone(), whose);
    let mut steps = vec![project_step(backend, params, site), network];
    for (index, piece) in params.pieces.iter().enumerate() {
        steps.extend(piece_steps(backend, index, params, site, piece));
    }
    steps
}

/// One work order a piece.
#[must_use]
pub fn work_orders(params: &Params) -> Vec<Box<dyn Step>> {
    let order = |(index, piece): (usize, &PiecePlan)| WorkOrderStep::boxed(index, params, piece);
    params.pieces.iter().enumerate().map(order).collect()
}

pub(super) fn project_step(
    backend: &Arc<dyn Provisioner>,
    params: &Params,
    site: &Site,
) -> Box<dyn Step> {
    let spec = ProjectSpec {
        key: site
            .project_key
            .clone()
            .unwrap_or_else(|| params.vdc.to_string()),
        name: params.unit_name.clone(),
    };
    let make = move |_: &StepCx| Ok(Call::EnsureProject { spec: spec.clone() });
    let step = CallStep::boxed("project", backend.clone(), Undo::Nothing, Box::new(make));
    let keep = Keep::Project {
        vdc: params.vdc.clone(),
        backend: site.backend.clone(),
    };
    Box::new(Saving { step, keep })
}

pub(super) fn network_step(backend: &Arc<dyn Provisioner>, site: &Site) -> Box<dyn Step> {
    let (key, name, cidr) = (
        site.vpc.to_string(),
        site.vpc_name.clone(),
        site.cidr.clone(),
    );
    let make = move |cx: &StepCx| {
        let project = id_of(cx, "project")?;
        let (key, name, cidr) = (key.clone(), name.clone(), cidr.clone());
        Ok(Call::EnsureNetwork {
            spec: NetworkSpec {
                project,
                key,
                name,
                cidr,
            },
        })
    };
    let step = CallStep::boxed("network", backend.clone(), Undo::Nothing, Box::new(make));
    Box::new(Saving {
        step,
        keep: Keep::Vpc {
            vpc: site.vpc.clone(),
        },
    })
}

/// The server to which a piece attaches, once it is there.
fn target_of(
    params: &Params,
    attach: Attach,
) -> impl Fn(&StepCx) -> Result<ExternalId, String> + use<> {
    let name = match &attach {
        Attach::Here { index, .. } => params
            .pieces
            .get(*index)
            .map(|p| make_name(*index, p.kind))
            .unwrap_or_default(),
        Attach::Built { .. } => String::new(),
    };
    move |cx| match &attach {
        Attach::Built { external_id, .. } => Ok(ExternalId(external_id.clone())),
        Attach::Here { .. } => id_of(cx, &name),
    }
}

fn piece_steps(
    backend: &Arc<dyn Provisioner>,
    index: usize,
    params: &Params,
    site: &Site,
    piece: &PiecePlan,
) -> Vec<Box<dyn Step>> {
    let name = make_name(index, piece.kind);
    let pool = PoolRef(site.backend_pool.clone());
    let target = piece.attach.clone().map(|attach| target_of(params, attach));
    let step = |name: String, undo, make: MakeCall| {
        let verb = name.split('-').next().unwrap_or_default();
        let operation = format!("{}:{}:{verb}", piece.item, piece.piece);
        CallStep::of_piece(name.clone(), operation, backend.clone(), undo, make)
    };
    let made = name.clone();
    match piece.kind {
        Fulfiller::Server => {
            let (piece, preset) = (piece.clone(), site.security_preset.clone());
            let make = move |cx: &StepCx| server_call(cx, &piece, &pool, &preset);
            vec![step(name, Undo::Delete, Box::new(make))]
        }
        Fulfiller::Volume => {
            let own = piece.clone();
            let make = move |cx: &StepCx| volume_call(cx, &own, &pool);
            let mut steps = vec![step(name.clone(), Undo::Delete, Box::new(make))];
            if let Some(target) = target {
                let detach = move |cx: &StepCx| {
                    Ok(Call::DetachVolume {
                        volume: id_of(cx, &name)?,
                    })
                };
                let attach = move |cx: &StepCx| {
                    Ok(Call::AttachVolume {
                        volume: id_of(cx, &made)?,
                        server: target(cx)?,
                    })
                };
                let name = format!("attach-{}", index + 1);
                steps.push(step(name, Undo::Call(Box::new(detach)), Box::new(attach)));
            }
            steps
        }
        Fulfiller::Address => {
            let own = piece.clone();
            let make = move |cx: &StepCx| address_call(cx, &own, &pool);
            let mut steps = vec![step(name.clone(), Undo::Delete, Box::new(make))];
            if let Some(target) = target {
                let free = move |cx: &StepCx| {
                    Ok(Call::AssociateAddress {
                        address: id_of(cx, &name)?,
                        server: None,
                    })
                };
                let lead = move |cx: &StepCx| {
                    Ok(Call::AssociateAddress {
                        address: id_of(cx, &made)?,
                        server: Some(target(cx)?),
                    })
                };
                let name = format!("associate-{}", index + 1);
                steps.push(step(name, Undo::Call(Box::new(free)), Box::new(lead)));
            }
            steps
        }
        Fulfiller::Backup => {
            let own = piece.clone();
            let make = move |cx: &StepCx| {
                let target = target.as_ref().ok_or("server to back up")?(cx)?;
                plan_call(cx, &own, target)
            };
            vec![step(name, Undo::Delete, Box::new(make))]
        }
        Fulfiller::People => vec![WorkOrderStep::boxed(index, params, piece)],
    }
}

/// A checked answer as the small number that backends take; the schema's range keeps it there.
pub(super) fn number(answers: &Answers, key: &str) -> u32 {
    answers
        .integer(key)
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0)
}

/// Cores and memory (GiB) of a host.
pub(crate) fn size(answers: &Answers) -> (i64, i64) {
    let of = |key| i64::from(number(answers, key));
    (of("vcpus"), of("memory_gb"))
}

/// Hours between two backups, and days that one is kept.
pub(super) fn schedule(answers: &Answers) -> (u32, u32) {
    let weekly = answers.text("schedule") == Some("weekly");
    let every_hours = if weekly { 7 * 24 } else { 24 };
    (every_hours, number(answers, "keep_days"))
}

pub(super) fn server_call(
    cx: &StepCx,
    piece: &PiecePlan,
    pool: &PoolRef,
    preset: &str,
) -> Result<Call, String> {
    let answers = &piece.answers;
    let access = match (answers.text("access"), answers.text("ssh_key")) {
        (Some("ssh_key"), Some(key)) => Access::SshKeys(vec![key.to_owned()]),
        _ => Access::OneTimePassword,
    };
    let tags = [
        ("lingbao_resource", piece.resource.to_string()),
        (ARCH, answers.text("arch").unwrap_or(GENERAL).to_owned()),
    ];
    Ok(Call::CreateServer {
        spec: ServerSpec {
            project: id_of(cx, "project")?,
            pool: pool.clone(),
            network: id_of(cx, "network")?,
            name: piece.name.clone(),
            vcpus: number(answers, "vcpus"),
            memory_gb: number(answers, "memory_gb"),
            system_disk_gb: number(answers, "system_disk_gb"),
            image: answers.text("image").unwrap_or_default().to_owned(),
            flavour: None,
            security_preset: Some(preset.to_owned()),
            access,
            user_data: None,
            metadata: tags
                .into_iter()
                .map(|(key, tag)| (key.to_owned(), tag))
                .collect(),
        },
    })
}

pub(super) fn volume_call(cx: &StepCx, piece: &PiecePlan, pool: &PoolRef) -> Result<Call, String> {
    Ok(Call::CreateVolume {
        spec: VolumeSpec {
            project: id_of(cx, "project")?,
            pool: pool.clone(),
            name: piece.name.clone(),
            size_gb: number(&piece.answers, "size_gb"),
            volume_type: piece.answers.text("disk_class").map(str::to_owned),
        },
    })
}

pub(super) fn address_call(cx: &StepCx, piece: &PiecePlan, pool: &PoolRef) -> Result<Call, String> {
    Ok(Call::AllocateAddress {
        spec: AddressSpec {
            project: id_of(cx, "project")?,
            pool: pool.clone(),
            bandwidth_mbps: number(&piece.answers, "bandwidth_mbps"),
        },
    })
}

pub(super) fn plan_call(
    cx: &StepCx,
    piece: &PiecePlan,
    target: ExternalId,
) -> Result<Call, String> {
    let (every_hours, keep_days) = schedule(&piece.answers);
    Ok(Call::CreateBackupPlan {
        spec: BackupPlanSpec {
            project: id_of(cx, "project")?,
            target,
            every_hours,
            keep_days,
        },
    })
}

/// What is kept of a project or a network.
enum Keep {
    Project { vdc: VdcId, backend: String },
    Vpc { vpc: VpcId },
}

/// A step that also writes the backend's name of its object into our rows.
struct Saving {
    step: Box<dyn Step>,
    keep: Keep,
}

#[async_trait]
impl Step for Saving {
    fn name(&self) -> String {
        self.step.name()
    }
    fn outside(&self) -> Option<Outside<'_>> {
        self.step.outside()
    }
    async fn run(&self, cx: &StepCx) -> Outcome {
        self.step.run(cx).await
    }
    async fn undo(&self, cx: &StepCx) -> Undone {
        self.step.undo(cx).await
    }
    async fn verify(&self, cx: &StepCx) -> Verified {
        self.step.verify(cx).await
    }
    fn stays(&self) -> bool {
        self.step.stays()
    }
    async fn save(&self, tx: &mut Tx, cx: &StepCx, output: &Value) -> Result<(), StorageError> {
        let object: Object = serde_json::from_value(output.clone())
            .map_err(|e| StorageError::inconsistent("saga_step", "output", cx.saga.as_str(), e))?;
        let id = object.id().as_str();
        match &self.keep {
            Keep::Project { vdc, backend } => project::save_project(tx, vdc, backend, id).await,
            Keep::Vpc { vpc } => project::save_vpc(tx, vpc, id).await,
        }
    }
}

/// A piece that people fulfil: the work order stands for the operation.
struct WorkOrderStep {
    index: usize,
    request: RequestId,
    unit: UnitId,
    piece: PiecePlan,
}

impl WorkOrderStep {
    fn boxed(index: usize, params: &Params, piece: &PiecePlan) -> Box<dyn Step> {
        Box::new(Self {
            index,
            request: params.request.clone(),
            unit: params.unit.clone(),
            piece: piece.clone(),
        })
    }

    async fn ask(&self, cx: &StepCx) -> Result<Outcome, StorageError> {
        let open = |label: &lingbao_model::msg::Label| Check {
            label: label.clone(),
            done: false,
        };
        let checklist: Vec<Check> = self.piece.checklist.iter().map(open).collect();
        let new = work_order::New {
            id: &cx.cx.id(),
            request: &self.request,
            item: &self.piece.item,
            piece: self.piece.piece,
            unit: &self.unit,
            title: &self.piece.item_name,
            checklist: &checklist,
            due_at: self.piece.due_at.unwrap_or(cx.cx.now()),
            at: cx.cx.now(),
        };
        let mut tx = cx.cx.db().begin().await?;
        work_order::insert(&mut tx, &new).await?;
        let order = work_order::of_piece(&mut tx, &self.piece.item, self.piece.piece).await?;
        tx.commit().await?;
        Ok(match order.map(|o| (o.status, o.note, o.id)) {
            Some((WorkOrderStatus::Done, note, id)) => {
                Outcome::Done(json!({ "work_order": id, "note": note }))
            }
            Some((WorkOrderStatus::Failed, note, _)) => {
                Outcome::Fail(Msg::new("fulfilment.people_failed").with("note", note))
            }
            _ => Outcome::Wait {
                until: None,
                why: "work order".into(),
            },
        })
    }

    async fn abandon(&self, cx: &StepCx) -> Result<(), StorageError> {
        let mut tx = cx.cx.db().begin().await?;
        work_order::abandon(&mut tx, &self.piece.item, self.piece.piece, cx.cx.now()).await?;
        tx.commit().await
    }
}

#[async_trait]
impl Step for WorkOrderStep {
    fn name(&self) -> String {
        make_name(self.index, Fulfiller::People)
    }
    async fn run(&self, cx: &StepCx) -> Outcome {
        self.ask(cx)
            .await
            .unwrap_or_else(|error| Outcome::Retry(error.to_string()))
    }
    async fn undo(&self, cx: &StepCx) -> Undone {
        match self.abandon(cx).await {
            Ok(()) => Undone::Done,
            Err(error) => Undone::Retry(error.to_string()),
        }
    }
    async fn verify(&self, _: &StepCx) -> Verified {
        // The row is found again by its piece: asking twice makes one.
        Verified::Absent
    }
}
