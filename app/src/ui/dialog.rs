//! A question before what cannot be undone. The same form is a page for those without scripts.

use super::Text;
use leptos::{html, prelude::*};

/// A native `<dialog>`: focus stays inside, Escape closes it.
///
/// The button that opens it is a link to the page with the same form (`href`), intercepted in the
/// browser: `<a href=… on:click=move |e| { e.prevent_default(); open.set(true) }>`.
#[component]
pub fn Dialog(
    open: RwSignal<bool>,
    #[prop(into)] id: String,
    #[prop(into)] title: Text,
    /// Cancel left, the act right.
    footer: AnyView,
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let open = open.get();
        if let Some(dialog) = dialog.get() {
            if open && !dialog.open() {
                // Refused only for a dialog that is already open or not in the page.
                let _ = dialog.show_modal();
            } else if !open && dialog.open() {
                dialog.close();
            }
        }
    });
    let title_id = format!("{id}-t");
    let labelled_by = title_id.clone();
    view! {
        <dialog class="dialog" id=id node_ref=dialog aria-labelledby=labelled_by on:close=move |_| open.set(false)>
            <header>
                <h2 id=title_id>{title}</h2>
            </header>
            <div class="dialog-body">{children()}</div>
            <footer>{footer}</footer>
        </dialog>
    }
}
