//! What may come in to a host: what its protection level lets in, read only, and its own rules.

use super::words::{against, below, moment, word};
use crate::{asked, error::ApiError, form::FormId, live, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    access_rule::{Cidr, MOST_RULES, NOTE_MAX, Opening, PortRange, Protocol, listener},
    view::resource::{AccessRuleRow, AccessRulesView},
};

/// What may come in to a host in the reader's sight.
///
/// # Errors
/// `NotFound`.
#[server(name = GetRules, prefix = "/fn", endpoint = "resources/rules", output = crate::json::Json)]
pub async fn rules(id: String) -> Result<AccessRulesView, ApiError> {
    let cx = crate::ssr::cx()?;
    Ok(lingbao_core::fulfil::access_rule::view(&cx, &crate::ssr::id(&id)?).await?)
}

/// The page.
#[component]
pub fn RulesPage() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version(&format!("resource:{}", id.get_untracked()));
    let found = Resource::new(move || (id.get(), version.get()), |(id, _)| rules(id));
    page_of(found, |found| view! { <Rules found/> }.into_any())
}

#[component]
fn Rules(found: AccessRulesView) -> impl IntoView {
    let crumbs = below(&found.resource, &found.name);
    let zone = if found.internet {
        t!("rules.internet")
    } else {
        t!("rules.inland")
    };
    let level = word("level", &found.level.to_string());
    let fact = format!("{} · {level} · {zone}", found.name);
    let banners = against([found.busy.as_ref(), found.closed.as_ref()]);
    let may = found.may;
    let own = own(&found.own, may);
    let form = may.then(|| form(&found));
    view! {
        <PageHead title=t!("rules.title") fact=fact crumbs/>
        <ErrorSummary/>
        {banners}
        <div class="gap-6">
            <Panel title=t!("rules.own")>{own}</Panel>
            {form}
            <Panel title=t!("rules.preset")>
                <p class="panel-pad sub">{t!("rules.preset_note")}</p>
                {preset(&found.preset)}
            </Panel>
        </div>
    }
}

/// Protocol and ports in words, with the name of what listens there as a rule.
fn what(protocol: Option<Protocol>, ports: Option<PortRange>) -> String {
    let Some(protocol) = protocol else {
        return t!("rules.anything").to_owned();
    };
    let name = protocol.as_str().to_uppercase();
    match ports {
        _ if protocol == Protocol::Icmp => t!("rules.ping").to_owned(),
        None => t!("rules.all_ports", protocol = name),
        Some(ports) => {
            let what = format!("{name} {ports}");
            match listener(ports.from).filter(|_| ports.from == ports.to) {
                Some(name) => t!("rules.named", what = what, name = name),
                None => what,
            }
        }
    }
}

fn from(source: Option<Cidr>) -> String {
    match source {
        None => t!("rules.peers").to_owned(),
        Some(Cidr::EVERYWHERE) => t!("rules.everywhere").to_owned(),
        Some(Cidr::EXTRANET) => t!("rules.extranet", network = Cidr::EXTRANET.to_string()),
        Some(network) => network.to_string(),
    }
}

/// One line for what comes in from several places.
fn preset(openings: &[Opening]) -> AnyView {
    if openings.is_empty() {
        return view! { <p class="panel-pad sub">{t!("rules.preset_none")}</p> }.into_any();
    }
    let mut lines: Vec<(Option<Protocol>, Option<PortRange>, String)> = Vec::new();
    for one in openings {
        let from = from(one.source);
        let same = lines
            .iter_mut()
            .find(|line| (line.0, line.1) == (one.protocol, one.ports));
        match same {
            Some(line) => {
                line.2.push_str(t!("rules.also"));
                line.2.push_str(&from);
            }
            None => lines.push((one.protocol, one.ports, from)),
        }
    }
    let lines = lines
        .into_iter()
        .map(|(protocol, ports, from)| {
            view! {
                <li>
                    <b class="lead">{what(protocol, ports)}</b>
                    <span class="sub">{from}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="rows rows-s">{lines}</ul> }.into_any()
}

fn own(rows: &[AccessRuleRow], may: bool) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="panel-pad sub">{t!("rules.own_none")}</p> }.into_any();
    }
    let columns = vec![
        col(t!("rules.what")),
        col(t!("rules.from")),
        col(t!("rules.note")),
        col(t!("rules.acts")).hidden(),
    ];
    let rows = rows.iter().map(|one| row(one, may)).collect_view();
    view! { <Table caption=t!("rules.own") columns flat=true>{rows}</Table> }.into_any()
}

fn row(one: &AccessRuleRow, may: bool) -> AnyView {
    let by = one
        .by
        .clone()
        .unwrap_or_else(|| t!("resources.by_itself").to_owned());
    let said = format!("{by} {}", moment(one.at));
    let (id, note) = (one.id.to_string(), one.note.clone());
    let name = what(Some(one.rule.protocol), one.rule.ports);
    let source = from(Some(one.rule.source));
    let remove = may.then(|| {
        view! {
            <form method="post">
                <FormId/>
                <input type="hidden" name="rule" value=id/>
                <Confirm act=t!("rules.remove") note=t!("rules.remove_note") value="remove" small=true/>
            </form>
        }
    });
    view! {
        <Row>
            <RowHead name/>
            <Cell l=t!("rules.from")><span class="mono">{source}</span></Cell>
            <Cell l=t!("rules.note")>{note}<span class="sub">{said}</span></Cell>
            <Cell l=t!("rules.acts")><div class="acts">{remove}</div></Cell>
        </Row>
    }
    .into_any()
}

fn form(found: &AccessRulesView) -> AnyView {
    let max = i64::try_from(MOST_RULES).unwrap_or(i64::MAX);
    if found.own.len() >= MOST_RULES {
        let full = t!("rules.full", max = max);
        return view! { <Banner>{full}</Banner> }.into_any();
    }
    let protocols: Vec<Opt> = Protocol::ALL
        .iter()
        .map(|one| (one.to_string(), one.as_str().to_uppercase()))
        .collect();
    let hint = match found.network.clone() {
        Some(network) => t!(
            "rules.source_hint_own",
            network = network,
            extranet = Cidr::EXTRANET.to_string()
        ),
        None => t!("rules.source_hint").to_owned(),
    };
    let note_max = u32::try_from(NOTE_MAX).unwrap_or(u32::MAX);
    view! {
        <Panel title=t!("rules.add")>
            <form method="post" class="panel-pad narrow">
                <FormId/>
                <p class="sub">{t!("rules.effect", max = max)}</p>
                <p class="sub">{t!("rules.law")}</p>
                <FieldSet name="protocol" legend=t!("rules.protocol")>
                    <Seg name="protocol" options=protocols value="tcp"/>
                </FieldSet>
                <Field name="ports" label=t!("rules.ports") hint=t!("rules.ports_hint")>
                    <TextInput maxlength=20_u32 width=Width::S/>
                </Field>
                <Field name="source" label=t!("rules.from") hint=hint>
                    <TextInput maxlength=20_u32 width=Width::M/>
                </Field>
                <Field name="note" label=t!("rules.note") optional=true>
                    <TextInput maxlength=note_max/>
                </Field>
                <div class="field">
                    <Button kind=Kind::Main name="do" value="add">{t!("rules.add")}</Button>
                </div>
            </form>
        </Panel>
    }
    .into_any()
}

/// The post of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::fulfil::access_rule;
    use lingbao_model::{access_rule::AccessRuleForm, id::ResourceId, msg::Msg};

    /// Adds a rule, or removes one.
    ///
    /// # Errors
    /// The page again, with the reason.
    pub async fn submit(form: Posted) -> Result<Done, Refused> {
        let (cx, of) = (cx()?, id::<ResourceId>(form.param("id"))?);
        let said = match form.value("do") {
            "add" => {
                let typed = AccessRuleForm {
                    protocol: form.value("protocol").to_owned(),
                    ports: form.value("ports").to_owned(),
                    source: form.value("source").to_owned(),
                    note: form.value("note").to_owned(),
                };
                access_rule::add(&cx, &of, &typed, form.form_id()).await?;
                "rules.adding"
            }
            "remove" => {
                let rule = id(form.value("rule"))?;
                access_rule::remove(&cx, &of, &rule, form.form_id()).await?;
                "rules.removing"
            }
            _ => return Err(ApiError::not_found().into()),
        };
        Ok(Done::to(routes::rules(of.as_str())).say(Msg::new(said)))
    }
}
