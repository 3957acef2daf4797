//! Refuses what another site's page makes the browser send.
//!
//! Browsers say where a request comes from: `Sec-Fetch-Site`, and older ones `Origin` with every
//! post. Who says neither is no browser, and must bring a token of the programming interface. The
//! `Referer` is never looked at: many government browsers are set up to send none.
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::Response,
};
use lingbao_model::msg::Msg;

use crate::http::{Portal, problem::Refusal};

/// Whether a changing request comes from our own pages, or from no page at all.
#[must_use]
pub fn allowed(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    if let Some(origin) = text("origin") {
        // The second half serves whoever reaches the portal by another name than the public one
        // (an address inside the network): then the browser must have sent both by that name.
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        return origin == public_url.trim_end_matches('/')
            || (!host.is_empty() && text("host") == Some(host));
    }
    bearer(headers)
}

/// Whether the request brings a token: then no cookie is looked at.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.len() > 7 && value[..7].eq_ignore_ascii_case("bearer "))
}

/// Refuses with 403.
pub async fn layer(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads || allowed(request.headers(), &portal.config.server.public_url) {
        return next.run(request).await;
    }
    let (parts, _) = request.into_parts();
    metrics::counter!("lingbao_cross_site_refused").increment(1);
    Refusal::forbidden(Msg::new("problem.cross_site")).answer(&portal, &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.insert(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn our_own_pages_and_tokens_pass_and_nobody_else() {
        let url = "https://yun.example.cn";
        let ok = |pairs: &[(&'static str, &str)]| allowed(&headers(pairs), url);
        assert!(ok(&[("sec-fetch-site", "same-origin")]));
        assert!(ok(&[("sec-fetch-site", "none")]));
        assert!(!ok(&[("sec-fetch-site", "same-site")]));
        assert!(!ok(&[("sec-fetch-site", "cross-site"), ("origin", url)]));
        assert!(ok(&[("origin", url)]));
        assert!(ok(&[
            ("origin", "http://10.0.0.5:3000"),
            ("host", "10.0.0.5:3000")
        ]));
        assert!(!ok(&[
            ("origin", "https://evil.example"),
            ("host", "yun.example.cn")
        ]));
        assert!(!ok(&[("origin", "null"), ("host", "yun.example.cn")]));
        assert!(!ok(&[]));
        assert!(ok(&[("authorization", "Bearer lbk_x")]));
        assert!(!ok(&[("authorization", "Basic x")]));
        assert!(!ok(&[
            ("authorization", "Bearer lbk_x"),
            ("sec-fetch-site", "cross-site")
        ]));
    }
}
