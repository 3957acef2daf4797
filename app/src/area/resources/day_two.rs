//! What is done at once to what runs: restart, console, rules, a new password, its system anew, attaching.
//! The page stays calm: these stand in a panel of their own, each with what it leads to.

use crate::{form::FormId, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Fulfiller,
    resource::ServiceState,
    view::resource::{Act, ResourceDetail},
};

/// Under this name the page finds the console's address that was just fetched. Only the answer to
/// the post has it; it is stored nowhere. A posted value of such a name never comes back into a page,
/// so nobody can put a link of their own there.
pub const CONSOLE: &str = "console_token";

/// The panel; nothing if there is nothing to do.
pub fn operations(found: &ResourceDetail, console: Option<String>) -> Option<AnyView> {
    let may = |act: Act| found.may.contains(&act);
    let mut rows: Vec<AnyView> = Vec::new();
    if may(Act::Console) || console.is_some() {
        rows.push(row(
            t!("resources.console"),
            t!("resources.console_note"),
            console_act(console),
        ));
    }
    if may(Act::Restart) {
        let act = view! {
            <form method="post">
                <FormId/>
                <Confirm act=t!("resources.restart") note=t!("resources.restart_note") value="restart"/>
            </form>
        };
        rows.push(row(
            t!("resources.restart"),
            t!("resources.no_effect"),
            act.into_any(),
        ));
    }
    if found.row.kind == Fulfiller::Server && found.row.service != ServiceState::Released {
        let href = routes::rules(found.row.id.as_str());
        let link = view! { <LinkButton href=href>{t!("resources.rules_open")}</LinkButton> };
        rows.push(row(
            t!("resources.rules"),
            t!("resources.rules_note"),
            link.into_any(),
        ));
    }
    if may(Act::NewPassword) {
        let act = view! {
            <form method="post">
                <FormId/>
                <Confirm act=t!("resources.new_password") note=t!("resources.new_password_note") value="new_password"/>
            </form>
        };
        rows.push(row(
            t!("resources.new_password"),
            t!("resources.new_password_effect"),
            act.into_any(),
        ));
    }
    if may(Act::Reinstall) {
        let href = routes::reinstall(found.row.id.as_str());
        let link = view! { <LinkButton href=href>{t!("resources.reinstall_open")}</LinkButton> };
        rows.push(row(
            t!("resources.reinstall"),
            t!("resources.reinstall_effect"),
            link.into_any(),
        ));
    }
    if may(Act::Detach) {
        let act = view! {
            <form method="post">
                <FormId/>
                <Confirm act=t!("resources.detach") note=t!("resources.detach_note") value="detach"/>
            </form>
        };
        rows.push(row(
            t!("resources.detach"),
            t!("resources.no_effect"),
            act.into_any(),
        ));
    }
    let attach = may(Act::Attach).then(|| attach(found));
    if rows.is_empty() && attach.is_none() {
        return None;
    }
    let list = (!rows.is_empty()).then(|| view! { <ul class="rows r-act">{rows}</ul> });
    Some(
        view! {
            <Panel title=t!("resources.operations")>
                {list}
                {attach}
            </Panel>
        }
        .into_any(),
    )
}

fn row(name: &'static str, note: &'static str, act: AnyView) -> AnyView {
    view! {
        <li>
            <span>
                <b class="lead">{name}</b>
                <span class="sub">{note}</span>
            </span>
            {act}
        </li>
    }
    .into_any()
}

/// The button that asks for the console, or the link that came: a key to the host, opened in a window
/// that knows nothing of this one.
fn console_act(link: Option<String>) -> AnyView {
    match link {
        None => view! {
            <form method="post">
                <Button icon="desk" name="do" value="console">{t!("resources.console_ask")}</Button>
            </form>
        }
        .into_any(),
        Some(href) => view! {
            <a class="btn btn-main" href=href target="_blank" rel="noopener noreferrer" referrerpolicy="no-referrer">
                {t!("resources.console_open")}
            </a>
        }
        .into_any(),
    }
}

fn attach(found: &ResourceDetail) -> AnyView {
    if found.hosts.is_empty() {
        return view! { <p class="panel-pad sub">{t!("resources.no_hosts")}</p> }.into_any();
    }
    let options: Vec<Opt> = found
        .hosts
        .iter()
        .map(|host| (host.id.to_string(), host.name.clone()))
        .collect();
    view! {
        <form method="post" class="panel-pad narrow">
            <FormId/>
            <Field name="host" label=t!("resources.attach_to") hint=t!("resources.attach_hint")>
                <Select options/>
            </Field>
            <div class="field">
                <Button name="do" value="attach">{t!("resources.attach")}</Button>
            </div>
        </form>
    }
    .into_any()
}
