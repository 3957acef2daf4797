//! The simulated cloud over HTTP, for several copies of the server: [`router`] on one side,
//! [`RemoteSimulator`] on the other.
//!
//! The interface has no accounts of its own: bind it to a private address, or give both sides a
//! token.
use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::{
    Call, Capabilities, Capacity, ExternalId, Kind, LetIn, Object, OperationId, OperationState,
    Outcome, Page, PollToken, PoolRef, Provisioner, ReadError, Refusal, RefusalReason, Secret,
    Settled, Usage,
    simulator::{Fault, Simulator},
};

/// What is read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
enum Ask {
    Capabilities,
    Capacity {
        pool: PoolRef,
    },
    Health,
    Get {
        kind: Kind,
        id: ExternalId,
    },
    FindByOperation {
        op: OperationId,
    },
    List {
        project: Option<ExternalId>,
        cursor: Option<String>,
    },
    Usage {
        server: ExternalId,
    },
    Rules {
        server: ExternalId,
    },
    AllRules,
}

/// What is changed.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    op: OperationId,
    call: Call,
}

/// Serves a simulated cloud. With a token, only to who brings it (`Authorization: Bearer …`).
pub fn router(simulator: Simulator, token: Option<Secret>) -> Router {
    Router::new()
        .route("/v1/ask", post(ask))
        .route("/v1/execute", post(execute))
        .route("/v1/poll", post(poll))
        .route("/v1/cancel", post(cancel))
        .with_state(simulator)
        .layer(middleware::from_fn_with_state(token, guard))
}

/// Orders of failures (`POST /control/faults`, `POST /control/clear`), for drills. Merge it with
/// [`router`] only where nobody's machines are real to them.
pub fn control_router(simulator: Simulator, token: Option<Secret>) -> Router {
    Router::new()
        .route("/control/faults", post(inject))
        .route("/control/clear", post(clear))
        .with_state(simulator)
        .layer(middleware::from_fn_with_state(token, guard))
}

async fn guard(State(token): State<Option<Secret>>, request: Request, next: Next) -> Response {
    if let Some(token) = token {
        let given = request.headers().get(AUTHORIZATION).map(|v| v.as_bytes());
        let wanted = format!("Bearer {}", token.0);
        if !given.is_some_and(|given| bool::from(given.ct_eq(wanted.as_bytes()))) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
    }
    next.run(request).await
}

async fn inject(State(simulator): State<Simulator>, Json(fault): Json<Fault>) -> StatusCode {
    simulator.inject(fault);
    StatusCode::NO_CONTENT
}

async fn clear(State(simulator): State<Simulator>) -> StatusCode {
    simulator.clear_faults();
    StatusCode::NO_CONTENT
}

async fn execute(
    State(simulator): State<Simulator>,
    Json(order): Json<Order>,
) -> Json<Outcome<Settled>> {
    Json(simulator.execute(&order.op, order.call).await)
}

async fn poll(
    State(simulator): State<Simulator>,
    Json(token): Json<PollToken>,
) -> Json<Outcome<Settled>> {
    Json(simulator.poll(&token).await)
}

async fn cancel(
    State(simulator): State<Simulator>,
    Json(op): Json<OperationId>,
) -> Json<Outcome<OperationState>> {
    Json(simulator.cancel(&op).await)
}

async fn ask(State(simulator): State<Simulator>, Json(ask): Json<Ask>) -> Response {
    fn answer<T: Serialize>(read: Result<T, ReadError>) -> Response {
        Json(read).into_response()
    }
    match ask {
        Ask::Capabilities => answer(simulator.capabilities().await),
        Ask::Capacity { pool } => answer(simulator.capacity(&pool).await),
        Ask::Health => answer(simulator.health().await),
        Ask::Get { kind, id } => answer(simulator.get(kind, &id).await),
        Ask::FindByOperation { op } => answer(simulator.find_by_operation(&op).await),
        Ask::List { project, cursor } => {
            answer(simulator.list(project.as_ref(), cursor.as_deref()).await)
        }
        Ask::Usage { server } => answer(simulator.usage(&server).await),
        Ask::Rules { server } => answer(simulator.server_rules(&server).await),
        Ask::AllRules => answer(simulator.all_rules().await),
    }
}

/// A simulated cloud in another process.
#[derive(Debug, Clone)]
pub struct RemoteSimulator {
    name: String,
    url: String,
    token: Option<Secret>,
    client: reqwest::Client,
}

/// Why there was no usable answer.
enum Lost {
    /// The question certainly did not arrive.
    BeforeSending(String),
    /// It may have arrived.
    AfterSending(String),
    /// It arrived and was turned away before anything was done.
    Refused(Refusal),
}

impl RemoteSimulator {
    /// A client of the cloud at `url` (`http://10.0.0.5:3010`). `timeout` covers a whole call.
    ///
    /// # Errors
    /// If the client can't be set up.
    pub fn new(
        name: impl Into<String>,
        url: &str,
        token: Option<Secret>,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        // A proxy of the environment is for the world outside, not for the machine room.
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(timeout)
            .build()?;
        Ok(Self {
            name: name.into(),
            url: url.trim_end_matches('/').to_owned(),
            token,
            client,
        })
    }

    async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Lost> {
        let mut request = self.client.post(format!("{}{path}", self.url)).json(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(&token.0);
        }
        let response = request.send().await.map_err(|error| {
            // Only an error of connecting (or of building the request) proves that nothing was sent.
            if error.is_connect() || error.is_builder() {
                Lost::BeforeSending(error.to_string())
            } else {
                Lost::AfterSending(error.to_string())
            }
        })?;
        let status = response.status();
        if status.is_client_error() {
            let reason = match status.as_u16() {
                401 | 403 => RefusalReason::Denied,
                400 | 413 | 415 | 422 => RefusalReason::InvalidSpec,
                404 | 405 => RefusalReason::Unsupported,
                _ => return Err(Lost::AfterSending(format!("status {status}"))),
            };
            return Err(Lost::Refused(Refusal::new(
                reason,
                format!("status {status}"),
            )));
        }
        if !status.is_success() {
            return Err(Lost::AfterSending(format!("status {status}")));
        }
        response
            .json()
            .await
            .map_err(|error| Lost::AfterSending(error.to_string()))
    }

    async fn change<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Outcome<T> {
        match self.send(path, body).await {
            Ok(outcome) => outcome,
            Err(Lost::BeforeSending(why)) => Outcome::Unreachable(why),
            Err(Lost::AfterSending(why)) => Outcome::Unknown(why),
            Err(Lost::Refused(refusal)) => Outcome::Refused(refusal),
        }
    }

    async fn read<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ReadError> {
        match self.send::<Result<T, ReadError>>("/v1/ask", &ask).await {
            Ok(answer) => answer,
            Err(Lost::BeforeSending(why) | Lost::AfterSending(why)) => {
                Err(ReadError::Unreachable(why))
            }
            Err(Lost::Refused(refusal)) => Err(ReadError::Refused(refusal)),
        }
    }
}

#[async_trait]
impl Provisioner for RemoteSimulator {
    fn name(&self) -> &str {
        &self.name
    }

    async fn capabilities(&self) -> Result<Capabilities, ReadError> {
        self.read(Ask::Capabilities).await
    }

    async fn capacity(&self, pool: &PoolRef) -> Result<Capacity, ReadError> {
        self.read(Ask::Capacity { pool: pool.clone() }).await
    }

    async fn health(&self) -> Result<(), ReadError> {
        // `()` is `null` on the wire.
        self.read::<Value>(Ask::Health).await.map(|_| ())
    }

    async fn execute(&self, op: &OperationId, call: Call) -> Outcome<Settled> {
        let order = Order {
            op: op.clone(),
            call,
        };
        self.change("/v1/execute", &order).await
    }

    async fn poll(&self, token: &PollToken) -> Outcome<Settled> {
        // Asking changes nothing, so a lost answer is no more than a need to ask again.
        match self.change("/v1/poll", token).await {
            Outcome::Unknown(why) => Outcome::Unreachable(why),
            outcome => outcome,
        }
    }

    async fn get(&self, kind: Kind, id: &ExternalId) -> Result<Option<Object>, ReadError> {
        let id = id.clone();
        self.read(Ask::Get { kind, id }).await
    }

    async fn find_by_operation(&self, op: &OperationId) -> Result<OperationState, ReadError> {
        self.read(Ask::FindByOperation { op: op.clone() }).await
    }

    async fn cancel(&self, op: &OperationId) -> Outcome<OperationState> {
        self.change("/v1/cancel", op).await
    }

    async fn list(
        &self,
        project: Option<&ExternalId>,
        cursor: Option<&str>,
    ) -> Result<Page, ReadError> {
        self.read(Ask::List {
            project: project.cloned(),
            cursor: cursor.map(str::to_owned),
        })
        .await
    }

    async fn usage(&self, server: &ExternalId) -> Result<Option<Usage>, ReadError> {
        let server = server.clone();
        self.read(Ask::Usage { server }).await
    }

    async fn server_rules(&self, server: &ExternalId) -> Result<Option<LetIn>, ReadError> {
        let server = server.clone();
        self.read(Ask::Rules { server }).await
    }

    async fn all_rules(&self) -> Result<Option<BTreeMap<ExternalId, LetIn>>, ReadError> {
        self.read(Ask::AllRules).await
    }
}
