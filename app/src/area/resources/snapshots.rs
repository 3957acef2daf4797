//! The snapshots of a disk: the list, taking one, deleting one.

use super::words::{moment, word};
use crate::{form::FormId, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Fulfiller,
    view::resource::{Act, MOST_SNAPSHOTS, ResourceDetail, SnapshotRow, SnapshotState},
};

/// The panel of a disk; nothing for other things, and for a disk without any whose cloud takes none.
pub fn panel(found: &ResourceDetail) -> Option<AnyView> {
    let may = |act: Act| found.may.contains(&act);
    let (takes, restores) = (may(Act::Snapshot), may(Act::Restore));
    if found.row.kind != Fulfiller::Volume || (found.snapshots.is_empty() && !takes) {
        return None;
    }
    let disk = found.row.id.to_string();
    let columns = vec![
        col(t!("resources.snapshot_name")),
        col(t!("resources.snapshot_size")).class("num"),
        col(t!("resources.snapshot_at")),
        col(t!("resources.state")),
        col(t!("resources.snapshot_acts")).hidden(),
    ];
    let rows = found
        .snapshots
        .iter()
        .map(|one| row(one.clone(), &disk, takes, restores))
        .collect_view();
    let list = (!found.snapshots.is_empty()).then(|| {
        view! { <Table caption=t!("resources.snapshots") columns flat=true>{rows}</Table> }
    });
    let max = i64::try_from(MOST_SNAPSHOTS).unwrap_or(i64::MAX);
    let form = takes.then(|| {
        if found.snapshots.len() >= MOST_SNAPSHOTS {
            return view! { <p class="panel-pad sub">{t!("resources.snapshots_full", max = max)}</p> }.into_any();
        }
        view! {
            <form method="post" class="panel-pad narrow">
                <FormId/>
                <p class="sub">{t!("resources.snapshot_effect", max = max)}</p>
                <Field name="name" label=t!("resources.snapshot_name")>
                    <TextInput maxlength=40_u32/>
                </Field>
                <Field name="note" label=t!("resources.snapshot_note") optional=true>
                    <TextInput maxlength=200_u32/>
                </Field>
                <div class="field">
                    <Button name="do" value="snapshot">{t!("resources.snapshot_take")}</Button>
                </div>
            </form>
        }
        .into_any()
    });
    Some(
        view! {
            <Panel title=t!("resources.snapshots")>
                {list}
                {form}
            </Panel>
        }
        .into_any(),
    )
}

fn row(one: SnapshotRow, disk: &str, takes: bool, restores: bool) -> AnyView {
    let id = one.id.to_string();
    let look = match one.state {
        SnapshotState::Ready => Look::Ok,
        SnapshotState::Making | SnapshotState::Deleting => Look::Run,
        SnapshotState::Left => Look::Act,
        SnapshotState::Deleted => Look::Stop,
    };
    let state = word("snapshot.state", one.state.as_str());
    let by = one
        .by
        .unwrap_or_else(|| t!("resources.by_itself").to_owned());
    let ready = one.state == SnapshotState::Ready;
    let restore = (ready && restores).then(|| {
        let href = routes::restore(disk, &id);
        view! { <LinkButton href kind=Kind::Bare size=Size::Small>{t!("resources.restore")}</LinkButton> }
    });
    let delete = (ready && takes).then(|| {
        view! {
            <form method="post">
                <FormId/>
                <input type="hidden" name="snapshot" value=id.clone()/>
                <Confirm act=t!("resources.snapshot_delete") note=t!("resources.snapshot_delete_note") value="delete_snapshot" small=true/>
            </form>
        }
    });
    view! {
        <Row>
            <RowHead name=one.name sub=one.note/>
            <Cell l=t!("resources.snapshot_size") class="num">{t!("resources.gb", n = one.size_gb)}</Cell>
            <Cell l=t!("resources.snapshot_at")>{moment(one.at)}<span class="sub">{by}</span></Cell>
            <Cell l=t!("resources.state")><Chip look text=state/></Cell>
            <Cell l=t!("resources.snapshot_acts")><div class="acts">{restore}{delete}</div></Cell>
        </Row>
    }
    .into_any()
}
