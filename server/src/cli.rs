//! The sub-commands.
use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    config::{self, Config},
    log, serve,
    serve::Failure,
    wiring,
};

/// Lingbao (拎包): the self-service portal of a government cloud.
#[derive(Debug, Parser)]
#[command(name = "lingbao", version)]
pub struct Cli {
    /// Configuration; `lingbao.toml` or the defaults if none is named.
    #[arg(long, short, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the portal (and work, if `worker.embedded`).
    Serve {
        /// Fill an empty database with a demo city.
        #[arg(long, value_name = "CITY")]
        demo: Option<String>,
    },
    /// Work off jobs without serving pages.
    Worker,
    /// Bring the database's schema up to date.
    Migrate,
    /// Print the reference of the configuration.
    ConfigReference,
}

/// Runs the command line; prints what went wrong.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let config = match config::load(cli.config.as_deref(), std::env::vars()) {
        Ok(config) => config,
        Err(error) => return failed(&error.to_string()),
    };
    if let Err(error) = log::start(&config.log) {
        return failed(&error);
    }
    // Pages are rendered on these threads too; fewer than four, and one slow page holds others up.
    let threads = std::thread::available_parallelism().map_or(4, |n| n.get().max(4));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("no threads: {error}")),
    };
    match runtime.block_on(command(config, cli.command)) {
        Ok(code) => code,
        Err(error) => failed(&wiring::chain(&*error)),
    }
}

#[expect(clippy::print_stderr, reason = "the log may be JSON; whoever typed the command reads this")]
fn failed(message: &str) -> ExitCode {
    eprintln!("lingbao: {message}");
    ExitCode::FAILURE
}

async fn command(config: Config, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve { demo } => {
            let public = config.server.public_url.clone();
            let accounts = demo.as_deref().map(crate::seed::accounts).transpose()?;
            serve::serve(config, demo.as_deref(), |address| {
                tracing::info!(%address, public, "serving {public}");
                if let Some(accounts) = accounts {
                    print(&crate::seed::welcome(&public, &accounts));
                }
            })
            .await?;
        }
        Command::Worker => serve::worker(config).await?,
        Command::Migrate => {
            let db = wiring::database(&config, false).await?;
            db.migrate().await.map_err(wiring::WiringError::Database)?;
            print(&format!("schema {}", db.schema_version().await?));
        }
        Command::ConfigReference => print(config::reference().trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print(text: &str) {
    println!("{text}");
}
