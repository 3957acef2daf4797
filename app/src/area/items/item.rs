//! One item: what is in force, what is being written, who published what.

use super::{content_changes, content_form::ContentForm, price_form::PriceForm, price_trial};
use crate::{asked, error::ApiError, form::use_form, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    catalogue::Publication,
    money::grouped_signed,
    time::Zone,
    view::item::{Act, ItemView, ParamRow, Side, VersionRow},
};

/// One item.
///
/// # Errors
/// `Forbidden`, `NotFound`.
#[server(name = GetItem, prefix = "/fn", endpoint = "items/get", output = crate::json::Json)]
pub async fn get_item(code: String) -> Result<ItemView, ApiError> {
    Ok(lingbao_core::service::item::get(&crate::ssr::cx()?, &code).await?)
}

/// The page: as it is read, or a form for a side (`?as=content`, `?as=price`).
#[component]
pub fn Item() -> impl IntoView {
    let code = asked::param("code");
    let looked = asked::now(|of| of("as"));
    let item = Resource::new(move || code.get(), get_item);
    list_of(looked, item, |item, looked: String| match looked.as_str() {
        "content" => view! { <ContentForm item/> }.into_any(),
        "price" => view! { <PriceForm item/> }.into_any(),
        _ => view! { <Shown item/> }.into_any(),
    })
}

#[component]
fn Shown(item: ItemView) -> impl IntoView {
    let crumbs = vec![(t!("nav.items").to_owned(), routes::ADMIN_ITEMS.to_owned())];
    let name = i18n::label(&item.name);
    let title = if name.is_empty() {
        item.code.clone()
    } else {
        format!("{name} {}", item.code)
    };
    let acts = item.may_content.then(|| {
        let (value, text) = if item.offered {
            ("withdraw", t!("items.withdraw"))
        } else {
            ("offer", t!("items.offer"))
        };
        view! {
            <form method="post">
                <input type="hidden" name="version" value=item.version.to_string()/>
                {if item.offered {
                    view! { <Confirm act=text note=t!("items.withdraw_note") value/> }.into_any()
                } else {
                    view! { <Button name="do" value>{text}</Button> }.into_any()
                }}
            </form>
        }
        .into_any()
    });
    let changed = content_changes::waiting(&item);
    let priced = price_trial::waiting(&item);
    let form = |side: &str, text: &'static str| {
        let href = routes::with_query(&routes::item(&item.code), &[("as", side)]);
        view! { <LinkButton href kind=Kind::Main>{text}</LinkButton> }.into_any()
    };
    let write_content = item
        .may_content
        .then(|| form("content", t!("content.write")));
    let write_price = item.may_price.then(|| form("price", t!("price.write")));
    view! {
        <PageHead title fact=t!("items.item_fact") crumbs acts=acts.unwrap_or_else(|| ().into_any())/>
        <ErrorSummary/>
        {params(item.params)}
        {changed}
        <SidePanel side=Side::Content rows=item.contents may=item.may_content write=write_content/>
        {priced}
        <SidePanel side=Side::Price rows=item.prices may=item.may_price write=write_price/>
    }
}

/// The parameters of the newest version, for those who don't read JSON.
fn params(rows: Vec<ParamRow>) -> Option<AnyView> {
    if rows.is_empty() {
        return None;
    }
    let columns = vec![
        col(t!("items.param")),
        col(t!("items.type")),
        col(t!("items.range")),
        col(t!("items.unit")),
        col(t!("items.default")),
        col(t!("items.required")),
        col(t!("items.depends_on")),
    ];
    let list = rows.into_iter().map(param).collect_view();
    let table = view! {
        <Panel title=t!("items.params")>
            <Table caption=t!("items.params") columns flat=true>{list}</Table>
        </Panel>
    };
    Some(table.into_any())
}

fn param(row: ParamRow) -> impl IntoView {
    let none = || "—".to_owned();
    let yes = |is: bool| if is { t!("fact.yes") } else { t!("fact.no") };
    let kind = i18n::t_key(&format!("items.type.{}", row.kind)).into_owned();
    let range = match (row.range, row.max_chars) {
        (Some((min, max, step)), _) => {
            let range = format!("{} – {}", grouped_signed(min), grouped_signed(max));
            if step == 1 {
                range
            } else {
                format!("{range} {}", t!("items.step", n = step))
            }
        }
        (None, Some(n)) => t!("items.chars", n = n),
        (None, None) if row.options.is_empty() => none(),
        (None, None) => row
            .options
            .iter()
            .map(i18n::label)
            .collect::<Vec<_>>()
            .join(" / "),
    };
    let unit = row.unit.map_or_else(none, |unit| {
        i18n::t_key(&format!("items.unit.{unit}")).into_owned()
    });
    let default = match (row.default, row.kind.as_str()) {
        (None, _) => none(),
        (Some(label), "flag") => yes(label.zh == "true").to_owned(),
        (Some(label), _) => i18n::label(&label),
    };
    let when = if row.depends_on.is_empty() {
        none()
    } else {
        row.depends_on
    };
    view! {
        <Row>
            <RowHead name=i18n::label(&row.label) sub=row.key/>
            <Cell l=t!("items.type")>{kind}</Cell>
            <Cell l=t!("items.range")>{range}</Cell>
            <Cell l=t!("items.unit")>{unit}</Cell>
            <Cell l=t!("items.default")>{default}</Cell>
            <Cell l=t!("items.required")>{yes(row.required)}</Cell>
            <Cell l=t!("items.depends_on")>{when}</Cell>
        </Row>
    }
}

/// One side: its versions, the way to its form (`write`), and the text to write on.
#[component]
fn SidePanel(
    side: Side,
    rows: Vec<VersionRow>,
    may: bool,
    write: Option<AnyView>,
) -> impl IntoView {
    let title = i18n::t_key(&format!("items.side.{side}")).into_owned();
    let newest = rows.first().map(|row| row.text.clone()).unwrap_or_default();
    let (number, version) = rows.first().map_or((0, 0), |r| (r.number, r.version));
    let waits = rows
        .first()
        .is_some_and(|r| r.state == Publication::Proposed);
    let help = i18n::t_key(&format!("items.help.{side}")).into_owned();
    let mut columns = vec![
        col(t!("items.version")),
        col(t!("items.state")),
        col(t!("items.written")),
        col(t!("items.published")),
    ];
    if side == Side::Price {
        columns.push(col(t!("price.default")).class("num"));
    }
    columns.push(col(t!("items.acts")).hidden());
    let list = rows.into_iter().map(|one| row(side, one)).collect_view();
    // What was typed and refused is seen.
    let typed = use_form().value("side") == Some(side.as_str());
    let write = write.filter(|_| !waits);
    view! {
        <Panel title=title.clone() pad=true>
            <TableBox>
                <Table caption=title columns>{list}</Table>
            </TableBox>
            {write.map(|link| view! { <div class="acts acts-gap">{link}</div> })}
            {(may && !waits)
                .then(|| {
                    view! {
                        <details class="fold" open=typed>
                            <summary>{t!("items.as_json")}</summary>
                        <form method="post">
                            <input type="hidden" name="side" value=side.as_str()/>
                            <input type="hidden" name="number" value=number.to_string()/>
                            <input type="hidden" name="version" value=version.to_string()/>
                            <Field name=format!("text_{side}") label=t!("items.json") hint=help>
                                <div class="mono"><TextArea value=newest rows=18 maxlength=65536_u32/></div>
                            </Field>
                            <div class="field">
                                <Button name="do" value="write">{t!("items.save")}</Button>
                            </div>
                        </form>
                        </details>
                    }
                })}
        </Panel>
    }
}

fn row(side: Side, row: VersionRow) -> AnyView {
    let look = match row.state {
        Publication::Draft => Look::Wait,
        Publication::Proposed => Look::Act,
        Publication::Published => Look::Ok,
        Publication::Retired => Look::Stop,
    };
    let text = i18n::t_key(&format!("items.state.{}", row.state)).into_owned();
    let said = |who: Option<String>, at: Option<lingbao_model::time::Timestamp>| {
        at.map_or_else(
            || "—".to_owned(),
            |at| {
                let who = who.unwrap_or_else(|| t!("items.system").to_owned());
                format!("{who} {}", at.minute_text(Zone::SHANGHAI))
            },
        )
    };
    let (written, published) = (
        said(row.written_by, Some(row.written_at)),
        said(row.published_by, row.published_at),
    );
    let buttons = row
        .may
        .iter()
        .filter(|act| **act != Act::Write)
        .map(|act| {
            let kind = if *act == Act::Publish {
                Kind::Main
            } else {
                Kind::Plain
            };
            let text = i18n::t_key(&format!("items.act.{act}")).into_owned();
            view! { <Button kind size=Size::Small name="do" value=act.as_str()>{text}</Button> }
        })
        .collect_view();
    let (name, number, version) = (
        t!("items.number", n = row.number),
        row.number.to_string(),
        row.version.to_string(),
    );
    let old = row.text;
    let cost = (side == Side::Price).then(|| row.quote.as_ref().map(price_trial::told));
    let cost = cost.map(|told| told.unwrap_or_else(|| "—".to_owned()));
    view! {
        <Row>
            <RowHead name/>
            <Cell l=t!("items.state")><Chip look text/></Cell>
            <Cell l=t!("items.written")>{written}</Cell>
            <Cell l=t!("items.published")>{published}</Cell>
            {cost.map(|cost| view! { <Cell l=t!("price.default") class="num">{cost}</Cell> })}
            <Cell l="">
                <form method="post" class="acts">
                    <input type="hidden" name="side" value=side.as_str()/>
                    <input type="hidden" name="number" value=number/>
                    <input type="hidden" name="version" value=version/>
                    {buttons}
                </form>
                <details class="fold">
                    <summary>{t!("items.show")}</summary>
                    <pre>{old}</pre>
                </details>
            </Cell>
        </Row>
    }
    .into_any()
}

/// The posts of the page.
pub mod ssr {
    use super::super::{content_form, policy_rows::ROW, price_form};
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::{error::ServiceError, service::item};
    use lingbao_model::{
        msg::Msg,
        view::item::{Act, Side},
    };

    /// Writes, proposes, takes back, publishes, withdraws or offers again.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let side: Side = form.value("side").parse().unwrap_or(Side::Content);
        if form.values.iter().any(|pair| pair.0 == ROW) {
            return match side {
                Side::Content => content_form::ssr::post(form).await,
                Side::Price => price_form::ssr::post(form).await,
            };
        }
        let cx = cx()?;
        let code = form.param("code").to_owned();
        let whole = |name: &str| form.value(name).parse::<i64>().unwrap_or(0);
        let said = match form.value("do") {
            "write" => {
                let field = format!("text_{side}");
                let seen = (whole("number"), whole("version"));
                let written = item::write(&cx, &code, side, seen, form.value(&field)).await;
                written.map_err(|error| at_field(error, &field))?;
                Msg::new("items.said.written")
            }
            "withdraw" | "offer" => {
                let offered = form.value("do") == "offer";
                item::set_offered(&cx, &code, whole("version"), offered).await?;
                Msg::new(if offered {
                    "items.said.offered"
                } else {
                    "items.said.withdrawn"
                })
            }
            other => {
                let act: Act = other.parse().map_err(|_| ApiError::not_found())?;
                item::act(&cx, &code, side, (whole("number"), whole("version")), act).await?;
                Msg::new(format!("items.said.{act}"))
            }
        };
        Ok(Done::to(routes::item(&code)).say(said))
    }

    /// Two sides stand on the page: the message belongs beside the one that was typed.
    fn at_field(error: ServiceError, field: &str) -> ServiceError {
        match error {
            ServiceError::Invalid(mut errors) => {
                for one in &mut errors {
                    field.clone_into(&mut one.field);
                }
                ServiceError::Invalid(errors)
            }
            other => other,
        }
    }
}
