//! When does a term of so many working days end? The same arithmetic as on every request.

use crate::{error::ApiError, form::use_form, t, ui::*, viewer::use_viewer};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lingbao_model::time::Date;

/// Path of the page; its form posts here.
pub const PATH: &str = "/help/deadline";

/// What the button of the second form says; the first one's says nothing.
const ENTER: &str = "enter";

/// A server function: who, what, convert. It names its endpoint, because the default name hashes
/// the build path and would break open tabs after a rebuild.
///
/// # Errors
/// `Invalid` with messages for the fields.
#[server(name = GetDeadline, prefix = "/fn", endpoint = "help/deadline", output = crate::json::Json)]
pub async fn deadline(from: String, days: String) -> Result<Date, ApiError> {
    let term = ssr::Term::parse(&from, &days);
    let term = term.map_err(|fields| ApiError::invalid(fields).answered())?;
    Ok(term.end(&crate::ssr::cx()?).await?)
}

/// The form posts to this page. After a good post one is led back here with the question in the
/// URL, where the answer is a link to keep; after a bad one the page says what to mend.
#[component]
pub fn Deadline() -> impl IntoView {
    let query = use_query_map();
    let asked =
        Memo::new(move |_| query.with(|query| Some((query.get("from")?, query.get("days")?))));
    let answer = Resource::new(
        move || asked.get(),
        |asked| async move {
            match asked {
                Some((from, days)) => deadline(from, days).await.map(Some),
                None => Ok(None),
            }
        },
    );
    let form = use_form();
    let (from, days) = asked.get_untracked().unwrap_or_default();
    let today_is_known = !from.is_empty() || form.was_posted();
    let crumbs = vec![(t!("help.title").to_owned(), crate::routes::HELP.to_owned())];
    view! {
        <PageHead title=t!("help.deadline.title") fact=t!("help.deadline.fact") crumbs narrow=true/>
        <ErrorSummary/>
        <form method="post" class="panel panel-pad narrow">
            <Field name="from" label=t!("help.deadline.from") hint=t!("help.deadline.from_hint")>
                <TextInput kind=if today_is_known { "text" } else { "date" } value=from width=Width::S/>
            </Field>
            <Field name="days" label=t!("help.deadline.days")>
                <TextInput value=days width=Width::Xs maxlength=3_u32/>
            </Field>
            <div class="field">
                <Button kind=Kind::Main>{t!("help.deadline.go")}</Button>
            </div>
            <Transition>
                {move || Suspend::new(async move {
                    match answer.await {
                        Ok(Some(end)) => view! {
                            <p class="sum sec-5" role="status">
                                <b>{end.to_string()}</b>
                                <span class="unit">"17:30"</span>
                            </p>
                        }
                        .into_any(),
                        Ok(None) => ().into_any(),
                        Err(error) => view! { <ErrorBanner error/> }.into_any(),
                    }
                })}
            </Transition>
        </form>
        {use_viewer().filter(|viewer| viewer.can("operate")).map(|_| holidays())}
    }
}

/// Next year's holidays: the terms of every request are reckoned by them.
fn holidays() -> AnyView {
    view! {
        <section class="panel narrow">
            <div class="panel-head"><h2>{t!("audit.action.calendar.enter")}</h2></div>
            <form method="post" class="panel-pad">
                <Field name="notice" label=t!("calendar.notice") hint=t!("calendar.hint")>
                    <TextArea rows=8/>
                </Field>
                <div class="field">
                    <Button name="do" value=ENTER>{t!("audit.action.calendar.enter")}</Button>
                </div>
            </form>
        </section>
    }
    .into_any()
}

/// The post of the page.
pub mod ssr {
    use super::{ENTER, PATH};
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes::with_query,
        ssr::cx,
    };
    use lingbao_core::{Cx, ServiceError, service::calendar};
    use lingbao_model::{
        msg::{FieldError, Msg},
        text::parse_integer,
        time::Date,
    };

    /// A question, parsed: a value of this type is valid, in the form and in the server function.
    pub struct Term {
        from: Date,
        days: u32,
    }

    impl Term {
        /// Reads what was typed.
        ///
        /// # Errors
        /// A message for each field that cannot be read.
        pub fn parse(from: &str, days: &str) -> Result<Self, Vec<FieldError>> {
            let mut errors = Vec::new();
            let from = from.parse::<Date>().map_err(|_| {
                errors.push(FieldError::new("from", Msg::new("help.deadline.bad_date")))
            });
            let days = match parse_integer(days).map(u32::try_from) {
                Some(Ok(days)) if (1..=250).contains(&days) => Some(days),
                _ => {
                    errors.push(FieldError::new(
                        "days",
                        Msg::new("help.deadline.bad_days").with("max", 250),
                    ));
                    None
                }
            };
            match (from, days) {
                (Ok(from), Some(days)) => Ok(Self { from, days }),
                _ => Err(errors),
            }
        }

        /// The last day of the term.
        ///
        /// # Errors
        /// What the database says.
        pub async fn end(&self, cx: &Cx) -> Result<Date, ServiceError> {
            let known = calendar::known(cx).await?;
            Ok(known.plus_working_days(self.from, self.days))
        }
    }

    /// Reads the form, and computes or enters a year's holidays.
    ///
    /// # Errors
    /// The page again, with messages at the fields.
    pub async fn act(form: Posted) -> Result<Done, Refused> {
        if form.value("do") == ENTER {
            enter(&form).await
        } else {
            compute(&form).await
        }
    }

    async fn enter(form: &Posted) -> Result<Done, Refused> {
        let notice = calendar::read("notice", form.value("notice"))?;
        calendar::enter(&cx()?, &notice).await?;
        let said = Msg::new("calendar.entered")
            .with("year", i64::from(notice.year))
            .with("n", i64::try_from(notice.days.len()).unwrap_or_default());
        Ok(Done::to(PATH).say(said))
    }

    /// Computes, and leads to the answer.
    async fn compute(form: &Posted) -> Result<Done, Refused> {
        let term = Term::parse(form.value("from"), form.value("days"))?;
        let said = Msg::new("help.deadline.said")
            .with("days", i64::from(term.days))
            .with("end", term.end(&cx()?).await?);
        let to = with_query(
            PATH,
            &[
                ("from", &term.from.to_string()),
                ("days", &term.days.to_string()),
            ],
        );
        Ok(Done::to(to).say(said))
    }
}
