//! One difference: what the portal thinks, what the cloud says, and what may be done.

use super::{
    adopt,
    differences::{chip, price, value},
    known, nobodys, rules, when, word,
};
use crate::{asked, error::ApiError, i18n, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    access_rule,
    resource::ServiceState,
    text::REASON_MAX,
    view::difference::{
        Act, Aspect, DifferenceDetail, DifferenceKind, DifferenceRow, Said, ThingKind,
    },
};

/// One difference.
///
/// # Errors
/// `Forbidden` for others than operators, `NotFound`.
#[server(name = GetDifference, prefix = "/fn", endpoint = "operations/difference", output = crate::json::Json)]
pub async fn difference(id: String) -> Result<DifferenceDetail, ApiError> {
    use lingbao_core::service::{difference, notice};
    let cx = crate::ssr::cx()?;
    let found = difference::detail(&cx, &crate::ssr::id(&id)?).await?;
    notice::seen(&cx, &routes::difference(&id)).await;
    Ok(found)
}

/// The page.
#[component]
pub fn DifferencePage() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version("jobs");
    let found = Resource::new(move || (id.get(), version.get()), |(id, _)| difference(id));
    page_of(found, |found| view! { <Detail found/> }.into_any())
}

#[component]
fn Detail(found: DifferenceDetail) -> impl IntoView {
    let crumbs = vec![
        (
            t!("nav.operations").to_owned(),
            routes::OPERATIONS.to_owned(),
        ),
        (
            t!("difference.title").to_owned(),
            routes::DIFFERENCES.to_owned(),
        ),
    ];
    let over = found.row.closed_at.is_some();
    let acts = acts(&found);
    let banners = banners(&found);
    let facts = facts(&found);
    let row = found.row;
    let state = chip(row.kind, over);
    let title = row.typed().to_owned();
    let fact = match row.kind {
        DifferenceKind::Missing if row.thing == ThingKind::Network => {
            t!("difference.network_lacks")
        }
        DifferenceKind::Missing => t!("difference.missing_fact"),
        DifferenceKind::Changed => t!("difference.changed_fact"),
        DifferenceKind::Stuck => t!("difference.stuck_fact"),
        DifferenceKind::Foreign => t!("clouds.foreign_note"),
        DifferenceKind::Double => t!("difference.double_fact"),
    };
    let whole = matches!(
        row.thing,
        ThingKind::Server | ThingKind::Volume | ThingKind::Address
    );
    let take = (row.kind == DifferenceKind::Foreign && whole && !over).then(|| {
        let href = routes::import_thing(row.id.as_str());
        view! { <LinkButton href=href kind=Kind::Main>{t!("import.take_in")}</LinkButton> }
            .into_any()
    });
    let columns = vec![
        col(t!("difference.aspect_of")),
        col(t!("difference.ours")),
        col(t!("difference.cloud")),
        col(t!("difference.mark")).class("corner"),
    ];
    let (kind, said) = (row.kind, row.said);
    view! {
        <PageHead title=title crumbs fact=fact nostrip:acts=take>{state}</PageHead>
        <ErrorSummary/>
        {banners}
        <div class="gap-6">
            <TableBox>
                <Table caption=t!("difference.both") columns flat=true>
                    {said.into_iter().map(move |one| side_by_side(kind, &one)).collect_view()}
                </Table>
            </TableBox>
            <Panel title=t!("operations.about") pad=true><Facts facts/></Panel>
            {acts}
        </div>
    }
}

/// One aspect, both sides; what differs is marked by shape, words and colour.
fn side_by_side(kind: DifferenceKind, said: &Said) -> impl IntoView + use<> {
    let lone = matches!(
        kind,
        DifferenceKind::Missing | DifferenceKind::Foreign | DifferenceKind::Double
    );
    let [ours, cloud] = [&said.ours, &said.cloud].map(|side| match side {
        None if lone => "—".into_any(),
        // One under the other: there may be many.
        Some(text) if said.aspect == Aspect::Rules => access_rule::each_of(text)
            .map(|one| view! { <div>{rules::rule(one)}</div> })
            .collect_view()
            .into_any(),
        side => value(said.aspect, side.as_deref()).into_any(),
    });
    let (differs, aspect) = (
        said.differs(),
        word("difference.aspect", said.aspect.as_str()),
    );
    let mark = if differs {
        view! { <Chip look=Look::Act text=t!("difference.differs")/> }.into_any()
    } else {
        view! { <Chip look=Look::Ok text=t!("difference.same")/> }.into_any()
    };
    view! {
        <Row>
            <RowHead name=aspect/>
            <Cell l=t!("difference.ours")>{ours}</Cell>
            <Cell l=t!("difference.cloud")>{cloud}</Cell>
            <Cell l=t!("difference.mark") class="corner">{mark}</Cell>
        </Row>
    }
}

fn banners(found: &DifferenceDetail) -> AnyView {
    let row = &found.row;
    let ended = row.closed_at.map(|at| {
        let how = row
            .closing
            .map(|how| word("difference.closing", how.as_str()))
            .unwrap_or_default();
        let who = row
            .closed_by
            .clone()
            .unwrap_or_else(|| t!("resources.by_itself").to_owned());
        let text = t!("difference.was_closed", at = when(at), how = how, who = who);
        view! { <Banner tone=Tone::Ok>{text}</Banner> }
    });
    let silent = (row.closed_at.is_none() && found.silent).then(|| {
        let at = found
            .answered_at
            .map_or_else(|| t!("clouds.never").to_owned(), when);
        let text = t!("difference.silent", at = at);
        view! { <Banner tone=Tone::Warn>{text}</Banner> }
    });
    let busy = found.busy.as_ref().map(|msg| {
        let text = i18n::msg(msg);
        view! { <Banner>{text}</Banner> }
    });
    let hindrance = found.hindrance.as_ref().map(|msg| {
        let text = i18n::msg(msg);
        view! { <Banner tone=Tone::Warn>{text}</Banner> }
    });
    let noted = (!row.note.is_empty()).then(|| {
        let who = row.noted_by.clone().unwrap_or_default();
        let text = t!("difference.noted_by", who = who, note = row.note.clone());
        view! { <Banner>{text}</Banner> }
    });
    view! {
        {ended}
        {silent}
        {busy}
        {hindrance}
        {noted}
    }
    .into_any()
}

fn facts(found: &DifferenceDetail) -> Vec<(Text, AnyView)> {
    let row = &found.row;
    let text = |text: String| text.into_any();
    let mut all: Vec<(Text, AnyView)> = vec![
        (
            t!("clouds.kind").into(),
            text(known("foreign_kind", row.thing.as_str())),
        ),
        (t!("clouds.name").into(), text(row.backend.clone())),
        (
            t!("difference.external").into(),
            view! { <span class="mono">{row.external_id.clone()}</span> }.into_any(),
        ),
    ];
    if let Some(id) = &row.resource {
        let on = row.said.iter().find(|said| said.aspect == Aspect::Target);
        let disk = on.filter(|_| row.thing == ThingKind::Snapshot);
        let disk = disk.and_then(|said| said.ours.clone().or_else(|| said.cloud.clone()));
        let (href, name) = (
            routes::resource(id.as_str()),
            disk.unwrap_or_else(|| row.name.clone()),
        );
        let link = view! { <a href=href>{name}</a> }.into_any();
        let what = if row.thing == ThingKind::Snapshot {
            t!("difference.of_disk")
        } else if row.kind == DifferenceKind::Double {
            t!("difference.double_of")
        } else {
            t!("difference.resource")
        };
        all.push((what.into(), link));
    }
    if let Some(unit) = &row.unit_name {
        all.push((t!("resources.unit").into(), text(unit.clone())));
    }
    if let Some(system) = &row.system_name {
        all.push((t!("resources.system").into(), text(system.clone())));
    }
    let month = price(row.kind, row.month);
    all.push((t!("resources.month_yuan").into(), text(month)));
    all.push((t!("clouds.first_seen").into(), text(when(row.first_seen))));
    all.push((t!("clouds.last_seen").into(), text(when(row.last_seen))));
    if !row.operation.is_empty() {
        let operation = row.operation.clone();
        all.push((
            t!("operations.operation").into(),
            view! { <span class="mono">{operation}</span> }.into_any(),
        ));
    }
    let hung = &found.attachments;
    if !hung.is_empty() {
        let names: Vec<_> = hung.iter().map(|one| one.name.clone()).collect();
        all.push((t!("resources.attachments").into(), text(names.join(", "))));
    }
    all
}

fn acts(found: &DifferenceDetail) -> AnyView {
    let forms = found
        .may
        .iter()
        .map(|act| match act {
            Act::Restore => restore(&found.row, !found.attachments.is_empty()),
            Act::Follow => follow(&found.row),
            Act::FollowPower => follow_power(&found.row),
            Act::Adopt if found.row.thing == ThingKind::Snapshot => nobodys::keep(&found.row),
            // Shown where it can't be done too, with what stands against it.
            Act::Adopt => ().into_any(),
            Act::WriteOff => write_off(&found.row),
            Act::Remove => nobodys::remove(&found.row),
            Act::Note => note(&found.row),
        })
        .collect_view();
    view! {
        {adopt::panel(found)}
        {forms}
    }
    .into_any()
}

/// Whether the host would be resized back, which restarts it.
fn resized(row: &DifferenceRow) -> bool {
    let size = |said: &Said| matches!(said.aspect, Aspect::Vcpus | Aspect::Memory);
    row.said.iter().any(|said| said.differs() && size(said))
}

/// Whether making the cloud follow costs data, a restart or somebody's way in.
fn asks(row: &DifferenceRow) -> bool {
    matches!(row.kind, DifferenceKind::Missing | DifferenceKind::Stuck)
        || row.thing == ThingKind::Backup
        || resized(row)
        || rules::apart(row).is_some()
}

/// What is done to rules, and which ones.
fn about_rules(texts: &[&str], say: impl Fn(String) -> String) -> Option<AnyView> {
    let named = (!texts.is_empty()).then(|| say(rules::rules(texts.iter().copied())));
    named.map(|text| view! { <p>{text}</p> }.into_any())
}

/// What was read here: what has moved since is neither followed nor restored.
pub(super) fn seen(row: &DifferenceRow) -> AnyView {
    let digest = row.digest.clone();
    view! { <input type="hidden" name="digest" value=digest/> }.into_any()
}

/// What building a lost thing anew means, and what is ticked for it: of a host and a disk the data is
/// gone, of an address what others have written down of it, of a plan what it has kept.
fn anew(row: &DifferenceRow) -> (String, &'static str) {
    match row.thing {
        ThingKind::Volume => (
            t!("difference.rebuild_volume_note").to_owned(),
            t!("difference.rebuild_confirm"),
        ),
        ThingKind::Address => {
            let said = row.said.iter().find(|said| said.aspect == Aspect::Address);
            let address = said.and_then(|said| said.ours.clone()).unwrap_or_default();
            (
                t!("difference.rebuild_address_note", address = address),
                t!("difference.rebuild_address_confirm"),
            )
        }
        ThingKind::Backup => (
            t!("difference.rebuild_backup_note").to_owned(),
            t!("difference.rebuild_backup_confirm"),
        ),
        ThingKind::Network => (
            t!("difference.rebuild_network_note").to_owned(),
            t!("difference.rebuild_network_confirm"),
        ),
        ThingKind::Server | ThingKind::Snapshot => (
            t!("difference.rebuild_note").to_owned(),
            t!("difference.rebuild_confirm"),
        ),
    }
}

/// Making the cloud follow the portal. What costs data, a restart or somebody's way in asks for a tick.
fn restore(row: &DifferenceRow, hung: bool) -> AnyView {
    let (lost, stuck) = (
        row.kind == DifferenceKind::Missing,
        row.kind == DifferenceKind::Stuck,
    );
    let apart = rules::apart(row).map(Said::rules_apart);
    let closing = apart.as_ref().and_then(|(opened, _)| {
        about_rules(opened, |what| t!("difference.will_close", what = what))
    });
    let opening = apart.as_ref().and_then(|(_, closed)| {
        about_rules(closed, |what| t!("difference.will_open", what = what))
    });
    let (say, tick) = if lost {
        anew(row)
    } else if stuck {
        (
            t!("difference.restart_note").to_owned(),
            t!("difference.resize_confirm"),
        )
    } else if row.thing == ThingKind::Backup {
        (
            t!("difference.replan_note").to_owned(),
            t!("difference.rebuild_backup_confirm"),
        )
    } else if resized(row) {
        (
            t!("difference.resize_note").to_owned(),
            t!("difference.resize_confirm"),
        )
    } else {
        (
            t!("difference.restore_note").to_owned(),
            t!("difference.rules_confirm"),
        )
    };
    let hung = (lost && hung).then(|| view! { <p>{t!("difference.hung_note")}</p> });
    let confirm = asks(row).then(|| {
        view! {
            <FieldSet name="confirm_restore" legend=t!("difference.restore") hide_legend=true>
                <Check name="confirm_restore" value="yes">{tick}</Check>
            </FieldSet>
        }
    });
    let text = if lost {
        t!("difference.rebuild")
    } else if stuck {
        t!("difference.restart")
    } else {
        t!("difference.restore")
    };
    let kind = if lost { Kind::Bad } else { Kind::Main };
    let seen = seen(row);
    view! {
        <Panel title=text pad=true>
            <form method="post">
                <p>{say}</p>
                {closing}
                {opening}
                {hung}
                {confirm}
                {seen}
                <Button kind=kind name="do" value="restore">{text}</Button>
            </form>
        </Panel>
    }
    .into_any()
}

/// What becomes of a server's power, if that differs.
fn about_power(row: &DifferenceRow) -> Option<AnyView> {
    let power = row.said.iter().find(|said| said.aspect == Aspect::Power);
    power.filter(|said| said.differs()).map(|said| {
        let say = if said.cloud.as_deref() == Some(ServiceState::Running.as_str()) {
            t!("difference.follow_on")
        } else {
            t!("difference.follow_off")
        };
        view! { <p>{say}</p> }.into_any()
    })
}

/// Following in power where nobody may follow in rules, or wants to.
fn follow_power(row: &DifferenceRow) -> AnyView {
    let (power, seen) = (about_power(row), seen(row));
    view! {
        <Panel title=t!("difference.follow_power") pad=true>
            <form method="post">
                {power}
                <p>{t!("difference.follow_power_note")}</p>
                {seen}
                <Button name="do" value="follow_power">{t!("difference.follow_power")}</Button>
            </form>
        </Panel>
    }
    .into_any()
}

/// What of name and address is written down otherwise.
fn about_known(row: &DifferenceRow) -> AnyView {
    let otherwise =
        |said: &&Said| matches!(said.aspect, Aspect::Name | Aspect::Address) && said.differs();
    let say = |said: &Said| {
        let what = word("difference.aspect", said.aspect.as_str());
        let cloud = said.cloud.clone()?;
        let text = t!("difference.follow_known", what = what, cloud = cloud);
        Some(view! { <p>{text}</p> })
    };
    let all = row.said.iter().filter(otherwise);
    all.filter_map(say).collect_view().into_any()
}

fn follow(row: &DifferenceRow) -> AnyView {
    let (power, seen) = (about_power(row), seen(row));
    let known = about_known(row);
    let rules = rules::apart(row).map(|said| {
        let (opened, closed) = said.rules_apart();
        view! {
            <p>{t!("difference.follow_rules")}</p>
            {about_rules(&opened, |what| t!("difference.will_add", what = what))}
            {about_rules(&closed, |what| t!("difference.will_drop", what = what))}
        }
    });
    view! {
        <Panel title=t!("difference.follow") pad=true>
            <form method="post">
                {power}
                {rules}
                {known}
                {seen}
                <Button name="do" value="follow">{t!("difference.follow")}</Button>
            </form>
        </Panel>
    }
    .into_any()
}

fn write_off(row: &DifferenceRow) -> AnyView {
    let say = if row.thing == ThingKind::Snapshot {
        t!("difference.write_off_snapshot_note")
    } else if row.kind == DifferenceKind::Stuck {
        t!("difference.write_off_stuck_note")
    } else {
        t!("difference.write_off_note")
    };
    view! {
        <Panel title=t!("difference.write_off") pad=true>
            <form method="post">
                <p>{say}</p>
                <Field name="reason" label=t!("operations.reason") hint=t!("difference.reason_hint")>
                    <TextArea rows=2 maxlength=REASON_MAX required=true/>
                </Field>
                <FieldSet name="confirm_write_off" legend=t!("difference.write_off") hide_legend=true>
                    <Check name="confirm_write_off" value="yes">{t!("difference.write_off_confirm")}</Check>
                </FieldSet>
                <Button kind=Kind::Bad name="do" value="write_off">{t!("difference.write_off")}</Button>
            </form>
        </Panel>
    }
    .into_any()
}

fn note(row: &DifferenceRow) -> AnyView {
    let written = row.note.clone();
    view! {
        <Panel title=t!("difference.let_stand") pad=true>
            <form method="post">
                <p>{t!("difference.let_stand_note")}</p>
                <Field name="note" label=t!("difference.note") hint=t!("difference.note_hint")>
                    <TextArea rows=2 maxlength=REASON_MAX required=true value=written/>
                </Field>
                <Button name="do" value="note">{t!("difference.let_stand")}</Button>
            </form>
        </Panel>
    }
    .into_any()
}

/// The posts of the page.
pub mod ssr {
    use super::asks;
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::difference;
    use lingbao_model::{
        id::DifferenceId,
        money::Money,
        msg::{FieldError, Msg},
        view::difference::Act,
    };

    fn ticked(form: &Posted, name: &'static str) -> Result<(), Refused> {
        if form.value(name) == "yes" {
            Ok(())
        } else {
            Err(FieldError::new(name, Msg::new("difference.unconfirmed")).into())
        }
    }

    /// Restores, follows, takes over, writes off, deletes, or notes.
    ///
    /// # Errors
    /// What the service says; a message at the tick when it is missing.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let (cx, of) = (cx()?, id::<DifferenceId>(form.param("id"))?);
        let said = match form.value("do") {
            "restore" => {
                let row = difference::detail(&cx, &of).await?.row;
                if asks(&row) {
                    ticked(&form, "confirm_restore")?;
                }
                difference::restore(&cx, &of, form.value("digest")).await?;
                Msg::new("difference.restoring")
            }
            act @ ("follow" | "follow_power") => {
                let act = if act == "follow" {
                    Act::Follow
                } else {
                    Act::FollowPower
                };
                difference::follow(&cx, &of, form.value("digest"), act).await?;
                Msg::new("difference.was_followed")
            }
            "adopt" => {
                ticked(&form, "confirm_adopt")?;
                let month = form.value("month").parse().map(Money::from_fen);
                let month = month.map_err(|_| ApiError::not_found())?;
                difference::adopt(&cx, &of, form.value("digest"), month).await?;
                Msg::new("difference.was_adopted")
            }
            "keep" => {
                difference::keep(&cx, &of, form.value("digest")).await?;
                Msg::new("difference.was_kept")
            }
            "write_off" => {
                ticked(&form, "confirm_write_off")?;
                difference::write_off(&cx, &of, form.value("reason")).await?;
                Msg::new("difference.was_written_off")
            }
            "remove" => {
                difference::remove(&cx, &of, form.value("confirm")).await?;
                Msg::new("difference.removing")
            }
            "note" => {
                difference::note(&cx, &of, form.value("note")).await?;
                Msg::new("difference.was_noted")
            }
            _ => return Err(ApiError::not_found().into()),
        };
        Ok(Done::to(routes::difference(of.as_str())).say(said))
    }
}
