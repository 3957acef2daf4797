//! Tables: sticky head, sortable by links, rows become blocks on phones.

use super::{Icon, Text, classes};
use crate::{routes::with_query, t};
use leptos::prelude::*;
use lingbao_model::view::page;

/// A column head.
#[derive(Debug, Clone, Default)]
pub struct Column {
    label: Text,
    class: &'static str,
    hidden: bool,
    sort: Option<(String, Option<Order>)>,
}

/// The order of a sorted list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    Up,
    /// Largest first.
    Down,
}

/// A column with this head.
pub fn col(label: impl Into<Text>) -> Column {
    Column {
        label: label.into(),
        ..Column::default()
    }
}

impl Column {
    /// With classes of `tables.css`: `num`, `only-wide`, `corner`, `half`, `tick`, `c-10`, `c-14`.
    #[must_use]
    pub fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// The head is only read aloud (acts, ticks).
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Sortable: `key` as in `?sort=key` or `?sort=-key`, `now` the sort of the page, `path` and
    /// `query` what else is in the URL. Sorting leads back to the first page.
    #[must_use]
    pub fn sorted(mut self, key: &str, now: &str, path: &str, query: &[(&str, &str)]) -> Self {
        let order = match now.strip_prefix('-') {
            Some(rest) if rest == key => Some(Order::Down),
            None if now == key => Some(Order::Up),
            _ => None,
        };
        let next = if order == Some(Order::Up) {
            format!("-{key}")
        } else {
            key.to_owned()
        };
        let mut query: Vec<_> = query
            .iter()
            .filter(|pair| pair.0 != "sort" && pair.0 != "after")
            .copied()
            .collect();
        query.push(("sort", &next));
        self.sort = Some((with_query(path, &query), order));
        self
    }
}

/// A table for comparing by column. The ARIA roles stand because `display: grid` on phones takes
/// the native ones away.
#[component]
pub fn Table(
    #[prop(into)] caption: Text,
    columns: Vec<Column>,
    /// Rows of 34 px.
    #[prop(optional)]
    tight: bool,
    /// The head does not stick (inside a panel).
    #[prop(optional)]
    flat: bool,
    /// A row of totals ([`Row`] with cells).
    #[prop(optional)]
    foot: Option<AnyView>,
    /// The rows.
    children: Children,
) -> impl IntoView {
    view! {
        <table
            class=classes(&["tbl tbl-stack", if tight { "tbl-tight" } else { "" }, if flat { "tbl-flat" } else { "" }])
            role="table"
        >
            <caption class="sr">{caption}</caption>
            <thead role="rowgroup">
                <tr role="row">{columns.into_iter().map(head).collect_view()}</tr>
            </thead>
            <tbody role="rowgroup">{children()}</tbody>
            {foot.map(|foot| view! { <tfoot role="rowgroup">{foot}</tfoot> })}
        </table>
    }
}

fn head(column: Column) -> impl IntoView {
    let Column {
        label,
        class,
        hidden,
        sort,
    } = column;
    let aria = sort
        .as_ref()
        .and_then(|sort| sort.1)
        .map(|order| match order {
            Order::Up => "ascending",
            Order::Down => "descending",
        });
    let inner = match sort {
        Some((href, _)) => view! { <a class="sort" href=href>{label}</a> }.into_any(),
        None if hidden => view! { <span class="sr">{label}</span> }.into_any(),
        None => label.into_any(),
    };
    view! {
        <th role="columnheader" scope="col" class=class aria-sort=aria>
            {inner}
        </th>
    }
}

/// The white box around a table with its filters and pages.
#[component]
pub fn TableBox(children: Children) -> impl IntoView {
    view! { <div class="tbl-wrap">{children()}</div> }
}

/// A row. `on` marks a selected one, `child` one that hangs on the row above.
#[component]
pub fn Row(
    #[prop(optional)] on: bool,
    #[prop(optional)] child: bool,
    children: Children,
) -> impl IntoView {
    let class = classes(&[if on { "on" } else { "" }, if child { "child" } else { "" }]);
    view! {
        <tr role="row" class=(!class.is_empty()).then_some(class)>
            {children()}
        </tr>
    }
}

/// The first cell of a row: its name, perhaps a link, and a second line.
#[component]
pub fn RowHead(
    #[prop(into)] name: Text,
    #[prop(optional, into)] href: Option<Text>,
    #[prop(optional, into)] sub: Option<Text>,
) -> impl IntoView {
    view! {
        <th role="rowheader" scope="row" class="t">
            {match href {
                Some(href) => view! { <a class="name quiet" href=href>{name}</a> }.into_any(),
                None => view! { <span class="name">{name}</span> }.into_any(),
            }}
            {sub.map(|sub| view! { <span class="sub">{sub}</span> })}
        </th>
    }
}

/// Any other cell. `l` is the column's head again, for phones.
#[component]
pub fn Cell(
    #[prop(into)] l: Text,
    /// The classes of the column.
    #[prop(default = "")]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <td role="cell" class=class data-l=l>
            <div class="v">{children()}</div>
        </td>
    }
}

/// How many there are: exact up to 10 000, beyond that counting costs more than it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Total {
    /// Counted.
    Exact(i64),
    /// More than 10 000.
    Many,
}

impl From<page::Total> for Total {
    fn from(total: page::Total) -> Self {
        match total {
            page::Total::Exact(n) => Self::Exact(n),
            page::Total::MoreThan(_) => Self::Many,
        }
    }
}

impl Total {
    /// `共 1,234 条`, `10 000+`.
    pub fn text(self) -> String {
        match self {
            Self::Exact(n) => t!("ui.total", n = n),
            Self::Many => t!("ui.total_many").to_owned(),
        }
    }
}

/// Pages of a list by cursor: back to the start and onward; the cost of a page does not grow.
#[component]
pub fn Pager(
    #[prop(into)] total: Total,
    /// Link to the first page; none on it.
    #[prop(optional)]
    first: Option<String>,
    /// Link to the next page; none on the last.
    #[prop(optional)]
    next: Option<String>,
) -> impl IntoView {
    // A list that ends on its first page has no pages to go to.
    let several = first.is_some() || next.is_some();
    view! {
        <div class="tbl-foot">
            <span class="sub">{total.text()}</span>
            {several
                .then(|| {
                    view! {
                        <nav class="pages" aria-label=t!("ui.pages")>
                            {page_link(first, t!("ui.first_page"))}
                            {page_link(next, t!("ui.next_page"))}
                        </nav>
                    }
                })}
        </div>
    }
}

fn page_link(href: Option<String>, text: &'static str) -> AnyView {
    match href {
        Some(href) => view! { <a href=href>{text}</a> }.into_any(),
        None => view! { <span class="off">{text}</span> }.into_any(),
    }
}

/// Filters over a list: a GET form, so that a filtered list has a URL. Put [`Find`] and
/// [`FilterSelect`] into it.
#[component]
pub fn FilterBar(
    #[prop(into)] action: String,
    /// Whether anything is filtered now; then there is a way to clear it.
    #[prop(optional)]
    active: bool,
    children: Children,
) -> impl IntoView {
    let clear = action.clone();
    view! {
        <form method="get" action=action class="bar" role="search">
            {children()}
            <button class="btn">{t!("ui.filter")}</button>
            {active.then(|| view! { <a class="btn btn-bare push" href=clear>{t!("ui.clear")}</a> })}
        </form>
    }
}

/// The search field of a [`FilterBar`].
#[component]
pub fn Find(
    #[prop(default = "q")] name: &'static str,
    #[prop(into)] label: Text,
    /// What can be typed, if the label does not say it.
    #[prop(optional, into)]
    placeholder: Option<Text>,
    #[prop(optional, into)] value: String,
) -> impl IntoView {
    view! {
        <div class="find">
            <label class="sr" for=format!("find-{name}")>
                {label.clone()}
            </label>
            <Icon name="search"/>
            <input
                class="input"
                type="search"
                id=format!("find-{name}")
                name=name
                value=value
                placeholder=placeholder.unwrap_or(label)
                maxlength="100"
            />
        </div>
    }
}

/// One filter of a [`FilterBar`].
#[component]
pub fn FilterSelect(
    name: &'static str,
    #[prop(into)] label: Text,
    options: Vec<super::Opt>,
    #[prop(optional, into)] value: String,
) -> impl IntoView {
    view! {
        <label class="bar-lab">
            {label}
            <span class="select">
                <select class="input" name=name>
                    {options
                        .into_iter()
                        .map(|(option, text)| {
                            let selected = option == value;
                            view! {
                                <option value=option selected=selected>
                                    {text}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
            </span>
        </label>
    }
}

/// A day of a [`FilterBar`].
#[component]
pub fn FilterDay(
    name: &'static str,
    #[prop(into)] label: Text,
    #[prop(optional, into)] value: String,
) -> impl IntoView {
    view! {
        <label class="bar-lab">
            {label}
            <input class="input" type="date" name=name value=value/>
        </label>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_turns_and_goes_to_the_first_page() {
        let query = [("q", "tj"), ("after", "xyz"), ("sort", "name")];
        let up = col("Name").sorted("name", "name", "/resources", &query);
        assert_eq!(
            up.sort,
            Some(("/resources?q=tj&sort=-name".to_owned(), Some(Order::Up)))
        );
        let other = col("Price").sorted("price", "-name", "/resources", &query);
        assert_eq!(
            other.sort,
            Some(("/resources?q=tj&sort=price".to_owned(), None))
        );
        let down = col("Name").sorted("name", "-name", "/resources", &query);
        assert_eq!(
            down.sort,
            Some(("/resources?q=tj&sort=name".to_owned(), Some(Order::Down)))
        );
    }
}
