//! One resource: what it is, what happened, what may be done to it.

use super::{
    backups, day_two, ending, snapshots,
    words::{billing, day, moment, service, word},
};
use crate::{asked, error::ApiError, facts, form::use_form, i18n, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Fulfiller,
    resource::{EventKind, ServiceState},
    view::{
        difference::DifferenceKind,
        resource::{Act, CloudWord, Related, ResourceDetail},
    },
};

/// Under this name the page finds the password that was just shown. Only the answer to the post
/// has it; it is stored nowhere.
const SHOWN: &str = "shown";

/// One resource in the reader's sight.
///
/// # Errors
/// `NotFound`.
#[server(name = GetResource, prefix = "/fn", endpoint = "resources/detail", output = crate::json::Json)]
pub async fn resource(id: String) -> Result<ResourceDetail, ApiError> {
    use lingbao_core::service::{notice, resource};
    let cx = crate::ssr::cx()?;
    let found = resource::detail(&cx, &crate::ssr::id(&id)?).await?;
    notice::seen(&cx, &routes::resource(&id)).await;
    notice::seen(&cx, &format!("{}#term", routes::resource(&id))).await;
    Ok(found)
}

/// The page.
#[component]
pub fn ResourcePage() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version(&format!("resource:{}", id.get_untracked()));
    let found = Resource::new(move || (id.get(), version.get()), |(id, _)| resource(id));
    page_of(found, |found| view! { <Detail found/> }.into_any())
}

#[component]
fn Detail(found: ResourceDetail) -> impl IntoView {
    let mut found = found;
    // What the cloud does not have can't be switched or changed; it can be given back.
    let lost = found.cloud.as_ref().and_then(|word| word.kind) == Some(DifferenceKind::Missing);
    found.may.retain(|act| !lost || *act == Act::Release);
    let form = use_form();
    let shown = form.value(SHOWN).map(ToOwned::to_owned);
    let crumbs = vec![(t!("nav.resources").to_owned(), routes::RESOURCES.to_owned())];
    let row = found.row.clone();
    let fact = format!(
        "{} · {} · {}",
        facts::label(&row.item_name),
        row.system_name,
        row.unit_name
    );
    let acts = acts(&found);
    let busy = found.busy.as_ref().map(|msg| {
        let text = i18n::msg(msg);
        view! { <Banner>{text}</Banner> }
    });
    let releasing = found.release_request.is_some().then(|| {
        view! { <Banner tone=Tone::Warn>{t!("resources.releasing")}</Banner> }
    });
    let cloud = found.cloud.as_ref().map(cloud_banner);
    let ending = ending::banner(&found);
    let changing = found
        .change_request
        .as_ref()
        .filter(|_| found.busy.is_none())
        .map(|number| {
            let text = t!("resources.changing", number = number.clone());
            let href = routes::request(number);
            view! { <Banner tone=Tone::Warn><a href=href>{text}</a></Banner> }
        });
    let secret = secret(&found, shown);
    let console = form.value(day_two::CONSOLE).map(ToOwned::to_owned);
    let operations = day_two::operations(&found, console);
    let kept = snapshots::panel(&found);
    let backed_up = backups::panel(&found);
    let events = found
        .events
        .iter()
        .map(|event| {
            let title = word("resource.event", event.kind.as_str());
            let who = event
                .actor
                .clone()
                .unwrap_or_else(|| t!("resources.by_itself").to_owned());
            Event {
                shape: shape(event.kind),
                title: view! { <b>{title}</b>" "<span class="sub">{who}</span> }.into_any(),
                when: moment(event.at),
                say: event
                    .change
                    .as_ref()
                    .map(facts::steps_line)
                    .unwrap_or_default(),
            }
        })
        .collect::<Vec<_>>();
    let (title, state, charged) = (row.name, row.service, row.billing);
    let (spec, place) = (spec(&found), place(&found));
    let attached = attachments(found.attachments);
    let aside = view! { <Panel title=t!("resources.events") pad=true><Timeline events dense=true/></Panel> }.into_any();
    view! {
        <PageHead title=title fact=fact crumbs acts>
            {if lost {
                view! { <Chip look=Look::Bad text=word("difference.kind", "missing")/> }.into_any()
            } else {
                service(state).into_any()
            }} " " {billing(charged)}
        </PageHead>
        <ErrorSummary/>
        {cloud}
        {busy}
        {releasing}
        {ending}
        {changing}
        <Columns aside>
            {secret}
            {operations}
            <Panel title=t!("resources.spec") pad=true>
                <Facts facts=spec/>
            </Panel>
            <Panel title=t!("resources.place") pad=true>
                <Facts facts=place/>
            </Panel>
            {kept}
            {backed_up}
            {attached}
        </Columns>
    }
}

/// The cloud says otherwise, or nothing.
fn cloud_banner(word: &CloudWord) -> AnyView {
    let silent = word.silent.then(|| match word.answered_at {
        Some(at) => t!("resources.cloud_silent", at = moment(at)),
        None => t!("resources.cloud_never").to_owned(),
    });
    let link = word.difference.as_ref().map(
        |id| view! { <a href=routes::difference(id.as_str())>{t!("resources.cloud_more")}</a> },
    );
    let says = word.kind.zip(word.since).map(|(kind, since)| {
        let at = moment(since);
        let (tone, text) = match kind {
            DifferenceKind::Missing => (Tone::Bad, t!("resources.cloud_missing", at = at)),
            DifferenceKind::Stuck => (Tone::Warn, t!("resources.cloud_stuck", at = at)),
            DifferenceKind::Changed | DifferenceKind::Foreign | DifferenceKind::Double => {
                (Tone::Warn, t!("resources.cloud_changed", at = at))
            }
        };
        view! { <Banner tone=tone>{text} " " {link}</Banner> }
    });
    let silent = silent.map(|text| view! { <Banner tone=Tone::Warn>{text}</Banner> });
    view! {
        {says}
        {silent}
    }
    .into_any()
}

fn shape(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Delivered
        | EventKind::TrialStarted
        | EventKind::BillingStarted
        | EventKind::Started
        | EventKind::Restored
        | EventKind::TakenIn
        | EventKind::Followed
        | EventKind::Restarted
        | EventKind::SnapshotTaken
        | EventKind::SnapshotRestored
        | EventKind::BackupRestored
        | EventKind::SnapshotTakenIn
        | EventKind::Attached
        | EventKind::RulesChanged
        | EventKind::PasswordRenewed
        | EventKind::Reinstalled
        | EventKind::Resized
        | EventKind::Extended
        | EventKind::Replanned
        | EventKind::Renewed
        | EventKind::Repriced
        | EventKind::TakenBack => "ok",
        EventKind::Stopped | EventKind::SnapshotDeleted | EventKind::Detached => "wait",
        EventKind::ReleaseStarted | EventKind::EraseStarted => "act",
        EventKind::WrittenOff | EventKind::SnapshotLost | EventKind::ReinstallFailed => "bad",
        EventKind::Recycled | EventKind::Released | EventKind::TakenOut => "stop",
    }
}

fn text(text: impl Into<String>) -> AnyView {
    text.into().into_any()
}

fn spec(found: &ResourceDetail) -> Vec<(Text, AnyView)> {
    let row = &found.row;
    let mut all: Vec<(Text, AnyView)> = row
        .facts
        .iter()
        .map(|fact| (facts::label(&fact.label).into(), text(facts::value(fact))))
        .collect();
    all.push((
        t!("resources.month").into(),
        text(format!(
            "{} {}",
            row.month.yuan(),
            t!("resources.yuan_month")
        )),
    ));
    all.push((t!("resources.since").into(), text(moment(row.delivered_at))));
    all.push((t!("resources.until").into(), text(day(row.expires_at))));
    let moments = [
        (t!("resources.confirmed_at"), found.confirmed_at),
        (t!("resources.trial_until"), found.trial_until),
        (t!("resources.billing_from"), found.billing_from),
        (t!("resources.released_at"), found.released_at),
    ];
    all.extend(
        moments
            .into_iter()
            .filter_map(|(name, at)| Some((name.into(), text(day(at?))))),
    );
    all
}

fn place(found: &ResourceDetail) -> Vec<(Text, AnyView)> {
    let row = &found.row;
    let number = found.request_number.clone();
    let mut all: Vec<(Text, AnyView)> = vec![
        (
            t!("resources.kind").into(),
            text(word("resource.kind", row.kind.as_str())),
        ),
        (t!("resources.system").into(), text(row.system_name.clone())),
    ];
    if let Some(address) = &row.address {
        all.push((
            t!("resources.address").into(),
            view! { <span class="mono">{address.clone()}</span> }.into_any(),
        ));
    }
    let places = [
        (t!("resources.zone"), &row.zone_name),
        (t!("resources.pool"), &row.pool_name),
    ];
    all.extend(
        places
            .into_iter()
            .filter_map(|(name, label)| Some((name.into(), text(facts::label(label.as_ref()?))))),
    );
    if let Some(level) = row.level {
        all.push((
            t!("resources.level").into(),
            text(word("level", &level.to_string())),
        ));
    }
    if let Some(target) = found.attached_to.clone() {
        all.push((
            t!("resources.attached_to").into(),
            related(target).into_any(),
        ));
    }
    if let Some(disk) = found.made_from.clone() {
        all.push((t!("resources.made_from").into(), related(disk).into_any()));
    }
    if row.kind == Fulfiller::Server && row.service != ServiceState::Released {
        all.push((
            t!("usage.title").into(),
            view! { <a href=routes::usage(row.id.as_str())>{t!("usage.see")}</a> }.into_any(),
        ));
    }
    all.push((
        t!("resources.request").into(),
        view! {
            <a href=routes::request(&number)>{number.clone()}</a>
            " · "
            <a href=routes::delivery(found.request.as_str())>{t!("delivery.title")}</a>
        }
        .into_any(),
    ));
    all
}

fn related(one: Related) -> impl IntoView {
    view! { <a href=routes::resource(one.id.as_str())>{one.name}</a> }
}

fn attachments(all: Vec<Related>) -> Option<impl IntoView> {
    (!all.is_empty()).then(|| {
        view! {
            <Panel title=t!("resources.attachments")>
                <ul class="rows rows-s">
                    {all
                        .into_iter()
                        .map(|one| {
                            let kind = word("resource.kind", one.kind.as_str());
                            view! { <li>{related(one)}<span class="sub">{kind}</span></li> }
                        })
                        .collect_view()}
                </ul>
            </Panel>
        }
    })
}

/// Switching and giving back. Asking for a release is a form of its own, because it needs a reason.
fn acts(found: &ResourceDetail) -> AnyView {
    let id = found.row.id.to_string();
    // Who looks after fulfilment goes from a resource to what was done to it.
    let operates = crate::viewer::use_viewer().is_some_and(|viewer| viewer.can("operate"));
    let fulfilment = operates.then(|| {
        let href = routes::with_query(routes::OPERATIONS, &[("resource", &id)]);
        view! { <LinkButton href icon="tool">{t!("operations.list")}</LinkButton> }
    });
    let mut may = found.may.clone();
    // What can't be undone stands last.
    may.sort_by_key(|act| *act == Act::Release);
    let all = may
        .iter()
        .map(|act| match act {
            Act::Start => button("start", "play", t!("resources.start")),
            Act::Stop => view! {
                <form method="post">
                    <Confirm act=t!("resources.stop") note=t!("resources.stop_note") value="stop"/>
                </form>
            }
            .into_any(),
            Act::Resize | Act::Extend | Act::Plan | Act::Renew => {
                let href = routes::change(&id, act.as_str(), "");
                let text = word("resources", act.as_str());
                view! { <LinkButton href=href>{text}</LinkButton> }.into_any()
            }
            Act::Release => {
                let href = routes::with_query("/requests/release", &[("resource", &id)]);
                view! { <LinkButton href=href kind=Kind::Bad icon="bin">{t!("resources.release")}</LinkButton> }.into_any()
            }
            // In panels of their own, or on the page of the bin.
            Act::TakeBack
            | Act::Erase
            | Act::ShowSecret
            | Act::Restart
            | Act::Console
            | Act::Snapshot
            | Act::Restore
            | Act::RestoreBackup
            | Act::Attach
            | Act::Detach
            | Act::Rules
            | Act::NewPassword
            | Act::Reinstall => ().into_any(),
        })
        .collect_view();
    view! {
        {fulfilment}
        {all}
    }
    .into_any()
}

fn button(act: &'static str, icon: &'static str, text: &'static str) -> AnyView {
    view! {
        <form method="post">
            <Button icon name="do" value=act>{text}</Button>
        </form>
    }
    .into_any()
}

/// The one-time password: asked for with a tick, because it is shown once and to nobody again.
fn secret(found: &ResourceDetail, shown: Option<String>) -> Option<AnyView> {
    if let Some(password) = shown {
        let panel = view! {
            <Panel title=t!("resources.secret") pad=true>
                <p class="sum"><b class="mono">{password}</b></p>
                <p class="hint">{t!("resources.secret_shown")}</p>
            </Panel>
        };
        return Some(panel.into_any());
    }
    found.may.contains(&Act::ShowSecret).then(|| {
        view! {
            <Panel title=t!("resources.secret") pad=true>
                <form method="post">
                    <FieldSet name="confirm" legend=t!("resources.secret") hint=t!("resources.secret_hint") hide_legend=true>
                        <Check name="confirm" value="yes">{t!("resources.secret_confirm")}</Check>
                    </FieldSet>
                    <Button icon="key" name="do" value="secret">{t!("resources.secret_show")}</Button>
                </form>
            </Panel>
        }
        .into_any()
    })
}

/// The posts of the page.
pub mod ssr {
    use super::SHOWN;
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::{
        Cx,
        fulfil::{access_rule, acts, power},
        service::{console, resource},
    };
    use lingbao_model::{
        id::{ResourceId, SnapshotId},
        msg::{FieldError, Msg},
    };

    /// Does what was pressed, or shows the one-time password or the way to the console.
    ///
    /// # Errors
    /// What the services say; the page itself with what is shown once.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let (cx, of) = (cx()?, id::<ResourceId>(form.param("id"))?);
        let on = match form.value("do") {
            "start" => true,
            "stop" => false,
            "secret" => {
                if form.value("confirm") != "yes" {
                    return Err(FieldError::new(
                        "confirm",
                        Msg::new("resources.secret_unconfirmed"),
                    )
                    .into());
                }
                let password = resource::show_secret(&cx, &of).await?;
                return Err(Refused::Show(vec![(SHOWN.to_owned(), password)]));
            }
            "console" => {
                let link = console::open(&cx, &of).await?;
                let shown = vec![(super::day_two::CONSOLE.to_owned(), link.url)];
                return Err(Refused::Show(shown));
            }
            other => {
                let said = day_two(&cx, &of, other, &form).await?;
                return Ok(Done::to(routes::resource(of.as_str())).say(Msg::new(said)));
            }
        };
        power::switch(&cx, &of, on).await?;
        let said = if on {
            Msg::new("resources.starting")
        } else {
            Msg::new("resources.stopping")
        };
        Ok(Done::to(routes::resource(of.as_str())).say(said))
    }

    /// What is asked for at once; gives what to say.
    async fn day_two(
        cx: &Cx,
        of: &ResourceId,
        what: &str,
        form: &Posted,
    ) -> Result<&'static str, Refused> {
        let sent = form.form_id();
        match what {
            "restart" => {
                acts::restart(cx, of, sent).await?;
                Ok("resources.restarting")
            }
            "snapshot" => {
                acts::take_snapshot(cx, of, form.value("name"), form.value("note"), sent).await?;
                Ok("resources.snapshot_taking")
            }
            "delete_snapshot" => {
                let snapshot = id::<SnapshotId>(form.value("snapshot"))?;
                acts::delete_snapshot(cx, of, &snapshot, sent).await?;
                Ok("resources.snapshot_deleting")
            }
            "new_password" => {
                access_rule::new_password(cx, of, sent).await?;
                Ok("resources.new_password_begun")
            }
            "attach" => {
                let host = form.value("host").parse().map_err(|_| {
                    Refused::from(FieldError::new("host", Msg::new("error.not_in_list")))
                })?;
                acts::attach(cx, of, &host, sent).await?;
                Ok("resources.attaching")
            }
            "detach" => {
                acts::detach(cx, of, sent).await?;
                Ok("resources.detaching")
            }
            _ => Err(ApiError::not_found().into()),
        }
    }
}
