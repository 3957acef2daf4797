//! The backups of a disk, or those that a plan keeps, and how the plan runs. Out of those of a disk a
//! new one is made.

use super::words::{moment, word};
use crate::{i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::{
    backup::{BackupRow, BackupState, PlanRuns},
    resource::{Act, ResourceDetail},
};

/// The panel of a plan, or of a host or a disk of which there are backups.
pub fn panel(found: &ResourceDetail) -> Option<AnyView> {
    let runs = found.plan_runs.as_ref().map(how);
    if runs.is_none() && found.backups.is_empty() {
        return None;
    }
    let restores = found.may.contains(&Act::RestoreBackup);
    let mut columns = vec![
        col(t!("resources.backup_of")),
        col(t!("resources.snapshot_size")).class("num"),
        col(t!("resources.backup_at")),
        col(t!("resources.state")),
    ];
    if restores {
        columns.push(col(t!("resources.backup_acts")).hidden());
    }
    let rows = found
        .backups
        .iter()
        .map(|one| row(one, restores))
        .collect_view();
    let list = if found.backups.is_empty() {
        view! { <p class="panel-pad sub">{t!("resources.backups_none")}</p> }.into_any()
    } else {
        view! { <Table caption=t!("resources.backups") columns flat=true>{rows}</Table> }.into_any()
    };
    Some(
        view! {
            <Panel title=t!("resources.backups")>
                <div id="backups">{runs}</div>
                {list}
            </Panel>
        }
        .into_any(),
    )
}

/// The last runs and the next one.
fn how(runs: &PlanRuns) -> AnyView {
    let some = |at: Option<_>| at.map_or_else(|| t!("resources.backup_never").to_owned(), moment);
    let next = match runs.next_at {
        _ if runs.running => t!("resources.backup_runs").to_owned(),
        _ if runs.rests => t!("resources.backup_rests").to_owned(),
        Some(at) => moment(at),
        None => t!("resources.backup_soon").to_owned(),
    };
    let mut facts: Vec<(Text, AnyView)> = vec![
        (
            t!("resources.backup_done").into(),
            some(runs.done_at).into_any(),
        ),
        (t!("resources.backup_next").into(), next.into_any()),
    ];
    if let (Some(at), Some(why)) = (runs.failed_at, &runs.failure) {
        let said = format!("{} {}", moment(at), i18n::msg(why));
        facts.insert(1, (t!("resources.backup_failed").into(), said.into_any()));
    }
    let failures = runs.failures;
    let fails = (failures > 0).then(|| {
        view! { <Banner tone=Tone::Warn>{t!("resources.backup_failures", n = failures)}</Banner> }
    });
    view! {
        {fails}
        <div class="panel-pad"><Facts facts/></div>
    }
    .into_any()
}

fn row(one: &BackupRow, restores: bool) -> AnyView {
    let look = match one.state {
        BackupState::Kept => Look::Ok,
        BackupState::Making | BackupState::Dropping => Look::Run,
        BackupState::Deleted => Look::Stop,
    };
    let state = word("backup.state", one.state.as_str());
    let kind = word("backup.of", one.of_kind.as_str());
    let size = one
        .size_gb
        .map(|n| t!("resources.gb", n = n))
        .unwrap_or_default();
    let name = one.of_name.clone();
    let at = moment(one.at);
    let acts = restores.then(|| {
        let restore = (one.state == BackupState::Kept).then(|| {
            let href = routes::restore_backup(one.of.as_str(), one.id.as_str());
            view! { <LinkButton href kind=Kind::Bare size=Size::Small>{t!("resources.restore_backup")}</LinkButton> }
        });
        view! { <Cell l=t!("resources.backup_acts")><div class="acts">{restore}</div></Cell> }
    });
    view! {
        <Row>
            <RowHead name sub=kind/>
            <Cell l=t!("resources.snapshot_size") class="num">{size}</Cell>
            <Cell l=t!("resources.backup_at")>{at}</Cell>
            <Cell l=t!("resources.state")><Chip look text=state/></Cell>
            {acts}
        </Row>
    }
    .into_any()
}
