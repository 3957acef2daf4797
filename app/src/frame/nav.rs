//! Navigation: at the side, at the bottom of phones, and for phones the rest in the menu.

use super::top::exists;
use crate::{
    routes, t,
    ui::Icon,
    viewer::{Viewer, use_viewer},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// A door: shown when the page exists in this build and the person has the ability.
struct Door {
    group: Group,
    path: &'static str,
    icon: &'static str,
    text: fn() -> &'static str,
    /// Ability that opens it, or several with `|` between; none opens it for everybody who is
    /// signed in.
    ability: &'static str,
    count: fn(&Viewer) -> i64,
    /// The count asks somebody to act.
    hot: bool,
    /// Comes first at the bottom of phones.
    dock: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Work,
    Approve,
    Manage,
    Admin,
}

impl Group {
    const ALL: [Self; 4] = [Self::Work, Self::Approve, Self::Manage, Self::Admin];

    fn title(self) -> &'static str {
        match self {
            Self::Work => t!("nav.group.work"),
            Self::Approve => t!("nav.group.approve"),
            Self::Manage => t!("nav.group.manage"),
            Self::Admin => t!("nav.group.admin"),
        }
    }
}

const fn door(
    group: Group,
    path: &'static str,
    icon: &'static str,
    text: fn() -> &'static str,
    ability: &'static str,
) -> Door {
    Door {
        group,
        path,
        icon,
        text,
        ability,
        count: |_| 0,
        hot: false,
        dock: false,
    }
}

impl Door {
    const fn dock(mut self) -> Self {
        self.dock = true;
        self
    }

    const fn count(mut self, count: fn(&Viewer) -> i64) -> Self {
        self.count = count;
        self
    }

    const fn hot(mut self) -> Self {
        self.hot = true;
        self
    }

    fn open(&self, viewer: &Viewer) -> bool {
        exists(self.path)
            && (self.ability.is_empty() || self.ability.split('|').any(|one| viewer.can(one)))
    }

    /// Whether `here` is this page or one below it; a delivery sheet is a paper of resources, and
    /// approval policies are kept by those who keep the items.
    fn current(&self, here: &str) -> bool {
        within(here, self.path)
            || self.path == routes::RESOURCES && within(here, routes::DELIVERIES)
            || self.path == routes::ADMIN_ITEMS && within(here, routes::ADMIN_POLICIES)
    }
}

fn within(here: &str, path: &str) -> bool {
    here == path
        || path != routes::HOME
            && here
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
}

/// All doors, in the order of the side. The abilities are those of the server's authorization.
const DOORS: &[Door] = &[
    door(Group::Work, routes::HOME, "home", || t!("nav.home"), "").dock(),
    door(
        Group::Work,
        routes::CATALOGUE,
        "grid",
        || t!("nav.catalogue"),
        "order",
    )
    .dock(),
    door(
        Group::Work,
        routes::CART,
        "case",
        || t!("nav.cart"),
        "order",
    )
    .dock(),
    door(
        Group::Work,
        routes::REQUESTS,
        "doc",
        || t!("nav.requests"),
        "read_requests",
    )
    .dock()
    .count(|v| v.requests),
    door(
        Group::Work,
        routes::RESOURCES,
        "host",
        || t!("nav.resources"),
        "read_resources",
    ),
    door(
        Group::Work,
        routes::QUOTA,
        "gauge",
        || t!("nav.quota"),
        "read_quota",
    ),
    door(
        Group::Approve,
        routes::TODO,
        "inbox",
        || t!("nav.todo"),
        "decide",
    )
    .dock()
    .count(|v| v.todo)
    .hot(),
    door(
        Group::Approve,
        routes::DONE,
        "tick",
        || t!("nav.done"),
        "decide",
    )
    .dock(),
    door(
        Group::Manage,
        routes::OVERVIEW,
        "chart",
        || t!("nav.overview"),
        "overview",
    )
    .dock(),
    door(
        Group::Manage,
        routes::OPERATIONS,
        "tool",
        || t!("nav.operations"),
        "operate",
    )
    .count(|v| v.stuck)
    .hot(),
    door(
        Group::Manage,
        routes::WORK_ORDERS,
        "clip",
        || t!("nav.work_orders"),
        "operate",
    ),
    door(
        Group::Manage,
        routes::USAGE,
        "pulse",
        || t!("usage.title"),
        "read_resources",
    ),
    door(
        Group::Admin,
        routes::ADMIN_ITEMS,
        "box",
        || t!("nav.admin_items"),
        "manage_items|manage_prices",
    ),
    door(
        Group::Admin,
        routes::ADMIN_UNITS,
        "org",
        || t!("nav.admin_units"),
        "manage_units",
    ),
    door(
        Group::Admin,
        routes::ADMIN_USERS,
        "user",
        || t!("nav.admin_users"),
        "manage_units|manage_roles",
    ),
    door(
        Group::Admin,
        routes::ADMIN_AUDIT,
        "book",
        || t!("nav.admin_audit"),
        "read_audit",
    ),
];

/// The doors open to somebody, group by group.
fn groups(viewer: &Viewer) -> Vec<(Group, Vec<&'static Door>)> {
    Group::ALL
        .into_iter()
        .map(|group| {
            (
                group,
                DOORS
                    .iter()
                    .filter(|d| d.group == group && d.open(viewer))
                    .collect::<Vec<_>>(),
            )
        })
        .filter(|(_, doors)| !doors.is_empty())
        .collect()
}

#[component]
fn Link(door: &'static Door, count: i64) -> impl IntoView {
    let current = door.current(&use_location().pathname.get_untracked());
    view! {
        <a href=door.path aria-current=current.then_some("page")>
            <Icon name=door.icon/>
            {(door.text)()}
            {(count > 0)
                .then(|| {
                    view! {
                        <span class=if door.hot { "count count-hot" } else { "count" }>
                            {count}<span class="sr">{t!("frame.pieces")}</span>
                        </span>
                    }
                })}
        </a>
    }
}

fn lists(viewer: &Viewer) -> impl IntoView + use<> {
    groups(viewer)
        .into_iter()
        .map(|(group, doors)| {
            view! {
                <h2 class="side-title">{group.title()}</h2>
                <ul>
                    {doors
                        .into_iter()
                        .map(|door| view! { <li><Link door count=(door.count)(viewer)/></li> })
                        .collect_view()}
                </ul>
            }
        })
        .collect_view()
}

/// The navigation of wide screens.
#[component]
pub fn Side() -> impl IntoView {
    view! {
        <nav class="side only-wide" aria-label=t!("frame.nav")>
            {use_viewer().map(|viewer| lists(&viewer))}
        </nav>
    }
}

/// The same doors in the menu of phones, where the side is not.
#[component]
pub fn PhoneLinks() -> impl IntoView {
    view! {
        <section class="only-phone menu-side">
            {use_viewer().map(|viewer| lists(&viewer))}
            <ul>
                <li><a href=routes::SEARCH><Icon name="search"/><span>{t!("nav.search")}</span></a></li>
                <li><a href=routes::HELP><Icon name="help"/><span>{t!("nav.help")}</span></a></li>
            </ul>
        </section>
    }
}

/// Four doors at the thumb.
#[component]
pub fn Dock() -> impl IntoView {
    view! {
        <nav class="dock only-phone" aria-label=t!("frame.dock")>
            {use_viewer().map(|viewer| thumbs(&viewer))}
        </nav>
    }
}

/// What somebody has the phone for: deciding, ordering, or the desk that is theirs alone. The rest
/// is in the menu.
fn docked(viewer: &Viewer) -> Vec<&'static Door> {
    let rank = |door: &Door| {
        let work = door.group == Group::Work;
        if viewer.can("decide") {
            (!door.dock, work)
        } else if viewer.can("order") {
            (!door.dock, !work)
        } else {
            (work && door.path != routes::HOME, !work)
        }
    };
    let mut doors: Vec<_> = DOORS.iter().filter(|d| d.open(viewer)).collect();
    doors.sort_by_key(|door| rank(door));
    doors.truncate(4);
    doors
}

fn thumbs(viewer: &Viewer) -> impl IntoView + use<> {
    docked(viewer)
        .into_iter()
        .map(|door| view! { <Link door count=(door.count)(viewer)/> })
        .collect_view()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_below_a_door_is_inside_it() {
        let requests = DOORS.iter().find(|d| d.path == routes::REQUESTS).unwrap();
        assert!(requests.current("/requests") && requests.current("/requests/ZWY-1"));
        assert!(!requests.current("/requests-old"));
        let marked: Vec<_> = DOORS
            .iter()
            .filter(|d| d.current("/deliveries/req_1"))
            .map(|d| d.path)
            .collect();
        assert_eq!(marked, [routes::RESOURCES]);
        let home = &DOORS[0];
        assert!(home.current("/") && !home.current("/requests"));
    }

    #[test]
    fn the_thumb_finds_what_the_phone_is_for() {
        let paths = |can: &[&str]| -> Vec<_> {
            let viewer = Viewer {
                abilities: can.iter().map(|&one| one.to_owned()).collect(),
                ..Viewer::default()
            };
            docked(&viewer).iter().map(|door| door.path).collect()
        };
        let desk = paths(&["manage_units"]);
        assert_eq!(desk[0], routes::HOME);
        assert!(desk.contains(&routes::ADMIN_UNITS) && desk.contains(&routes::ADMIN_USERS));
        assert!(
            paths(&["operate", "overview", "read_requests", "read_resources"])
                .contains(&routes::WORK_ORDERS)
        );
        assert_eq!(paths(&["decide", "read_requests"])[0], routes::TODO);
        assert_eq!(paths(&["order", "read_requests"])[1], routes::CATALOGUE);
    }

    #[test]
    fn a_door_needs_its_ability() {
        let nobody = Viewer::default();
        assert!(
            groups(&nobody)
                .iter()
                .flat_map(|g| &g.1)
                .all(|d| d.ability.is_empty())
        );
    }
}
