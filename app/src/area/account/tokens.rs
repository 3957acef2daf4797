//! Tokens of the programming interface: made here, shown once, revoked here.

use super::crumbs;
use crate::{
    error::ApiError,
    form::{FormId, use_form},
    i18n, routes, t,
    ui::*,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::{
    time::Zone,
    view::{
        page::{PAGE_ROWS, Page as Rows},
        people::{TokenRow, TokenScope},
    },
};

/// Path of the page; its forms post here.
pub const PATH: &str = "/me/tokens";
/// The page that describes what a program can ask for.
pub const DOCS: &str = "/api/v1/docs";
/// Under this name the page finds the secret of a token that was just made. Nobody can post it:
/// names with `token` in them never come back into a page.
const MADE: &str = "made_token";

/// One page of the person's tokens, each with whether it still opens anything.
///
/// # Errors
/// `Unauthenticated`.
#[server(name = GetTokens, prefix = "/fn", endpoint = "account/tokens", output = crate::json::Json)]
pub async fn own_tokens(after: String) -> Result<Rows<(TokenRow, bool)>, ApiError> {
    let cx = crate::ssr::cx()?;
    let after = Some(after.as_str()).filter(|text| !text.is_empty());
    let page = lingbao_core::service::token::list(&cx, after, PAGE_ROWS).await?;
    let living = |row: TokenRow| {
        let lives = row.lives(cx.now());
        (row, lives)
    };
    Ok(Rows {
        rows: page.rows.into_iter().map(living).collect(),
        next: page.next,
        total: page.total,
    })
}

/// The page.
#[component]
pub fn Tokens() -> impl IntoView {
    let query = use_query_map();
    let after = Memo::new(move |_| query.with(|query| query.get("after").unwrap_or_default()));
    let list = Resource::new(move || after.get(), own_tokens);
    let made = use_form().value(MADE).map(ToOwned::to_owned);
    let scopes = TokenScope::ALL
        .iter()
        .map(|scope| {
            (
                scope.to_string(),
                i18n::t_key(&format!("account.scope.{scope}")).into_owned(),
            )
        })
        .collect::<Vec<_>>();
    let acts =
        view! { <LinkButton href=DOCS icon="doc" external=true>{t!("api.title")}</LinkButton> }
            .into_any();
    view! {
        <PageHead title=t!("account.tokens") fact=t!("account.tokens_fact") crumbs=crumbs() acts/>
        <ErrorSummary/>
        {made
            .map(|secret| {
                view! {
                    <Banner tone=Tone::Ok>
                        <b>{t!("account.token_made")}</b>
                        <p><code>{secret}</code></p>
                        <p>{t!("account.token_once")}</p>
                    </Banner>
                }
            })}
        <Panel title=t!("account.tokens_own")>
            {list_of(after, list, |rows, after| view! { <List rows first=after.is_empty()/> }.into_any())}
        </Panel>
        <Panel title=t!("account.token_new")>
            <form method="post" class="panel-pad narrow">
                <FormId/>
                <Field name="name" label=t!("account.token_name") hint=t!("account.token_name_hint")>
                    <TextInput maxlength=40_u32/>
                </Field>
                <FieldSet name="scope" legend=t!("account.scope")>
                    <Seg name="scope" options=scopes value="read"/>
                </FieldSet>
                <Field name="days" label=t!("account.days") hint=t!("account.days_hint")>
                    <TextInput value="90" width=Width::Xs maxlength=3_u32/>
                </Field>
                <div class="field">
                    <Button kind=Kind::Main name="do" value="create">{t!("account.token_create")}</Button>
                </div>
            </form>
        </Panel>
    }
}

#[component]
fn List(rows: Rows<(TokenRow, bool)>, first: bool) -> impl IntoView {
    if rows.rows.is_empty() {
        return view! { <Empty icon="key" title=t!("account.no_tokens") note=t!("account.no_tokens_note")/> }.into_any();
    }
    let link = |after: &str| routes::with_query(PATH, &[("after", after)]);
    let back = (!first).then(|| link(""));
    let next = rows.next.as_deref().map(link);
    let columns = vec![
        col(t!("account.token_name")),
        col(t!("account.scope")),
        col(t!("account.expires")),
        col(t!("account.used")),
        col(t!("account.acts")).hidden(),
    ];
    view! {
        <Table caption=t!("account.tokens_own") columns flat=true>
            {rows.rows.into_iter().map(|(row, lives)| token(row, lives)).collect_view()}
        </Table>
        <Pager total=rows.total nostrip:first=back nostrip:next=next/>
    }
    .into_any()
}

fn token(row: TokenRow, lives: bool) -> impl IntoView {
    let used = row.used_at.map_or_else(
        || t!("account.never").to_owned(),
        |at| at.minute_text(Zone::SHANGHAI),
    );
    let state = match (lives, row.revoked_at) {
        (true, _) => None,
        (false, Some(_)) => Some(view! { <Chip look=Look::Stop text=t!("account.revoked")/> }),
        (false, None) => Some(view! { <Chip look=Look::Stop text=t!("account.expired")/> }),
    };
    let (id, name) = (row.id.to_string(), row.name.clone());
    let revoke = lives.then(|| {
        view! {
            <form method="post">
                <Button kind=Kind::Bare size=Size::Small name="revoke" value=id>
                    {t!("account.revoke")}
                    <span class="sr">" "{name}</span>
                </Button>
            </form>
        }
    });
    view! {
        <Row>
            <RowHead name=row.name sub=t!("account.made", at = row.created_at.minute_text(Zone::SHANGHAI))/>
            <Cell l=t!("account.scope")>{i18n::t_key(&format!("account.scope.{}", row.scope)).into_owned()}</Cell>
            <Cell l=t!("account.expires")>{row.expires_at.minute_text(Zone::SHANGHAI)}" "{state}</Cell>
            <Cell l=t!("account.used")>{used}</Cell>
            <Cell l=t!("account.acts")>{revoke}</Cell>
        </Row>
    }
}

/// The posts of the page.
pub mod ssr {
    use super::{MADE, PATH};
    use crate::{
        form::{
            FORM_ID,
            ssr::{Done, Posted, Refused},
        },
        ssr::{cx, id},
    };
    use lingbao_core::service::{cart::form_id, token};
    use lingbao_model::{id::TokenId, msg::Msg};

    /// Makes a token, or revokes one.
    ///
    /// # Errors
    /// The page again, with messages at the fields; with the secret when a token was made.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        let revoke = form.value("revoke");
        if !revoke.is_empty() {
            token::revoke(&cx()?, &id::<TokenId>(revoke)?).await?;
            return Ok(Done::to(PATH).say(Msg::new("account.token_revoked")));
        }
        let (name, scope) = (form.value("name"), form.value("scope"));
        let (cx, days) = (cx()?, form.value("days"));
        let made = token::create_by(&cx, name, scope, days, form.form_id()).await?;
        // The page stands there with a fresh form: what is made from it is another token.
        Err(Refused::Show(vec![
            (MADE.to_owned(), made.secret),
            (FORM_ID.to_owned(), form_id(&cx)),
        ]))
    }
}
