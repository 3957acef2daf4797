//! Change of the password.

use super::crumbs;
use crate::{t, ui::*};
use leptos::prelude::*;

/// Path of the page; its form posts here.
pub const PATH: &str = "/me/password";

/// The page.
#[component]
pub fn Password() -> impl IntoView {
    view! {
        <PageHead title=t!("account.password") fact=t!("account.password_fact") crumbs=crumbs() narrow=true/>
        <ErrorSummary/>
        <form method="post" class="panel panel-pad narrow">
            <Field name="current_password" label=t!("account.current_password")>
                <PasswordInput/>
            </Field>
            <Field name="new_password" label=t!("account.new_password") hint=t!("account.password_rule")>
                <PasswordInput autocomplete="new-password"/>
            </Field>
            <Field name="again_password" label=t!("account.again_password")>
                <PasswordInput autocomplete="new-password"/>
            </Field>
            <div class="field">
                <Button kind=Kind::Main>{t!("account.change")}</Button>
            </div>
        </form>
    }
}

/// The post of the page.
pub mod ssr {
    use crate::{
        form::ssr::{Done, Posted, Refused},
        routes,
        ssr::cx,
    };
    use lingbao_core::service::session;
    use lingbao_model::msg::Msg;

    /// Changes the password; the person's other sessions end.
    ///
    /// # Errors
    /// The page again, with messages at the fields.
    pub async fn change(form: Posted) -> Result<Done, Refused> {
        let (current, new) = (form.value("current_password"), form.value("new_password"));
        session::change_password(&cx()?, current, new, form.value("again_password")).await?;
        Ok(Done::to(routes::ME).say(Msg::new("account.changed")))
    }
}
