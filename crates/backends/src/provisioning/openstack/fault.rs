//! What an answer of the cloud means: the table of errors.
//!
//! | what came back | meaning |
//! | --- | --- |
//! | no connection, no name, no TLS | [`Fault::NotSent`]: call again |
//! | 401 | the token is renewed once and the request repeated, then [`RefusalReason::Denied`] |
//! | 429, 413 without words of a quota | [`Fault::TurnedAway`] before anything was done, with the seconds of `Retry-After` |
//! | 403 with words of a policy | [`RefusalReason::Denied`], also where the policy is one about quotas |
//! | 403, 413, 409 with words of a quota | [`RefusalReason::QuotaExceeded`] |
//! | 403 | [`RefusalReason::Denied`] |
//! | 404 in the service's own words | [`RefusalReason::NotFound`] |
//! | any other 404, 406 | [`Fault::NotSent`]: something in between answered, or a service that was just changed; nothing was done |
//! | 409, 400 about a state | [`RefusalReason::Conflict`] |
//! | 400, 422 | [`RefusalReason::InvalidSpec`] |
//! | 405, 410, 501 | [`RefusalReason::Unsupported`] |
//! | 3xx, 5xx, time-out, cut, half an answer | [`Fault::Lost`] for what changes something; reading may simply be repeated, so there it is [`Fault::NotSent`], or [`Fault::TurnedAway`] with a `Retry-After` |
use serde_json::Value;

use super::version::Service;
use crate::provisioning::{
    OperationId, Outcome, PollToken, ReadError, Refusal, RefusalReason, Settled,
};

/// Why a request gave no answer to work with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Certainly nothing was done.
    NotSent(String),
    /// Certainly nothing was done, for the cloud has too much to do; it may say after how many seconds
    /// it wants to be asked again.
    TurnedAway { why: String, after: Option<u32> },
    /// It may have been done.
    Lost(String),
    /// The cloud says no.
    Refused(Refusal),
}

/// Why a call ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// No answer, or a no.
    Fault(Fault),
    /// It is under way; ask again after so many milliseconds.
    Running(u64),
}

/// What a request gives.
pub(super) type Answer<T> = Result<T, Fault>;
/// What a call gives.
pub(super) type Flow<T> = Result<T, Stop>;

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Fault(Fault::Refused(refusal))
    }
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotSent(why) | Fault::TurnedAway { why, .. } | Fault::Lost(why) => {
                Self::Unreachable(why)
            }
            Fault::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl Fault {
    /// With the seconds after which the cloud wants to be asked again. Where something may have been
    /// done they say nothing: that is looked for, however long it takes.
    pub fn told(self, after: Option<u32>) -> Self {
        match (self, after) {
            (Self::NotSent(why), Some(_)) | (Self::TurnedAway { why, .. }, _) => {
                Self::TurnedAway { why, after }
            }
            (fault, _) => fault,
        }
    }

    /// Whether the cloud says that it is not there.
    pub fn is_not_found(&self) -> bool {
        self.reason() == Some(RefusalReason::NotFound)
    }

    /// Why the cloud says no, if it does.
    pub fn reason(&self) -> Option<RefusalReason> {
        match self {
            Self::Refused(refusal) => Some(refusal.reason),
            _ => None,
        }
    }
}

/// A refusal of our own.
pub(super) fn refuse<T>(reason: RefusalReason, detail: impl Into<String>) -> Flow<T> {
    Err(Refusal::new(reason, detail).into())
}

/// `None` for what is not there.
pub(super) fn optional<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(fault) if fault.is_not_found() => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The outcome of a call.
pub(super) fn outcome(flow: Flow<Settled>, poll: impl FnOnce() -> PollToken) -> Outcome<Settled> {
    match flow {
        Ok(settled) => Outcome::Done(settled),
        Err(Stop::Running(retry_after_ms)) => Outcome::Running {
            poll: poll(),
            retry_after_ms,
        },
        Err(Stop::Fault(Fault::NotSent(why))) => Outcome::Unreachable(why),
        Err(Stop::Fault(Fault::TurnedAway { why, after })) => Outcome::NotSent { why, after },
        Err(Stop::Fault(Fault::Lost(why))) => Outcome::Unknown(why),
        Err(Stop::Fault(Fault::Refused(refusal))) => Outcome::Refused(refusal),
    }
}

/// What an answer that is no success means. `changes`: whether the request may have changed something.
pub(super) fn of_status(service: &str, status: u16, body: &[u8], changes: bool) -> Fault {
    let (kind, words) = words(body);
    let said = format!("{service}: {status} {words}");
    let turned_away = |why| Fault::TurnedAway { why, after: None };
    let reason = match status {
        429 => return turned_away(said),
        403 if is_policy(&words) => RefusalReason::Denied,
        _ if is_quota(status, &kind, &words) => RefusalReason::QuotaExceeded,
        413 => return turned_away(said),
        _ if is_no_address(&kind, &words) => RefusalReason::NoAddress,
        400 if is_state(&words) => RefusalReason::Conflict,
        400 | 422 => RefusalReason::InvalidSpec,
        401 | 403 => RefusalReason::Denied,
        // "It is not there" ends what the portal does with it, so it must come from the service itself:
        // what stands before a service that is being moved says 404 as well.
        404 if is_own(service, body) => RefusalReason::NotFound,
        404 => return Fault::NotSent(said),
        // The version that was agreed on is not spoken any more: it is agreed on anew.
        406 => return Fault::NotSent(said),
        409 => RefusalReason::Conflict,
        405 | 410 | 501 => RefusalReason::Unsupported,
        _ if changes => return Fault::Lost(said),
        _ => return Fault::NotSent(said),
    };
    Fault::Refused(Refusal::new(reason, said))
}

/// Whether an error is written as the service itself writes it: in an object or a list of its own.
/// Glance alone leaves it to its framework, which writes a page or one flat object.
fn is_own(service: &str, body: &[u8]) -> bool {
    if service == "glance" {
        return String::from_utf8_lossy(body).contains("404 Not Found");
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(said)) => said.iter().any(|(key, it)| match it {
            Value::Object(it) => it.contains_key("message") || it.contains_key("type"),
            Value::Array(all) => key == "errors" && !all.is_empty(),
            _ => false,
        }),
        _ => false,
    }
}

/// Each service writes its errors in its own way: `{"badRequest": {"message", "code"}}`,
/// `{"NeutronError": {"type", "message"}}`, `{"error": {…}}`, `{"errors": [{"detail"}]}`, or a page.
fn words(body: &[u8]) -> (String, String) {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let inner = parsed.as_ref().and_then(|value| {
        let first = value.as_object()?.values().next()?;
        Some(
            first
                .as_array()
                .and_then(|all| all.first())
                .unwrap_or(first),
        )
    });
    let kind = inner.and_then(|it| text(it, "type")).unwrap_or_default();
    let said = inner.and_then(|it| text(it, "message").or_else(|| text(it, "detail")));
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let short: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    (kind, short.chars().take(300).collect())
}

/// Whether the cloud says that the portal's user may not do this. Rules have names, and those of limits
/// have "quota" in them.
fn is_policy(words: &str) -> bool {
    let words = words.to_lowercase();
    words.contains("policy") || words.contains("disallowed")
}

fn is_quota(status: u16, kind: &str, words: &str) -> bool {
    let words = words.to_lowercase();
    kind == "OverQuota"
        || (matches!(status, 403 | 409 | 413)
            && (words.contains("quota") || words.contains("limit exceeded")))
}

fn is_no_address(kind: &str, words: &str) -> bool {
    [
        "IpAddressGenerationFailure",
        "ExternalIpAddressExhausted",
        "NoMoreNetworks",
    ]
    .contains(&kind)
        || words.contains("No more IP addresses")
}

/// Cinder and Nova answer 400 to some requests that only come at the wrong moment.
fn is_state(words: &str) -> bool {
    let words = words.to_lowercase();
    words.contains("status must be")
        || words.contains("must be available")
        || words.contains("already attached")
        || words.contains("is not attached")
}

/// What the fault of a server that could not be built means.
pub(super) fn of_build(message: &str) -> Refusal {
    let low = message.to_lowercase();
    let reason = if low.contains("quota") {
        RefusalReason::QuotaExceeded
    } else if low.contains("no more ip") || low.contains("no fixed ip") {
        RefusalReason::NoAddress
    } else {
        // "No valid host was found", "Exceeded maximum number of retries", a volume that came to
        // nothing: it did not find its place, and asking the same again would end the same way, unless
        // one of its `suspects` was down.
        RefusalReason::NoCapacity
    };
    Refusal::new(reason, message)
}

/// Whether a server could not be built because one service of the cloud gave another no answer. That
/// passes, and then the same order goes right.
pub(super) fn is_outage(message: &str) -> bool {
    let low = message.to_lowercase();
    let says = |words: &&str| low.contains(words);
    // Cinder has not said no: nobody there works, or not fast enough for Nova's patience.
    let is_unfinished = says(&"did not finish being created")
        && ["status is creating", "status is downloading"]
            .iter()
            .any(says);
    let is_silence = [
        // The page of 503 that stands before each service.
        "currently unavailable",
        "service unavailable",
        "temporarily unavailable",
        "bad gateway",
        "gateway time",
        "timed out",
        "unable to establish connection",
        // What Nova says of Neutron when it has swallowed Neutron's own words.
        "failed to allocate the network",
    ]
    .iter()
    .any(says);
    is_silence || is_unfinished
}

/// The services of which one may have been down where a server found no place: then these words are no
/// want of room.
pub(super) fn suspects(message: &str) -> &'static [Service] {
    let low = message.to_lowercase();
    if low.contains("no valid host") {
        &[Service::Compute]
    } else if low.contains("did not finish being created") {
        &[Service::Volume]
    } else if low.contains("exceeded maximum number of retries") {
        &[Service::Compute, Service::Volume]
    } else {
        &[]
    }
}

/// The refusal of a cancelled operation.
pub(super) fn cancelled(op: &OperationId) -> Refusal {
    Refusal::new(
        RefusalReason::Cancelled,
        format!("operation {op} was cancelled"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(status: u16, body: &str) -> Option<RefusalReason> {
        of_status("nova", status, body.as_bytes(), true).reason()
    }

    #[test]
    fn each_answer_has_its_meaning() {
        use RefusalReason as R;
        for (status, body, means) in [
            (
                400,
                r#"{"badRequest":{"code":400,"message":"Invalid imageRef"}}"#,
                R::InvalidSpec,
            ),
            (
                400,
                r#"{"badRequest":{"message":"Invalid volume: Volume status must be available or error, but current status is: in-use."}}"#,
                R::Conflict,
            ),
            (
                403,
                r#"{"forbidden":{"code":403,"message":"Quota exceeded for cores: Requested 64, but already used 52 of 100 cores"}}"#,
                R::QuotaExceeded,
            ),
            (
                403,
                r#"{"forbidden":{"message":"Policy doesn't allow it"}}"#,
                R::Denied,
            ),
            (
                403,
                r#"{"forbidden":{"code":403,"message":"Policy doesn't allow os_compute_api:os-quota-sets:update to be performed."}}"#,
                R::Denied,
            ),
            (
                403,
                r#"{"forbidden":{"code":403,"message":"Policy doesn't allow volume_extension:quotas:update to be performed."}}"#,
                R::Denied,
            ),
            (
                403,
                r#"{"NeutronError":{"type":"PolicyNotAuthorized","message":"rule:update_quota is disallowed by policy","detail":""}}"#,
                R::Denied,
            ),
            (404, r#"{"itemNotFound":{"message":"no"}}"#, R::NotFound),
            (
                409,
                r#"{"conflictingRequest":{"message":"Cannot 'stop' instance while it is in vm_state building"}}"#,
                R::Conflict,
            ),
            (
                409,
                r#"{"NeutronError":{"type":"OverQuota","message":"Quota exceeded for resources: ['floatingip'].","detail":""}}"#,
                R::QuotaExceeded,
            ),
            (
                409,
                r#"{"NeutronError":{"type":"IpAddressGenerationFailure","message":"No more IP addresses available on network x."}}"#,
                R::NoAddress,
            ),
            (
                413,
                r#"{"overLimit":{"code":413,"message":"VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota."}}"#,
                R::QuotaExceeded,
            ),
            (401, "Authentication required", R::Denied),
            (405, "", R::Unsupported),
        ] {
            assert_eq!(reason(status, body), Some(means), "{status} {body}");
        }
    }

    #[test]
    fn what_may_have_been_done_is_lost_and_what_was_not_may_be_repeated() {
        for status in [500, 502, 503, 504, 302] {
            let page = b"<html>Bad gateway</html>";
            assert!(matches!(of_status("n", status, page, true), Fault::Lost(_)));
            assert!(matches!(
                of_status("n", status, page, false),
                Fault::NotSent(_)
            ));
        }
        for status in [413, 429] {
            let body = br#"{"overLimit":{"message":"too many requests"}}"#;
            assert!(matches!(
                of_status("n", status, body, true),
                Fault::TurnedAway { after: None, .. }
            ));
        }
    }

    #[test]
    fn when_to_ask_again_is_told_where_nothing_was_done() {
        let of = |status, changes| of_status("n", status, b"", changes).told(Some(60));
        for (status, changes) in [(429, true), (429, false), (413, true), (503, false)] {
            let fault = of(status, changes);
            assert!(
                matches!(
                    fault,
                    Fault::TurnedAway {
                        after: Some(60),
                        ..
                    }
                ),
                "{status}: {fault:?}"
            );
        }
        assert!(matches!(of(503, true), Fault::Lost(_)));
        assert!(matches!(of(403, true), Fault::Refused(_)));
    }

    #[test]
    fn only_the_service_itself_says_that_something_is_not_there() {
        let of = |service, body: &str| of_status(service, 404, body.as_bytes(), false);
        for (service, body) in [
            (
                "nova",
                r#"{"itemNotFound":{"code":404,"message":"Instance x could not be found."}}"#,
            ),
            (
                "neutron",
                r#"{"NeutronError":{"type":"NetworkNotFound","message":"Network x","detail":""}}"#,
            ),
            (
                "keystone",
                r#"{"error":{"code":404,"message":"Could not find project: x.","title":"Not Found"}}"#,
            ),
            (
                "placement",
                r#"{"errors":[{"status":404,"title":"Not Found","detail":"No resource provider"}]}"#,
            ),
            (
                "glance",
                "<html><head><title>404 Not Found</title></head></html>",
            ),
            (
                "glance",
                r#"{"message":"No image found","code":"404 Not Found","title":"Not Found"}"#,
            ),
        ] {
            assert!(of(service, body).is_not_found(), "{service} {body}");
        }
        for (service, body) in [
            ("nova", ""),
            ("nova", "default backend - 404"),
            (
                "nova",
                "<html><head><title>404 Not Found</title></head></html>",
            ),
            ("glance", "default backend - 404"),
            (
                "nova",
                r#"{"message":"no Route matched with those values"}"#,
            ),
        ] {
            let fault = of(service, body);
            assert!(matches!(fault, Fault::NotSent(_)), "{service} {body}");
        }
    }

    #[test]
    fn a_version_that_is_not_spoken_any_more_is_agreed_on_anew() {
        assert!(matches!(
            of_status("nova", 406, b"", true),
            Fault::NotSent(_)
        ));
    }

    #[test]
    fn a_failed_build_is_told_in_the_clouds_words() {
        let full = of_build("No valid host was found. There are not enough hosts available.");
        assert_eq!(full.reason, RefusalReason::NoCapacity);
        assert!(full.detail.contains("not enough hosts"));
        let quota = of_build("Build aborted: VolumeLimitExceeded quota");
        assert_eq!(quota.reason, RefusalReason::QuotaExceeded);
    }

    #[test]
    fn an_outage_is_no_want_of_room() {
        for said in [
            "Build of instance x aborted: The server is currently unavailable. Please try again at a later time.<br /><br />",
            "Build of instance x aborted: Failed to allocate the network(s), not rescheduling.",
            "Unable to establish connection to http://127.0.0.1:9696/v2.0/ports",
            "Timed out waiting for a reply to message ID x",
            "Build of instance x aborted: Volume y did not finish being created even after we waited 187 seconds or 61 attempts. And its status is creating.",
        ] {
            assert!(is_outage(said), "{said}");
        }
        for said in [
            "No valid host was found. There are not enough hosts available.",
            "Build of instance x aborted: VolumeLimitExceeded quota",
            "Build of instance x aborted: No more IP addresses available on network x.",
            "Exceeded maximum number of retries.",
            "Build of instance x aborted: Volume y did not finish being created even after we waited 3 seconds or 2 attempts. And its status is error.",
        ] {
            assert!(!is_outage(said), "{said}");
        }
    }

    #[test]
    fn who_finds_no_place_may_have_lacked_a_service() {
        for (said, of) in [
            (
                "No valid host was found. There are not enough hosts available.",
                1,
            ),
            (
                "Volume y did not finish being created. And its status is error.",
                1,
            ),
            ("Exceeded maximum number of retries.", 2),
            ("Build of instance x aborted: VolumeLimitExceeded quota", 0),
            (
                "Build of instance x aborted: No more IP addresses available on network x.",
                0,
            ),
        ] {
            assert_eq!(suspects(said).len(), of, "{said}");
        }
    }
}
