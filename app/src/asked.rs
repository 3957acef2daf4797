//! What an address asks for: the thing it names; of a list what is searched, the filters, the order,
//! and where the page begins. A filtered list has an address, and its file has the same filters.

use crate::routes;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// Makes `Asked` of the names in the query: a text each, empty where the URL says nothing. `sort` is
/// the order and `after` where the page begins; every other narrows the list.
#[macro_export]
macro_rules! asked {
    ($($name:ident),+ $(,)?) => {
        /// What stands in the URL of the list.
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct Asked {
            $($name: String,)+
        }

        impl Asked {
            /// What a query says, part by part.
            fn read(of: &$crate::asked::Parts<'_>) -> Self {
                Self { $($name: of(stringify!($name)),)+ }
            }

            /// All of it by name, where the page begins left out.
            fn query(&self) -> Vec<(&'static str, &str)> {
                let mut query = vec![$((stringify!($name), self.$name.as_str()),)+];
                query.retain(|pair| pair.0 != "after");
                query
            }

            /// The same at another path, from another place on.
            fn link(&self, path: &str, after: &str) -> String {
                $crate::asked::link(path, self.query(), after)
            }

            /// Whether anything narrows the list.
            fn active(&self) -> bool {
                self.query().iter().any(|pair| pair.0 != "sort" && !pair.1.is_empty())
            }
        }
    };
}

/// A part of the path by its name in the route; empty where there is none.
pub fn param(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get(name).unwrap_or_default()))
}

/// The parts of a query by their names.
pub type Parts<'a> = dyn Fn(&str) -> String + 'a;

/// What is asked for now: what `read` makes of the URL. It changes with it.
pub fn now<T>(read: fn(&Parts<'_>) -> T) -> Memo<T>
where
    T: PartialEq + Send + Sync + 'static,
{
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| read(&|name| query.get(name).unwrap_or_default())))
}

/// For [`asked!`]: an address.
pub fn link<'a>(path: &str, mut query: Vec<(&'a str, &'a str)>, after: &'a str) -> String {
    query.push(("after", after));
    routes::with_query(path, &query)
}

#[cfg(test)]
mod tests {
    asked!(q, state, sort, after);

    fn asked(q: &str) -> Asked {
        Asked::read(&|name| match name {
            "q" => q.to_owned(),
            "sort" => "-name".to_owned(),
            "after" => "here".to_owned(),
            _ => String::new(),
        })
    }

    #[test]
    fn a_link_keeps_what_is_asked_and_begins_where_it_is_told() {
        let asked = asked("a b");
        assert_eq!(asked.link("/x", ""), "/x?q=a+b&sort=-name");
        assert_eq!(asked.link("/x", "n"), "/x?q=a+b&sort=-name&after=n");
    }

    #[test]
    fn an_order_and_a_page_narrow_nothing() {
        assert!(!asked("").active());
        assert!(asked("a").active());
    }
}
