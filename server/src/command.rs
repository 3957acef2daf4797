//! What the sub-commands do that neither serve nor work.
use std::{
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter, IsTerminal, Read},
    path::Path,
    sync::Arc,
};

use lingbao_core::{
    App, ServiceError,
    service::{backup, calendar, install, user::NewUser},
};
use lingbao_model::{
    calendar::{DayKind, Notice},
    people::Role,
    time::{Date, Zone},
};

use crate::{config::Config, serve::Failure, wiring};

/// Opens the database for a command, with the schema up to date. Beside a running `serve` on the
/// embedded database this works too: SQLite locks by itself.
///
/// # Errors
/// What keeps it from opening, in words.
pub async fn open(config: &Config) -> Result<Arc<App>, Failure> {
    let db = wiring::database(config, false).await?;
    wiring::schema(config, &db).await?;
    Ok(wiring::app(config, db)?)
}

/// Makes an account, and before it what an installation begins with: the topmost unit, zones and pools
/// of a cloud, items, prices, policies. Says its password if it was made here.
///
/// # Errors
/// The rules of names, passwords and roles.
pub async fn add_user(
    app: &Arc<App>,
    (unit, cloud): (&str, &str),
    login: &str,
    name: &str,
    roles: &[Role],
) -> Result<String, Failure> {
    let (password, made) = password(app)?;
    let new = NewUser {
        login: login.to_owned(),
        name: name.to_owned(),
        phone: String::new(),
        password: password.clone(),
    };
    match install::first_account(&app.system(), (unit, cloud), &new, roles).await {
        Ok(()) if made => Ok(format!(
            "{login}  {password}  (to be changed at the first sign-in)"
        )),
        Ok(()) => Ok(format!(
            "{login} was made; the password is to be changed at the first sign-in"
        )),
        Err(error) => Err(refused(error)),
    }
}

/// Gives an account a new one-time password; says it if it was made here.
///
/// # Errors
/// Nobody has that name; the rules of passwords.
pub async fn new_password(app: &Arc<App>, login: &str) -> Result<String, Failure> {
    let (password, made) = password(app)?;
    let open = match install::lost_password(&app.system(), login, &password).await {
        Ok(open) => open,
        Err(ServiceError::NotFound) => return Err(format!("no account is called {login}").into()),
        Err(error) => return Err(refused(error)),
    };
    let mut said = if made {
        format!("{login}  {password}  (to be changed at the next sign-in)")
    } else {
        format!("{login} has a new password, to be changed at the next sign-in")
    };
    if !open {
        said.push_str("\nThe account is closed: a system administrator opens it on its page.");
    }
    Ok(said)
}

/// A password out of standard input, or one that is made (`true`).
fn password(app: &App) -> Result<(String, bool), Failure> {
    let mut typed = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_to_string(&mut typed)?;
    }
    match typed.trim() {
        "" => Ok((invented(app), true)),
        typed => Ok((typed.to_owned(), false)),
    }
}

fn refused(error: ServiceError) -> Failure {
    match error {
        ServiceError::Invalid(fields) => {
            let said: Vec<_> = fields.iter().map(said).collect();
            said.join("; ").into()
        }
        error => error.into(),
    }
}

fn said(field: &lingbao_model::msg::FieldError) -> String {
    let words = lingbao_app::i18n::msg_in(lingbao_app::i18n::Lang::En, &field.msg);
    format!("{}: {words}", field.field)
}

/// Four groups of letters and digits that nobody mistakes for each other, with all kinds of
/// characters that the rules ask for.
fn invented(app: &App) -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz";
    const DIGITS: &[u8] = b"23456789";
    let pick = |from: &[u8]| {
        let at = usize::try_from(app.random.below(from.len() as u64)).unwrap_or(0);
        char::from(from.get(at).copied().unwrap_or(b'x'))
    };
    let mut text = String::new();
    for group in 0..4 {
        if group > 0 {
            text.push('-');
        }
        text.push(pick(LETTERS).to_ascii_uppercase());
        for _ in 0..3 {
            text.push(pick(LETTERS));
        }
        text.push(pick(DIGITS));
    }
    text
}

/// Reads a year's notice of holidays from a file, or from standard input for `-`.
///
/// # Errors
/// The file can't be read, or is no notice.
pub fn notice(path: &Path) -> Result<Notice, Failure> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())?
    } else {
        fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?
    };
    Notice::read(&text).map_err(|e| format!("{}: {e}", path.display()).into())
}

/// What a notice says: its stretches of days, one a line, to be held beside the paper.
#[must_use]
pub fn days(notice: &Notice) -> String {
    let mut stretches: Vec<(&str, DayKind, Date, Date)> = Vec::new();
    for one in &notice.days {
        match stretches.last_mut() {
            Some((name, kind, _, last))
                if *name == one.name && *kind == one.kind && last.plus_days(1) == one.day =>
            {
                *last = one.day;
            }
            _ => stretches.push((&one.name, one.kind, one.day, one.day)),
        }
    }
    let lines = stretches.iter().map(|(name, kind, first, last)| {
        let kind = match kind {
            DayKind::Off => "off",
            DayKind::Work => "worked",
        };
        if first == last {
            format!("{first}  {kind}  {name}")
        } else {
            format!("{first} to {last}  {kind}  {name}")
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Enters a year's notice.
///
/// # Errors
/// What the database says.
pub async fn enter(app: &Arc<App>, notice: &Notice) -> Result<String, Failure> {
    let replaced = calendar::enter(&app.system(), notice).await?;
    let (year, days) = (notice.year, notice.days.len());
    let before = match replaced {
        0 => String::new(),
        n => format!(" in the place of the {n} that were entered before"),
    };
    Ok(format!(
        "{days} days of {year} are entered{before}. Terms that begin from now on are reckoned by them; \
         those that run already end as was said."
    ))
}

/// Writes a backup: first beside the file, then in its place, so that a whole one or none is there.
///
/// # Errors
/// The file exists, or can't be written, or the database failed.
pub async fn backup(config: &Config, path: &Path) -> Result<String, Failure> {
    if path.exists() {
        return Err(format!("{} exists: name another file", path.display()).into());
    }
    let app = open(config).await?;
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = BufWriter::new(options.open(&part)?);
    let summary = match backup::dump(&app.system(), &mut out).await {
        Ok(summary) => summary,
        Err(error) => {
            fs::remove_file(&part)?;
            return Err(error.into());
        }
    };
    out.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_all()?;
    fs::rename(&part, path)?;
    let rows: u64 = summary.rows.values().sum();
    Ok(format!(
        "{rows} rows of {} tables as of {}. The key {} is not in it: keep a copy of it elsewhere.",
        summary.rows.len(),
        summary.at.minute_text(Zone::SHANGHAI),
        config.crypto.key_file.display(),
    ))
}

/// Restores a backup.
///
/// # Errors
/// See [`backup::BackupError`].
pub async fn restore(
    config: &Config,
    path: &Path,
    replace: bool,
    numbers_from: Option<i64>,
) -> Result<String, Failure> {
    // Nobody may serve meanwhile: on the embedded database the lock sees to it.
    let db = wiring::database(config, true).await?;
    db.migrate().await.map_err(wiring::WiringError::Database)?;
    let app = wiring::app(config, db)?;
    let mut input = BufReader::new(File::open(path)?);
    let summary = backup::restore(&app.system(), &mut input, replace, numbers_from).await?;
    let rows: u64 = summary.rows.values().sum();
    Ok(format!(
        "{rows} rows as of {}. Today's request numbers go on after {}. What the cloud holds beyond \
         this backup is listed as foreign on the operations page and left alone.",
        summary.at.minute_text(Zone::SHANGHAI),
        summary.numbers_from.unwrap_or(0),
    ))
}
