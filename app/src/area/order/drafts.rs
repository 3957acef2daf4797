//! Drafts: carts that were begun and not yet submitted.

use crate::{error::ApiError, facts, form::FormId, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    money::Money,
    time::Zone,
    view::{page::PAGE_ROWS, request::DraftRow},
};

/// The reader's drafts, the one that the catalogue adds to first.
///
/// # Errors
/// `Forbidden` for whoever orders nothing.
#[server(name = GetDrafts, prefix = "/fn", endpoint = "order/drafts", output = crate::json::Json)]
pub async fn get_drafts() -> Result<Vec<DraftRow>, ApiError> {
    // One person has fewer drafts than a page has rows.
    let page = lingbao_core::service::cart::drafts(&crate::ssr::cx()?, None, PAGE_ROWS).await?;
    Ok(page.rows)
}

/// The page.
#[component]
pub fn Drafts() -> impl IntoView {
    let drafts = Resource::new(|| (), |()| get_drafts());
    page_of(drafts, |rows| view! { <Shown rows/> }.into_any())
}

#[component]
fn Shown(rows: Vec<DraftRow>) -> impl IntoView {
    let crumbs = vec![(t!("nav.requests").to_owned(), routes::REQUESTS.to_owned())];
    let acts = view! {
        <form method="post">
            <FormId/>
            <Button name="do" value="new" icon="plus">{t!("drafts.new")}</Button>
        </form>
    };
    let columns = vec![
        col(t!("requests.request")),
        col(t!("requests.system")),
        col(t!("drafts.lines")).class("num"),
        col(t!("requests.month")).class("num"),
        col(t!("drafts.saved")),
        col(t!("cart.acts")).hidden(),
    ];
    let body = if rows.is_empty() {
        let act = view! { <LinkButton href=routes::CATALOGUE kind=Kind::Main>{t!("cart.go_on")}</LinkButton> };
        view! { <Empty title=t!("drafts.none") note=t!("drafts.none_note") act=act.into_any()/> }
            .into_any()
    } else {
        view! {
            <TableBox>
                <Table caption=t!("drafts.title") columns>{rows.into_iter().map(row).collect_view()}</Table>
            </TableBox>
        }
        .into_any()
    };
    view! {
        <PageHead title=t!("drafts.title") fact=t!("drafts.fact") crumbs acts=acts.into_any()/>
        <ErrorSummary/>
        {body}
    }
}

fn row(row: DraftRow) -> AnyView {
    let href = format!("{}/{}", routes::CART, row.id);
    let name = if row.title.is_empty() {
        t!("drafts.untitled").to_owned()
    } else {
        row.title
    };
    let sub = if row.current {
        t!("drafts.current")
    } else {
        ""
    };
    let (id, version) = (row.id.to_string(), row.version.to_string());
    let saved = row.saved_at.minute_text(Zone::SHANGHAI);
    let month = facts::charge(row.month, Money::ZERO);
    view! {
        <Row>
            <RowHead name href sub/>
            <Cell l=t!("requests.system")>{row.system_name.unwrap_or_else(|| "—".to_owned())}</Cell>
            <Cell l=t!("drafts.lines") class="num">{row.lines}</Cell>
            <Cell l=t!("requests.month") class="num">{month}</Cell>
            <Cell l=t!("drafts.saved")>{saved}</Cell>
            <Cell l="">
                <form method="post">
                    <input type="hidden" name="cart" value=id/>
                    <input type="hidden" name="version" value=version/>
                    <Confirm act=t!("drafts.discard") note=t!("drafts.discard_note") value="discard" small=true/>
                </form>
            </Cell>
        </Row>
    }
    .into_any()
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        error::ApiError,
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::{cx, id},
    };
    use lingbao_core::service::cart;
    use lingbao_model::msg::Msg;

    /// Begins another draft, or throws one away.
    ///
    /// # Errors
    /// The page again, with the reason.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let cx = cx()?;
        match form.value("do") {
            "new" => {
                let new = cart::create_by(&cx, form.form_id()).await?;
                Ok(Done::to(format!("{}/{new}", routes::CART)))
            }
            "discard" => {
                let version: i64 = form.value("version").parse().unwrap_or(0);
                cart::discard(&cx, &id(form.value("cart"))?, version).await?;
                Ok(Done::to(routes::DRAFTS).say(Msg::new("drafts.said")))
            }
            _ => Err(ApiError::not_found().into()),
        }
    }
}
