//! `lingbao serve` and `lingbao worker`: start, serve, stop softly.
//!
//! The first signal (SIGTERM, Ctrl-C) takes nothing new, ends the event streams, lets requests and
//! jobs finish within `server.stop_seconds`, and gives back the leases of what did not finish. A
//! second signal ends the process at once: leases run out by themselves.
use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::ListenerExt;
use leptos::config::LeptosOptions;
use lingbao_core::{App, audit, jobs::Registry};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    http::{self, Portal},
    wiring,
};

/// Between two rounds of the sealer of the audit trail.
const SEAL: Duration = Duration::from_secs(2);

/// Why serving ended badly.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Serves until a signal, and stops softly. `ready` is called with the address, and the demo city
/// that stands in the database, once it answers.
///
/// # Errors
/// What keeps the program from starting, in words.
pub async fn serve(
    config: Config,
    demo: Option<&str>,
    ready: impl FnOnce(SocketAddr, Option<&str>),
) -> Result<(), Failure> {
    let metrics = recorder()?;
    // One process alone writes an embedded database.
    let db = wiring::database(&config, true).await?;
    wiring::schema(&config, &db).await?;
    // Before the clouds are opened: the story opens them for itself, and they are one process's.
    let prepared = crate::seed::prepare(&config, &db, demo).await?;
    let (app, backends) = wiring::app_with_clouds(&config, db)?;
    let stop = CancellationToken::new();
    let hard = listen_for_signals(stop.clone());

    let options = leptos_options()?;
    let portal = Portal::new(
        app.clone(),
        config.clone(),
        &options,
        Some(metrics),
        stop.clone(),
    );
    let mut background = vec![tokio::spawn(
        portal.hub.clone().run(app.clone(), stop.clone()),
    )];
    if config.worker.embedded {
        background.extend(work(
            &config,
            &app,
            Arc::new(wiring::jobs(&backends)),
            &stop,
        ));
    }

    let listener = TcpListener::bind(&config.server.listen)
        .await
        .map_err(|error| format!("{} can't be listened on: {error}", config.server.listen))?;
    let address = listener.local_addr()?;
    // Without this a page waits 40 ms for a delayed acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let router = http::router(&portal, options);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    ready(address, prepared.city.as_deref());
    let stopped = stop.clone();
    let server = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stopped.cancelled().await });
    let limit = Duration::from_secs(config.server.stop_seconds);
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(limit).await;
    };
    tokio::select! {
        ended = server => ended?,
        () = late => tracing::warn!("some requests did not finish within {limit:?}"),
        () = hard.cancelled() => return Ok(()),
    }
    finish(&app, background, &hard).await;
    Ok(())
}

/// Works without serving, until a signal.
///
/// # Errors
/// What keeps the program from starting, in words.
pub async fn worker(config: Config) -> Result<(), Failure> {
    let db = wiring::database(&config, true).await?;
    wiring::schema(&config, &db).await?;
    let (app, backends) = wiring::app_with_clouds(&config, db)?;
    let stop = CancellationToken::new();
    let hard = listen_for_signals(stop.clone());
    let background = work(&config, &app, Arc::new(wiring::jobs(&backends)), &stop);
    tracing::info!("working");
    stop.cancelled().await;
    finish(&app, background, &hard).await;
    Ok(())
}

/// Serves the simulated cloud of a section over HTTP, until a signal.
///
/// # Errors
/// What keeps the program from starting, in words.
pub async fn simulator(
    config: Config,
    name: &str,
    listen: &str,
    control: bool,
) -> Result<(), Failure> {
    use lingbao_backends::provisioning::{Secret, http as over_http, simulator::Simulator};
    let section = match config.backends.get(name) {
        Some(section) => section.clone(),
        None if config.backends.is_empty() => crate::config::Backend::default(),
        None => return Err(format!("there is no section [backends.{name}]").into()),
    };
    let token = if section.token_file.as_os_str().is_empty() {
        None
    } else {
        Some(Secret(wiring::read_secret(
            "token_file",
            &section.token_file,
        )?))
    };
    let clock = lingbao_core::clock::SystemClock;
    let cloud = Simulator::open(name, wiring::simulator(section), move || {
        lingbao_core::clock::Clock::now(&clock)
    })?;
    let mut router = over_http::router(cloud.clone(), token.clone());
    if control {
        router = router.merge(over_http::control_router(cloud, token));
    }
    let stop = CancellationToken::new();
    let hard = listen_for_signals(stop.clone());
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("{listen} can't be listened on: {error}"))?;
    tracing::info!(listen, "the simulated cloud {name} answers");
    let server =
        axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    tokio::select! {
        ended = server => ended?,
        () = hard.cancelled() => {}
    }
    Ok(())
}

fn work(
    config: &Config,
    app: &Arc<App>,
    jobs: Arc<Registry>,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let worker = wiring::worker(config, app.clone(), jobs);
    vec![
        tokio::spawn(worker.run(stop.clone())),
        tokio::spawn(seal(app.clone(), stop.clone())),
    ]
}

/// Numbers and chains audit events, seconds after they were written.
async fn seal(app: Arc<App>, stop: CancellationToken) {
    loop {
        if let Err(error) = audit::seal(&app).await {
            tracing::warn!(error = %wiring::chain(&error), "the audit trail could not be sealed");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SEAL) => {}
        }
    }
}

async fn finish(app: &Arc<App>, background: Vec<JoinHandle<()>>, hard: &CancellationToken) {
    let ended = async {
        for task in background {
            if let Err(error) = task.await {
                tracing::error!(%error, "a background task failed");
            }
        }
        app.db.close().await;
    };
    tokio::select! {
        () = ended => tracing::info!("stopped"),
        () = hard.cancelled() => tracing::warn!("stopped at once"),
    }
}

/// The first signal cancels `stop`, the second the token that is returned.
fn listen_for_signals(stop: CancellationToken) -> CancellationToken {
    let hard = CancellationToken::new();
    let second = hard.clone();
    tokio::spawn(async move {
        signal().await;
        tracing::info!("stopping softly; a second signal stops at once");
        stop.cancel();
        signal().await;
        second.cancel();
    });
    hard
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = term.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Nobody can stop us softly; the process can still be ended.
        std::future::pending::<()>().await;
    }
}

fn recorder() -> Result<PrometheusHandle, Failure> {
    let seconds = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ];
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("lingbao_http_seconds".to_owned()), &seconds)?;
    Ok(builder.install_recorder()?)
}

/// Where the built files are: beside the working folder, or where `LEPTOS_SITE_ROOT` says.
///
/// # Errors
/// The program does not know its own folder, which holds the list of hashes.
pub fn leptos_options() -> Result<LeptosOptions, Failure> {
    let root = std::env::var("LEPTOS_SITE_ROOT").unwrap_or_else(|_| "target/site".to_owned());
    let exe = std::env::current_exe()?;
    let folder = exe.parent().ok_or("the program has no folder")?;
    Ok(http::pages::leptos_options(&root, folder))
}
