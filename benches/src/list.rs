//! The list of requests as a page of the portal, against a bare handler that reads the same session,
//! the same account with its rights, the same numbers of the frame and the same rows, and writes the
//! same bytes. Between the two stands all that the portal adds: its layers, the limit of pages, the
//! component tree and its serialisation.
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use lingbao_core::{
    Actor, App, Cx,
    service::{request::list, session},
    session_store::USER_KEY,
};
use lingbao_model::{id::UserId, view::request::RequestFilter};
use lingbao_server::http::{self, Portal, pages, sessions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower_sessions::Session;

use crate::{
    Failure,
    city::City,
    times::{Table, Times},
};

const PASSWORD: &str = "Lingbao-demo-2026";
const BLOCKS: usize = 20;
/// What a page must reach of the bare handler.
const LEAST: f64 = 0.3;

/// Measures, prints a table.
pub async fn run() -> Result<(), Failure> {
    let city = City::load(None).await?;
    let folder = std::env::current_dir()?;
    let options = pages::leptos_options("target/site", &folder);
    let stop = CancellationToken::new();
    let portal = Portal::new(city.app.clone(), city.config.clone(), &options, None, stop);
    let ours = serve(http::router(&portal, options)).await?;

    let mut table = Table::begin("list of requests", LEAST);
    // An office's list is full: fifty rows. A bureau's is short: the frame weighs more.
    for account in ["reviewer", "clerk"] {
        let cookie = sign_in(ours, account).await?;
        let page = ask(&mut link(ours).await?, &get_text("/requests", &cookie)).await?;
        let bare = Bare {
            app: city.app.clone(),
            page: page.into(),
        };
        let router = Router::new()
            .route("/requests", get(answer))
            .layer(sessions::layer(&portal))
            .with_state(bare);
        let bare = serve(router).await?;
        for (clients, each) in [(1, 60), (16, 10)] {
            let (mut of_ours, mut of_bare) = (Times::default(), Times::default());
            for block in 0..=BLOCKS {
                let mut sides = [(ours, &mut of_ours), (bare, &mut of_bare)];
                // Each side goes first as often as the other.
                if block % 2 == 1 {
                    sides.reverse();
                }
                for (at, side) in sides {
                    let (took, wall) = block_of(at, &cookie, clients, each).await?;
                    // The first block warms both sides up.
                    if block > 0 {
                        side.add(took, wall);
                    }
                }
            }
            let what = format!("{account}, {clients} client(s)");
            table.line(&what, &of_ours, &of_bare);
        }
    }
    table.end()
}

/// The bare handler's state.
#[derive(Clone)]
struct Bare {
    app: Arc<App>,
    /// What the portal answered to the same question.
    page: Bytes,
}

async fn answer(State(bare): State<Bare>, browser: Session) -> Response {
    let user: Option<UserId> = browser.get(USER_KEY).await.ok().flatten();
    let Some(user) = user else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let cx = Cx::new(bare.app.clone(), Actor::User(user));
    let frame = session::viewer(&cx).await;
    let filter = RequestFilter::default();
    let rows = list::list(&cx, &filter).await;
    let tabs = list::counts(&cx, &filter).await;
    if !matches!((frame, rows, tabs), (Ok(Some(_)), Ok(_), Ok(_))) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (kind, bare.page).into_response()
}

async fn serve(router: Router) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(address)
}

async fn block_of(
    at: SocketAddr,
    cookie: &str,
    clients: usize,
    each: usize,
) -> Result<(Vec<Duration>, Duration), Failure> {
    let question: Arc<str> = get_text("/requests", cookie).into();
    let begun = Instant::now();
    let mut running = Vec::new();
    for _ in 0..clients {
        let question = question.clone();
        running.push(tokio::spawn(async move {
            let mut link = link(at).await?;
            let mut took = Vec::with_capacity(each);
            for _ in 0..each {
                let begun = Instant::now();
                ask(&mut link, &question).await?;
                took.push(begun.elapsed());
            }
            Ok::<_, Failure>(took)
        }));
    }
    let mut took = Vec::new();
    for one in running {
        took.extend(one.await??);
    }
    Ok((took, begun.elapsed()))
}

type Link = BufReader<TcpStream>;

async fn link(at: SocketAddr) -> Result<Link, Failure> {
    let stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::with_capacity(64 * 1024, stream))
}

fn get_text(path: &str, cookie: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/html\r\ncookie: {cookie}\r\n\r\n"
    )
}

/// Sends a question and reads the whole answer; anything but 200 ends the run.
async fn ask(link: &mut Link, question: &str) -> Result<Vec<u8>, Failure> {
    let (head, body) = exchange(link, question).await?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("not 200: {head}").into());
    }
    Ok(body)
}

/// Sends a question; gives the head of the answer and its body, which must tell its length.
async fn exchange(link: &mut Link, question: &str) -> Result<(String, Vec<u8>), Failure> {
    link.get_mut().write_all(question.as_bytes()).await?;
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        head.push(link.read_u8().await?);
    }
    let head = String::from_utf8(head)?
        .to_ascii_lowercase()
        .replacen("http", "HTTP", 1);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .ok_or("an answer without a length")?
        .trim()
        .parse()?;
    let mut body = vec![0; length];
    link.read_exact(&mut body).await?;
    Ok((head, body))
}

/// Signs in; gives the cookie.
async fn sign_in(at: SocketAddr, account: &str) -> Result<String, Failure> {
    let body = format!("account={account}&password={PASSWORD}");
    let question = format!(
        "POST /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut link = link(at).await?;
    link.get_mut().write_all(question.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(link.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let cookie = head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .and_then(|value| value.split(';').next())
        .ok_or("the sign-in gave no cookie")?;
    Ok(cookie.to_owned())
}
