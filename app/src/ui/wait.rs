//! Pages that wait for what they show, and are whole when they are sent.

use super::Refusal;
use crate::error::ApiError;
use leptos::prelude::*;

/// The page of what was found, or why there is none.
pub fn page_of<T>(found: Resource<Result<T, ApiError>>, page: fn(T) -> AnyView) -> AnyView
where
    T: Clone + Send + Sync + 'static,
{
    waiting(Box::new(move || {
        Suspend::new(async move {
            match found.await {
                Ok(found) => page(found),
                Err(error) => view! { <Refusal error/> }.into_any(),
            }
        })
    }))
}

/// The same for a list, which is shown beside what was asked for.
pub fn list_of<A, T>(
    asked: Memo<A>,
    found: Resource<Result<T, ApiError>>,
    list: fn(T, A) -> AnyView,
) -> AnyView
where
    A: Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    waiting(Box::new(move || {
        let asked = asked.get();
        Suspend::new(async move {
            match found.await {
                Ok(found) => list(found, asked),
                Err(error) => view! { <Refusal error/> }.into_any(),
            }
        })
    }))
}

/// One for all pages: the compiler would make each kind of `Suspense` anew.
fn waiting(shown: Box<dyn Fn() -> Suspend<AnyView> + Send>) -> AnyView {
    view! {
        {crate::live::marks()}
        <Suspense>{shown}</Suspense>
    }
    .into_any()
}
