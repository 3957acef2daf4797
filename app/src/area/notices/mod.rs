//! In-site notices.

use crate::form::ssr::{Pages, page_post};
use crate::{error::ApiError, i18n, live, pages::page, routes, t, ui::*};
use leptos::prelude::*;
use leptos_router::{any_nested_route::AnyNestedRoute, hooks::use_query_map, path};
use lingbao_model::{
    time::Zone,
    view::{page::Page as Rows, people::NoticeRow},
};

/// Where the page is.
pub fn routes() -> Vec<AnyNestedRoute> {
    vec![page(path!("/notices"), Notices)]
}

/// What the page posts to itself.
pub fn posts() -> axum::Router<Pages> {
    axum::Router::new().route(routes::NOTICES, page_post(ssr::act))
}

/// One page of the person's notices.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetNotices, prefix = "/fn", endpoint = "notices/list", output = crate::json::Json)]
pub async fn list_notices(unread: bool, after: String) -> Result<Rows<NoticeRow>, ApiError> {
    let cx = crate::ssr::cx()?;
    let after = Some(after.as_str()).filter(|text| !text.is_empty());
    Ok(lingbao_core::service::notice::list(
        &cx,
        unread,
        after,
        lingbao_model::view::page::PAGE_ROWS,
    )
    .await?)
}

/// The page: all or only the unread, the latest first.
#[component]
fn Notices() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            (
                query.get("show").as_deref() == Some("unread"),
                query.get("after").unwrap_or_default(),
            )
        })
    });
    let version = live::version("viewer");
    let list = Resource::new(
        move || (asked.get(), version.get()),
        |((unread, after), _)| list_notices(unread, after),
    );
    let acts = view! {
        <form method="post">
            <Button icon="tick" name="do" value="all">{t!("notices.read_all")}</Button>
        </form>
    };
    view! {
        <PageHead title=t!("notices.title") acts=acts.into_any()/>
        <ErrorSummary/>
        {list_of(asked, list, |rows, (unread, after)| view! { <List rows unread first=after.is_empty()/> }.into_any())}
    }
}

#[component]
fn List(rows: Rows<NoticeRow>, unread: bool, first: bool) -> impl IntoView {
    let show = if unread { "unread" } else { "" };
    let link =
        |after: &str| routes::with_query(routes::NOTICES, &[("show", show), ("after", after)]);
    let tabs = vec![
        Tab {
            href: routes::NOTICES.to_owned(),
            text: t!("notices.all").to_owned(),
            count: None,
            current: !unread,
        },
        Tab {
            href: routes::with_query(routes::NOTICES, &[("show", "unread")]),
            text: t!("notices.unread").to_owned(),
            count: None,
            current: unread,
        },
    ];
    let back = (!first).then(|| link(""));
    let next = rows.next.as_deref().map(link);
    let empty = rows.rows.is_empty();
    view! {
        <Tabs label=t!("notices.title") tabs/>
        <section class="panel">
            {if empty {
                let note = if unread { t!("notices.none_unread") } else { t!("notices.none") };
                view! { <Empty icon="bell" title=note/> }.into_any()
            } else {
                view! {
                    <ul class="rows rows-s">{rows.rows.into_iter().map(notice).collect_view()}</ul>
                    <Pager total=rows.total nostrip:first=back nostrip:next=next/>
                }
                .into_any()
            }}
        </section>
    }
}

/// The whole row leads to what it is about; the page there marks it as read.
fn notice(row: NoticeRow) -> impl IntoView {
    let state = (!row.read).then(|| view! { " " <Chip look=Look::Act text=t!("notices.new")/> });
    view! {
        <li>
            <a class="lead plain" href=routes::local_path(&row.link).to_owned()>{i18n::msg(&row.msg)}</a>
            <span class="sub">{row.at.minute_text(Zone::SHANGHAI)}{state}</span>
        </li>
    }
}

/// The posts of the page.
pub mod ssr {
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::service::notice;
    use lingbao_model::msg::Msg;

    /// Marks all as read.
    ///
    /// # Errors
    /// What the service says.
    pub async fn act(_: Posted) -> Result<Done, Refused> {
        let read = notice::read_all(&cx()?).await?;
        let said = Msg::new("notices.were_read").with("n", i64::try_from(read).unwrap_or(i64::MAX));
        Ok(Done::to(routes::NOTICES).say(said))
    }
}
