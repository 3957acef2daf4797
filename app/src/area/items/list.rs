//! All items, also those that nobody can order yet or any more; and a new one.

use crate::{error::ApiError, i18n, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::view::item::ItemRow;

/// All items.
///
/// # Errors
/// `Forbidden` for whoever manages neither items nor prices.
#[server(name = GetItems, prefix = "/fn", endpoint = "items/list", output = crate::json::Json)]
pub async fn get_items() -> Result<Vec<ItemRow>, ApiError> {
    Ok(lingbao_core::service::item::list(&crate::ssr::cx()?).await?)
}

/// The page.
#[component]
pub fn List() -> impl IntoView {
    let items = Resource::new(|| (), |()| get_items());
    page_of(items, |rows| view! { <Shown rows/> }.into_any())
}

#[component]
fn Shown(rows: Vec<ItemRow>) -> impl IntoView {
    let may_create = crate::viewer::use_viewer().is_some_and(|v| v.can("manage_items"));
    let like: Vec<Opt> = rows
        .iter()
        .filter(|row| row.content.is_some() && row.price.is_some())
        .map(|row| {
            let text = format!("{} {}", row.code, i18n::label(&row.name));
            (row.code.clone(), text)
        })
        .collect();
    let columns = vec![
        col(t!("items.item")),
        col(t!("items.content")),
        col(t!("items.price")),
        col(t!("items.state")),
    ];
    view! {
        <PageHead title=t!("nav.items") fact=t!("items.fact")/>
        <ErrorSummary/>
        {super::tabs(routes::ADMIN_ITEMS)}
        <TableBox>
            <Table caption=t!("nav.items") columns>{rows.into_iter().map(row).collect_view()}</Table>
        </TableBox>
        {may_create
            .then(|| {
                view! {
                    <form method="post" class="panel panel-pad narrow">
                        <FormSection title=t!("items.new") note=t!("items.new_note")>
                            <Field name="code" label=t!("items.code") hint=t!("items.code_hint")>
                                <TextInput width=Width::M maxlength=16_u32/>
                            </Field>
                            <Field name="like" label=t!("items.like")>
                                <Select options=like value=String::new()/>
                            </Field>
                            <div class="field">
                                <Button kind=Kind::Main>{t!("items.create")}</Button>
                            </div>
                        </FormSection>
                    </form>
                }
            })}
    }
}

fn row(row: ItemRow) -> AnyView {
    let href = routes::item(&row.code);
    let name = if row.name.zh.is_empty() {
        row.code.clone()
    } else {
        i18n::label(&row.name)
    };
    let number = |n: Option<i64>| n.map_or_else(|| "—".to_owned(), |n| t!("items.number", n = n));
    let (look, text) = match (row.proposed, row.offered, row.content.and(row.price)) {
        (1.., _, _) => (Look::Act, t!("items.waiting")),
        (_, false, _) => (Look::Stop, t!("items.withdrawn")),
        (_, true, Some(_)) => (Look::Ok, t!("items.on_offer")),
        (_, true, None) => (Look::Wait, t!("items.in_writing")),
    };
    let (content, price) = (number(row.content), number(row.price));
    view! {
        <Row>
            <RowHead name href sub=row.code/>
            <Cell l=t!("items.content")>{content}</Cell>
            <Cell l=t!("items.price")>{price}</Cell>
            <Cell l=t!("items.state")><Chip look text/></Cell>
        </Row>
    }
    .into_any()
}

/// The post of the page.
pub mod ssr {
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::service::item;
    use lingbao_model::msg::Msg;

    /// Makes an item.
    ///
    /// # Errors
    /// The page again, with everything typed and the messages.
    pub async fn create(form: Posted) -> Result<Done, Refused> {
        let code = item::create(&cx()?, form.value("code"), form.value("like")).await?;
        Ok(Done::to(routes::item(&code)).say(Msg::new("items.said.created")))
    }
}
