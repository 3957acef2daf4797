//! One batch: what was taken in, and undoing it.

use super::{
    batches::{crumbs, state},
    sheet::money,
    when,
};
use crate::{asked, error::ApiError, i18n, live, routes, t, ui::*};
use leptos::prelude::*;
use lingbao_model::{
    resource::ServiceState,
    view::import::{ImportDetail, ImportedThing},
};

/// One batch.
///
/// # Errors
/// `Forbidden` for others than operators, `NotFound`.
#[server(name = GetImport, prefix = "/fn", endpoint = "import/batch", output = crate::json::Json)]
pub async fn batch(id: String) -> Result<ImportDetail, ApiError> {
    let (cx, id) = (crate::ssr::cx()?, crate::ssr::id(&id)?);
    Ok(lingbao_core::service::import::detail(&cx, &id).await?)
}

/// The page.
#[component]
pub fn BatchPage() -> impl IntoView {
    let id = asked::param("id");
    let version = live::version("jobs");
    let found = Resource::new(move || (id.get(), version.get()), |(id, _)| batch(id));
    page_of(found, |found| view! { <Detail found/> }.into_any())
}

#[component]
fn Detail(found: ImportDetail) -> impl IntoView {
    let mut crumbs = crumbs();
    crumbs.push((
        t!("import.batches").to_owned(),
        routes::IMPORT_BATCHES.to_owned(),
    ));
    let chip = state(&found.batch);
    let title = t!("import.batch_of", at = when(found.batch.at));
    let fact = t!(
        "import.batch_fact",
        who = found.batch.by_name.clone(),
        n = found.batch.count,
        money = money(found.batch.month)
    );
    let undone = found.batch.undone_at.map(|at| {
        let who = found.batch.undone_by.clone().unwrap_or_default();
        let text = t!("import.was_undone", at = when(at), who = who);
        view! { <Banner tone=Tone::Ok>{text}</Banner> }
    });
    let columns = vec![
        col(t!("resources.name")),
        col(t!("resources.unit")),
        col(t!("resources.system")),
        col(t!("import.request")),
        col(t!("resources.month_yuan")).class("num"),
        col(t!("resources.state")).class("corner"),
    ];
    let undo = found.batch.undone_at.is_none().then(|| undo(&found));
    let rows = found.things.into_iter().map(row).collect_view();
    view! {
        <PageHead title=title crumbs fact=fact>{chip}</PageHead>
        <ErrorSummary/>
        {undone}
        <div class="gap-6">
            <TableBox>
                <Table caption=t!("import.batches") columns flat=true>{rows}</Table>
            </TableBox>
            {undo}
        </div>
    }
}

fn row(thing: ImportedThing) -> impl IntoView {
    let href = routes::resource(thing.resource.as_str());
    let order = routes::request(&thing.number);
    let look = match thing.state {
        ServiceState::Running => Look::Ok,
        ServiceState::Stopped => Look::Pause,
        ServiceState::Changing => Look::Run,
        ServiceState::Recycled | ServiceState::Released => Look::Stop,
    };
    let state = i18n::t_key(&format!("resource.service.{}", thing.state)).into_owned();
    view! {
        <Row>
            <RowHead name=thing.name href=href sub=thing.backend/>
            <Cell l=t!("resources.unit")>{thing.unit_name}</Cell>
            <Cell l=t!("resources.system")>{thing.system_name}</Cell>
            <Cell l=t!("import.request")><a href=order>{thing.number}</a></Cell>
            <Cell l=t!("resources.month_yuan") class="num">{thing.month.yuan()}</Cell>
            <Cell l=t!("resources.state") class="corner"><Chip look text=state/></Cell>
        </Row>
    }
}

/// Undoing, with a tick; or why it can't be.
fn undo(found: &ImportDetail) -> AnyView {
    if !found.blocks.is_empty() {
        let blocks = found
            .blocks
            .iter()
            .map(|msg| {
                let text = i18n::msg(msg);
                view! { <li>{text}</li> }
            })
            .collect_view();
        return view! {
            <Panel title=t!("import.undo") pad=true>
                <p>{t!("import.not_undoable")}</p>
                <ul>{blocks}</ul>
            </Panel>
        }
        .into_any();
    }
    let until = when(found.undo_until);
    view! {
        <Panel title=t!("import.undo") pad=true>
            <form method="post">
                <p>{t!("import.undo_says", until = until)}</p>
                <FieldSet name="confirm" legend=t!("import.undo") hide_legend=true>
                    <Check name="confirm" value="yes">{t!("import.undo_confirm")}</Check>
                </FieldSet>
                <Button kind=Kind::Bad name="do" value="undo">{t!("import.undo")}</Button>
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
    use lingbao_core::service::import;
    use lingbao_model::{
        id::ImportId,
        msg::{FieldError, Msg},
    };

    /// Undoes.
    ///
    /// # Errors
    /// What the service says; a message at the tick when it is missing.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let (cx, of) = (cx()?, id::<ImportId>(form.param("id"))?);
        if form.value("do") != "undo" {
            return Err(ApiError::not_found().into());
        }
        if form.value("confirm") != "yes" {
            return Err(FieldError::new("confirm", Msg::new("difference.unconfirmed")).into());
        }
        import::undo(&cx, &of).await?;
        let said = Msg::new("import.undo_done");
        Ok(Done::to(routes::import_batch(of.as_str())).say(said))
    }
}
