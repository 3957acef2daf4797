//! The cart: what goes into one request, what it costs, what will become of it.

use crate::{
    error::{ApiError, ErrorCode},
    facts,
    form::{FORM_ID, use_form},
    i18n,
    island::CartPanel,
    routes, t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use lingbao_model::{
    request::Status,
    text::REASON_MAX,
    time::Zone,
    view::request::{ApproverView, CartView, HeadForm, LineView, StageView},
};

/// A draft or a returned request; the current draft without an id.
///
/// # Errors
/// `NotFound`.
#[server(name = GetCart, prefix = "/fn", endpoint = "order/cart", output = crate::json::Json)]
pub async fn get_cart(id: String) -> Result<CartView, ApiError> {
    use lingbao_core::service::cart;
    let cx = crate::ssr::cx()?;
    if id.is_empty() {
        return Ok(cart::current(&cx).await?);
    }
    Ok(cart::open(&cx, &crate::ssr::id(&id)?).await?)
}

/// The page.
#[component]
pub fn Cart() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|p| p.get("id").unwrap_or_default()));
    let ask = Memo::new(move |_| query.with(|q| q.get("quota").as_deref() == Some("1")));
    let cart = Resource::new(move || id.get(), get_cart);
    view! {
        <Transition>
            {move || {
                let ask = ask.get();
                Suspend::new(async move {
                    match cart.await {
                        Ok(cart) => view! { <Shown cart ask/> }.into_any(),
                        // A request by now: an old link, or the back button.
                        Err(error) if error.code == ErrorCode::Conflict => view! {
                            <PageHead title=t!("nav.cart")/>
                            <Banner>
                                {i18n::msg(&error.msg)}
                                " "
                                <a href=routes::request(&id.get_untracked())>{t!("approvals.see_request")}</a>
                            </Banner>
                        }
                        .into_any(),
                        Err(error) => view! { <Refusal error/> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn Shown(cart: CartView, ask: bool) -> impl IntoView {
    let fact = match cart.status {
        Status::Returned => t!("cart.returned").to_owned(),
        _ => t!("cart.saved", at = cart.saved_at.minute_text(Zone::SHANGHAI)),
    };
    let asked = cart.asked.as_ref().map(|o| {
        let said = t!("cart.asked", who = o.by_name.clone(), text = o.text.clone());
        view! { <Banner tone=Tone::Warn>{said}</Banner> }
    });
    let pools = cart.pools.clone();
    if cart.lines.is_empty() {
        // What was written about it, and what a leader asked for, outlives the last line.
        let begun = cart.status == Status::Returned
            || cart.system.is_some()
            || !cart.title.is_empty()
            || !cart.reason.is_empty();
        let first = t!("cart.first");
        let act = if begun {
            // The first button is the one that Enter presses.
            view! {
                <button hidden form=FORM name="do" value="save"></button>
                <button class="btn btn-main" form=FORM name="do" value="more">{first}</button>
            }
            .into_any()
        } else {
            let href = routes::catalogue(cart.id.as_str());
            view! { <LinkButton href kind=Kind::Main>{first}</LinkButton> }.into_any()
        };
        return view! {
            <PageHead title=t!("nav.cart") fact/>
            <ErrorSummary/>
            {asked}
            {notes()}
            <section class="panel">
                <Empty icon="case" title=t!("cart.empty") note=t!("cart.empty_note") act/>
            </section>
            {begun.then(|| view! { <Head cart=cart.clone() ask pools/> })}
        }
        .into_any();
    }
    let outdated = cart.lines.iter().any(|l| l.outdated.is_some());
    let columns = vec![
        col(t!("requests.item")),
        col(t!("requests.spec")),
        col(t!("requests.count")).class("num"),
        col(t!("requests.month")).class("num"),
        col(t!("cart.acts")).hidden(),
    ];
    let rows = cart.lines.iter().map(row).collect_view();
    // All acts send the one form below, so that none of them loses what was typed there. The first
    // button is the one that Enter presses.
    let acts = view! {
        <button hidden form=FORM name="do" value="save"></button>
        <button class="btn" form=FORM name="do" value="more"><Icon name="plus"/>{t!("cart.go_on")}</button>
    };
    let total = view! {
        <Row>
            <RowHead name=t!("cart.total")/>
            <Cell l="">""</Cell>
            <Cell l="">""</Cell>
            <Cell l=t!("requests.month") class="num">{facts::charge(cart.verdict.month, cart.verdict.once)}</Cell>
            <Cell l="">""</Cell>
        </Row>
    }
    .into_any();
    view! {
        <PageHead title=t!("nav.cart") fact acts=acts.into_any()/>
        <ErrorSummary/>
        {asked}
        {notes()}
        {outdated
            .then(|| {
                view! {
                    <Banner tone=Tone::Warn>
                        {t!("cart.outdated")}
                        " "
                        <button class="btn btn-sm" form=FORM name="do" value="refresh">{t!("cart.refresh")}</button>
                    </Banner>
                }
            })}
        <TableBox>
            <Table caption=t!("requests.lines") columns foot=total>{rows}</Table>
        </TableBox>
        <Head cart=cart.clone() ask pools/>
    }
    .into_any()
}

/// Id of the page's one form.
const FORM: &str = "cart";

/// What was left out or has another price in a copy or a renewed cart; once, after it was made.
fn notes() -> Option<AnyView> {
    let notes = use_form().notes;
    if notes.is_empty() {
        return None;
    }
    let notes = notes
        .iter()
        .map(|note| view! { <li>{i18n::msg(note)}</li> });
    let notes = notes.collect_view();
    Some(view! { <Banner tone=Tone::Warn><ul>{notes}</ul></Banner> }.into_any())
}

fn row(view: &LineView) -> AnyView {
    let line = &view.line;
    let place = [view.zone_name.as_ref(), view.pool_name.as_ref()]
        .into_iter()
        .flatten()
        .map(i18n::label)
        .collect::<Vec<_>>();
    let position = t!("cart.position", n = line.position);
    let mut sub = format!("{position} · {}", line.name);
    if let Some((position, name)) = &view.attached_to {
        let position = t!("cart.position", n = *position);
        sub = format!("{sub} → {position} · {name}");
    }
    let money = facts::charge(line.quote.month, line.quote.once);
    let outdated = view
        .outdated
        .as_ref()
        .map(|m| view! { <div class="sub bad">{i18n::msg(m)}</div> });
    let spec = facts::joined([facts::line(&view.facts), place.join(" · ")]);
    let (edit, remove) = (
        format!("edit {} {}", line.id, line.code),
        format!("remove {}", line.id),
    );
    let count = line.count;
    let name = i18n::label(&line.item_name);
    view! {
        <Row>
            <RowHead name sub/>
            <Cell l=t!("requests.spec")>{spec}{outdated}</Cell>
            <Cell l=t!("requests.count") class="num">{count}</Cell>
            <Cell l=t!("requests.month") class="num">{money}</Cell>
            <Cell l="">
                <span class="acts">
                    <button class="btn btn-bare btn-sm" form=FORM name="do" value=edit>{t!("cart.edit")}</button>
                    <button class="btn btn-bare btn-sm" form=FORM name="do" value=remove>{t!("cart.remove")}</button>
                </span>
            </Cell>
        </Row>
    }
    .into_any()
}

/// System, title, reason, and the submit with the verdict beside it.
#[component]
fn Head(
    cart: CartView,
    ask: bool,
    pools: Vec<(lingbao_model::id::PoolId, lingbao_model::msg::Label)>,
) -> impl IntoView {
    let form_id = use_form()
        .value(FORM_ID)
        .map_or(cart.form_id.clone(), ToOwned::to_owned);
    let mut systems: Vec<Opt> = vec![(String::new(), t!("cart.choose_system").into())];
    systems.extend(
        cart.systems
            .iter()
            .map(|s| (s.id.to_string(), s.name.clone())),
    );
    let system = cart
        .system
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let short = !cart.verdict.shortfalls.is_empty() || cart.with_quota_change || ask;
    let saved = HeadForm {
        system: system.clone(),
        title: cart.title.clone(),
        reason: cart.reason.clone(),
        with_quota_change: cart.with_quota_change,
    };
    view! {
        <form class="cols" method="post" id=FORM>
            <div class="panel">
                <input type="hidden" name="cart" value=cart.id.to_string()/>
                <input type="hidden" name="version" value=cart.version.to_string()/>
                <input type="hidden" name=FORM_ID value=form_id/>
                <FormSection title=t!("cart.about") note=t!("cart.about_note")>
                    <Field name="system" label=t!("requests.system")>
                        <Select options=systems value=system width=Width::L/>
                    </Field>
                    <div class="field acts">
                        <Button size=Size::Small icon="plus" name="do" value="system">{t!("cart.new_system")}</Button>
                        <Button size=Size::Small name="do" value="edit_system">{t!("cart.edit_system")}</Button>
                    </div>
                    <Field name="title" label=t!("cart.title")>
                        <TextInput value=cart.title.clone() maxlength=60_u32/>
                    </Field>
                    <Field name="reason" label=t!("requests.reason") hint=t!("cart.reason_hint")>
                        <TextArea value=cart.reason.clone() maxlength=REASON_MAX/>
                    </Field>
                    {short
                        .then(|| {
                            view! {
                                <Check name="with_quota_change" checked=cart.with_quota_change || ask>{t!("cart.with_quota")}</Check>
                            }
                        })}
                </FormSection>
                {approvers(&cart.route)}
            </div>
            <CartPanel
                form=FORM.to_owned()
                cart=cart.id.to_string()
                version=cart.version
                saved
                verdict=cart.verdict
                missing=cart.problems
                pools
                returned=cart.status == Status::Returned
            />
        </form>
    }
}

/// Who would decide, by name, and within how many working days, by what the cart holds as the page is
/// made; and where nobody is there who could.
fn approvers(route: &[StageView]) -> Option<AnyView> {
    if route.is_empty() {
        return None;
    }
    let mut groups = route.iter().flat_map(|stage| &stage.approvers);
    let nobody = groups.any(|group| group.people.is_empty());
    let stages = route.iter().map(|stage| {
        let name = i18n::label(&stage.name);
        let who: Vec<String> = stage.approvers.iter().map(approver).collect();
        let days = t!("cart.stage_days", n = i64::from(stage.due_days));
        let who = who.join(" / ");
        view! { <li>{format!("{name} · {who} · {days}")}</li> }
    });
    let stages = stages.collect_view();
    Some(
        view! {
            <FormSection title=t!("cart.approvers") note=t!("cart.approvers_note")>
                {nobody.then(|| view! { <Banner tone=Tone::Warn>{t!("cart.nobody_there")}</Banner> })}
                <ol>{stages}</ol>
            </FormSection>
        }
        .into_any(),
    )
}

fn approver(group: &ApproverView) -> String {
    if group.people.is_empty() {
        return t!("cart.approver_nobody", unit = group.unit_name.clone());
    }
    let people = group.people.join(t!("ui.comma"));
    t!(
        "cart.approver",
        people = people,
        unit = group.unit_name.clone()
    )
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::{cart, request};
    use lingbao_model::{
        id::{RequestId, RequestItemId},
        msg::{FieldError, Msg},
        view::request::{HeadForm, Submitted},
    };

    /// Saves, changes, removes, renews or submits. Whatever was pressed, what was typed is kept.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        let own: RequestId = id(form.value("cart"))?;
        let version: i64 = form.value("version").parse().unwrap_or(0);
        let back = format!("{}/{own}", routes::CART);
        let said = |done: Submitted| {
            let said = Msg::new("cart.said.submitted").with("number", done.number);
            Done::to(routes::request(done.request.as_str())).say(said)
        };
        match form.value("do") {
            "more" => {
                cart::save_head(&cx, &own, version, &head(&form)).await?;
                Ok(Done::to(routes::catalogue(own.as_str())))
            }
            "refresh" => {
                let saved = cart::save_head(&cx, &own, version, &head(&form)).await?;
                let notes = cart::refresh(&cx, &own, saved).await?;
                Ok(Done::to(back)
                    .say(Msg::new("cart.said.refreshed"))
                    .note(notes))
            }
            "save" => {
                cart::save_head(&cx, &own, version, &head(&form)).await?;
                Ok(Done::to(back).say(Msg::new("cart.said.saved")))
            }
            "system" => {
                cart::save_head(&cx, &own, version, &head(&form)).await?;
                Ok(Done::to(routes::new_system(own.as_str())))
            }
            "edit_system" => {
                let head = head(&form);
                if head.system.is_empty() {
                    let which = Msg::new("error.required");
                    return Err(vec![FieldError::new("system", which)].into());
                }
                cart::save_head(&cx, &own, version, &head).await?;
                Ok(Done::to(routes::edit_system(own.as_str(), &head.system)))
            }
            // Head and submit are one transaction, that knows the form by its id before it looks at
            // anything else: of two posts of one form the second finds what the first one made.
            "submit" => {
                let (head, sent) = (head(&form), form.form_id());
                let done = request::submit::submit(&cx, &own, version, Some(&head), sent);
                Ok(said(done.await?))
            }
            "resubmit" => {
                let (head, sent) = (head(&form), form.form_id());
                let done = request::resubmit::resubmit(&cx, &own, version, Some(&head), sent);
                Ok(said(done.await?))
            }
            act => {
                let (act, line) = act.split_once(' ').ok_or_else(ApiError::not_found)?;
                let (line, code) = line.split_once(' ').unwrap_or((line, ""));
                let line: RequestItemId = id(line)?;
                let saved = cart::save_head(&cx, &own, version, &head(&form)).await?;
                if act == "edit" {
                    let of = [("cart", own.as_str()), ("line", line.as_str())];
                    let form = routes::with_query(&routes::configure(code), &of);
                    return Ok(Done::to(form));
                }
                if act != "remove" {
                    return Err(ApiError::not_found().into());
                }
                cart::remove_line(&cx, &own, saved, &line).await?;
                Ok(Done::to(back).say(Msg::new("cart.said.removed")))
            }
        }
    }

    fn head(form: &Posted) -> HeadForm {
        HeadForm {
            system: form.value("system").to_owned(),
            title: form.value("title").to_owned(),
            reason: form.value("reason").to_owned(),
            with_quota_change: form.value("with_quota_change") == "on",
        }
    }
}
