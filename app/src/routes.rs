//! The paths of the portal and the links to its pages: functions, so that a path is spelled once. What
//! stands at them is listed in [`pages`](crate::pages).

/// Where server functions are; each names its endpoint below this.
pub const FN_PREFIX: &str = "/fn/";
/// Where the switches for theme, contrast, text size and language post to.
pub const LOOK: &str = "/look";
/// The workbench.
pub const HOME: &str = "/";
/// Sign-in; outside of the frame.
pub const SIGN_IN: &str = "/sign-in";
/// Sign-out; only a post.
pub const SIGN_OUT: &str = "/sign-out";
/// Service catalogue.
pub const CATALOGUE: &str = "/catalogue";
/// Cart.
pub const CART: &str = "/cart";
/// The person's and the unit's requests.
pub const REQUESTS: &str = "/requests";
/// Carts that were begun and not yet submitted.
pub const DRAFTS: &str = "/drafts";
/// Steps waiting for this person.
pub const TODO: &str = "/todo";
/// Steps this person has acted on.
pub const DONE: &str = "/done";
/// Resources of the unit.
pub const RESOURCES: &str = "/resources";
/// Delivery sheets, papers of what was ordered.
pub const DELIVERIES: &str = "/deliveries";
/// Quota of the unit.
pub const QUOTA: &str = "/quota";
/// The leader's overview.
pub const OVERVIEW: &str = "/overview";
/// What hosts use of what they were given.
pub const USAGE: &str = "/usage";
/// The same by unit.
pub const USAGE_UNITS: &str = "/usage/units";
/// Jobs, sagas, backends.
pub const OPERATIONS: &str = "/operations";
/// Background jobs, for operators.
pub const JOBS: &str = "/operations/jobs";
/// The backends, for operators.
pub const CLOUDS: &str = "/operations/clouds";
/// Where the portal and the clouds differ, for operators.
pub const DIFFERENCES: &str = "/operations/differences";
/// Taking in what stands in a cloud already, for operators.
pub const IMPORT: &str = "/operations/import";
/// What was taken in, for operators.
pub const IMPORT_BATCHES: &str = "/operations/import/batches";
/// Work orders for people.
pub const WORK_ORDERS: &str = "/work-orders";
/// Items and prices, for administrators.
pub const ADMIN_ITEMS: &str = "/admin/items";
/// Approval policies, for administrators.
pub const ADMIN_POLICIES: &str = "/admin/policies";
/// Units, for administrators.
pub const ADMIN_UNITS: &str = "/admin/units";
/// Users and roles, for administrators.
pub const ADMIN_USERS: &str = "/admin/users";
/// A new account.
pub const USER_NEW: &str = "/admin/users/new";
/// The audit log.
pub const ADMIN_AUDIT: &str = "/admin/audit";
/// The person's own page: password, sessions, tokens.
pub const ME: &str = "/me";
/// In-site notices.
pub const NOTICES: &str = "/notices";
/// Global search (`?q=`).
pub const SEARCH: &str = "/search";
/// Help.
pub const HELP: &str = "/help";
/// The components, for those who build pages.
pub const KIT: &str = "/kit";

/// The catalogue for a cart: what is chosen there goes into it. Without one, into the current draft.
pub fn catalogue(cart: &str) -> String {
    with_query(CATALOGUE, &[("cart", cart)])
}

/// One item of the catalogue, to be configured.
pub fn configure(item: &str) -> String {
    format!("{CATALOGUE}/{}", segment(item))
}

/// An item of the catalogue with its versions, for those who write it.
pub fn item(code: &str) -> String {
    format!("{ADMIN_ITEMS}/{}", segment(code))
}

/// The approval policy for a kind of request, for those who write it.
pub fn policy(kind: &str) -> String {
    format!("{ADMIN_POLICIES}/{}", segment(kind))
}

/// Stands where a cart's id does: the form of a new application system.
pub const NEW_SYSTEM: &str = "system";

/// A new application system; the cart that was left for it, or none, gets it.
pub fn new_system(cart: &str) -> String {
    edit_system(cart, "")
}

/// The same form with what a system is called now, to correct it.
pub fn edit_system(cart: &str, system: &str) -> String {
    let asked = [("cart", cart), ("system", system)];
    with_query(&format!("{CART}/{NEW_SYSTEM}"), &asked)
}

/// One request, by its number.
pub fn request(number: &str) -> String {
    format!("{REQUESTS}/{}", segment(number))
}

/// The application form of a request on paper.
pub fn request_print(number: &str) -> String {
    format!("{}/print", request(number))
}

/// The approval card of a step.
pub fn card(step: &str) -> String {
    format!("{TODO}/{}", segment(step))
}

/// One resource.
pub fn resource(id: &str) -> String {
    format!("{RESOURCES}/{}", segment(id))
}

/// What a host uses, day by day.
pub fn usage(id: &str) -> String {
    format!("{USAGE}/{}", segment(id))
}

/// A new disk out of a snapshot of a disk.
pub fn restore(disk: &str, snapshot: &str) -> String {
    format!("{}/snapshots/{}", resource(disk), segment(snapshot))
}

/// A new disk out of a backup of a disk.
pub fn restore_backup(disk: &str, backup: &str) -> String {
    format!("{}/backups/{}", resource(disk), segment(backup))
}

/// What may come in to a host.
pub fn rules(host: &str) -> String {
    format!("{}/rules", resource(host))
}

/// A host's system anew.
pub fn reinstall(host: &str) -> String {
    format!("{}/reinstall", resource(host))
}

/// The form that gives resources back, for a returned request that is supplemented.
pub fn release_again(request: &str) -> String {
    with_query("/requests/release", &[("request", request)])
}

/// The form that changes a resource; `request` is the returned one that is supplemented, or empty.
pub fn change(id: &str, what: &str, request: &str) -> String {
    let form = format!("{}/change", resource(id));
    with_query(&form, &[("what", what), ("request", request)])
}

/// A thing in the recycle bin.
pub fn bin(id: &str) -> String {
    format!("{}/bin", resource(id))
}

/// The list of what lies in the recycle bin, what is erased first on top.
pub fn in_bin() -> String {
    with_query(RESOURCES, &[("state", "recycled"), ("sort", "erase")])
}

/// The certificate of erasure of a resource.
pub fn certificate(id: &str) -> String {
    format!("{}/certificate", resource(id))
}

/// The certificates of erasure of everything that a request gave back.
pub fn certificates(number: &str) -> String {
    format!("{}/certificates", request(number))
}

/// The delivery sheet of a request, by the request's id.
pub fn delivery(request: &str) -> String {
    format!("{DELIVERIES}/{}", segment(request))
}

/// One fulfilment, for operators.
pub fn saga(id: &str) -> String {
    format!("{OPERATIONS}/sagas/{}", segment(id))
}

/// One difference, for operators.
pub fn difference(id: &str) -> String {
    format!("{DIFFERENCES}/{}", segment(id))
}

/// One thing of a cloud to be taken in, by its difference.
pub fn import_thing(difference: &str) -> String {
    with_query(IMPORT, &[("thing", difference)])
}

/// What was taken in at once, for operators.
pub fn import_batch(id: &str) -> String {
    format!("{IMPORT_BATCHES}/{}", segment(id))
}

/// One work order.
pub fn work_order(id: &str) -> String {
    format!("{WORK_ORDERS}/{}", segment(id))
}

/// One unit, for administrators.
pub fn unit(id: &str) -> String {
    format!("{ADMIN_UNITS}/{}", segment(id))
}

/// One user, for administrators.
pub fn user(id: &str) -> String {
    format!("{ADMIN_USERS}/{}", segment(id))
}

/// A text as one part of a path: what is not plain becomes `%XX`.
pub fn segment(text: &str) -> String {
    escape(text, false)
}

/// A path with a query; empty values are left out, so that a cleared filter leaves the URL.
pub fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let query: Vec<_> = query
        .iter()
        .filter(|pair| !pair.1.is_empty())
        .map(|(name, value)| format!("{}={}", escape(name, true), escape(value, true)))
        .collect();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

fn escape(text: &str, plus: bool) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into())
            }
            b' ' if plus => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A path of this site as somebody sent it (`?next=`, `back`), or the workbench: never another host.
pub fn local_path(path: &str) -> &str {
    // Browsers take a tab or a line break out of an address before they read it.
    let plain = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(|c: char| c == '\\' || c.is_control());
    if plain { path } else { HOME }
}

/// Paths of the pages that exist; the navigation shows no other. A test compares it with the routes.
pub const PATHS: &[&str] = &[
    HELP,
    "/help/deadline",
    KIT,
    SIGN_IN,
    CATALOGUE,
    TODO,
    DONE,
    "/todo/{step}",
    "/catalogue/{code}",
    CART,
    "/cart/{id}",
    DRAFTS,
    REQUESTS,
    "/requests/release",
    "/requests/{id}",
    "/requests/{id}/print",
    ME,
    "/me/password",
    "/me/tokens",
    NOTICES,
    QUOTA,
    SEARCH,
    RESOURCES,
    "/resources/{id}",
    "/resources/{id}/snapshots/{snapshot}",
    "/resources/{id}/backups/{backup}",
    "/resources/{id}/change",
    "/resources/{id}/bin",
    "/resources/{id}/certificate",
    "/requests/{id}/certificates",
    "/resources/{id}/rules",
    "/resources/{id}/reinstall",
    "/deliveries/{id}",
    OPERATIONS,
    "/operations/sagas/{id}",
    JOBS,
    CLOUDS,
    DIFFERENCES,
    "/operations/differences/{id}",
    IMPORT,
    IMPORT_BATCHES,
    "/operations/import/batches/{id}",
    ADMIN_AUDIT,
    ADMIN_ITEMS,
    "/admin/items/{code}",
    ADMIN_POLICIES,
    "/admin/policies/{kind}",
    HOME,
    OVERVIEW,
    USAGE,
    USAGE_UNITS,
    "/usage/{id}",
    WORK_ORDERS,
    "/work-orders/{id}",
    ADMIN_UNITS,
    "/admin/units/{id}",
    "/admin/units/{id}/new",
    "/admin/units/{id}/edit",
    ADMIN_USERS,
    USER_NEW,
    "/admin/users/{id}",
    "/admin/users/{id}/edit",
    "/admin/users/{id}/grant",
    "/admin/users/{id}/password",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_escaped() {
        assert_eq!(request("ZWY-20260918-0007"), "/requests/ZWY-20260918-0007");
        assert_eq!(request("a/b 拎"), "/requests/a%2Fb%20%E6%8B%8E");
        assert_eq!(
            with_query("/requests", &[("q", "a b&c"), ("state", "")]),
            "/requests?q=a+b%26c"
        );
    }

    #[test]
    fn nobody_is_led_to_another_host() {
        assert_eq!(local_path("/todo?x=1"), "/todo?x=1");
        for bad in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\u{0}/evil.example",
            "",
            "javascript:alert(1)",
        ] {
            assert_eq!(local_path(bad), HOME);
        }
    }
}
