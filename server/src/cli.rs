//! The sub-commands.
use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use lingbao_model::people::Role;

use crate::{
    command,
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
    /// Serve the simulated cloud of `[backends.NAME]` over HTTP, for several copies of the portal.
    Simulator {
        /// Which section.
        #[arg(long, default_value = "simulator")]
        name: String,
        /// Address and port.
        #[arg(long, default_value = "127.0.0.1:3010")]
        listen: String,
        /// Take orders of failures too (`/control/…`), for drills.
        #[arg(long)]
        control: bool,
    },
    /// Fill an empty database with a demo city.
    Seed {
        /// Which.
        #[arg(long)]
        city: String,
    },
    /// Accounts, from the command line: the first administrators, and a way in that was lost.
    #[command(subcommand)]
    User(User),
    /// Enter the holidays and make-up days of a year, in the place of what was entered for it before.
    Calendar {
        /// The notice as JSON (`{"year": …, "days": [{"name", "date", "isOffDay"}]}`); `-` reads
        /// standard input.
        file: PathBuf,
        /// Say what the file says, and change nothing.
        #[arg(long)]
        check: bool,
    },
    /// Write all rows to a file, from either engine and for either.
    Backup {
        /// The file; it must not exist.
        file: PathBuf,
    },
    /// Replace all rows by those of a backup. Stop `serve` and `worker` before.
    Restore {
        /// The file.
        file: PathBuf,
        /// Permit it for a database in use.
        #[arg(long)]
        replace: bool,
        /// How far today's request numbers had come, if you know.
        #[arg(long, value_name = "N")]
        numbers_from: Option<i64>,
    },
    /// Say what is wrong with configuration, database, clouds, clock and calendar, and how to mend it.
    Doctor,
    /// Print the document of the programming interface (OpenAPI 3.1).
    Openapi,
    /// Print the reference of the configuration.
    ConfigReference,
}

#[derive(Debug, Subcommand)]
enum User {
    /// Make an account with roles over the whole site. Its password is read from standard input if
    /// that is no terminal, else made and printed; it must be changed at the first sign-in.
    Add {
        /// Login name.
        #[arg(long)]
        login: String,
        /// The person's name.
        #[arg(long)]
        name: String,
        /// Roles: system_admin, security_admin, audit_admin (three persons), …
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        /// Name of the topmost unit, for the case that there is none yet.
        #[arg(long, default_value = "全市")]
        unit: String,
    },
    /// Give an account a new one-time password, an administrator's too, and take its lock away; all
    /// its sessions and tokens end. The password is read or made as by `add`.
    Password {
        /// Login name.
        #[arg(long)]
        login: String,
    },
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
    match runtime.block_on(run_command(config, cli.command)) {
        Ok(code) => code,
        Err(error) => failed(&wiring::chain(&*error)),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the log may be JSON; whoever typed the command reads this"
)]
fn failed(message: &str) -> ExitCode {
    eprintln!("lingbao: {message}");
    ExitCode::FAILURE
}

async fn run_command(config: Config, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve { demo } => {
            let public = config.server.public_url.clone();
            let asked = demo.is_some();
            serve::serve(config, demo.as_deref(), |address, city| {
                tracing::info!(%address, public, "serving {public}");
                if asked {
                    print(&crate::seed::welcome(&public, city));
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
        Command::Simulator {
            name,
            listen,
            control,
        } => {
            serve::simulator(config, &name, &listen, control).await?;
        }
        Command::Seed { city } => {
            let db = wiring::database(&config, true).await?;
            wiring::schema(&config, &db).await?;
            let prepared = crate::seed::prepare(&config, &db, Some(&city)).await?;
            if prepared.city.as_ref() != Some(&city) {
                return Err(
                    "the database is in use: a demo city is loaded into an empty one alone".into(),
                );
            }
            print(&if prepared.now {
                format!("the demo city {city} is loaded")
            } else {
                format!("the demo city {city} was loaded before; nothing is changed")
            });
        }
        Command::User(User::Add {
            login,
            name,
            roles,
            unit,
        }) => {
            let app = command::open(&config).await?;
            let made = command::add_user(
                &app,
                (&unit, wiring::first_cloud(&config)),
                &login,
                &name,
                &roles,
            )
            .await?;
            print(&made);
        }
        Command::User(User::Password { login }) => {
            let app = command::open(&config).await?;
            print(&command::new_password(&app, &login).await?);
        }
        Command::Calendar { file, check } => {
            let notice = command::notice(&file)?;
            print(&command::days(&notice));
            if !check {
                let app = command::open(&config).await?;
                print(&command::enter(&app, &notice).await?);
            }
        }
        Command::Backup { file } => print(&command::backup(&config, &file).await?),
        Command::Restore {
            file,
            replace,
            numbers_from,
        } => {
            print(&command::restore(&config, &file, replace, numbers_from).await?);
        }
        Command::Doctor => {
            let report = crate::doctor::examine(&config).await;
            print(report.to_string().trim_end());
            return Ok(if report.is_well() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::Openapi => print(&crate::http::rest::openapi().to_pretty_json()?),
        Command::ConfigReference => print(config::reference().trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print(text: &str) {
    println!("{text}");
}
