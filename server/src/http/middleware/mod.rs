//! What stands around every answer, one file each, in the order in which a request meets them:
//!
//! 1. [`request_id`]: names the request in log, audit and messages.
//! 2. [`access_log`]: one line a request, and the figures of `/metrics`.
//! 3. [`headers`]: what every answer tells the browser.
//! 4. [`guard`]: a panic, a late or a superfluous request becomes a proper answer.
//! 5. [`client`]: whose address counts behind proxies.
//! 6. [`cross_site`]: posts of foreign pages are refused.
//! 7. the session, and [`context`](super::context): who asks.
pub mod access_log;
pub mod client;
pub mod cross_site;
pub mod guard;
pub mod headers;
pub mod request_id;
