//! The configuration: one TOML file with a struct a section, and overrides from the environment.
//!
//! `lingbao --config FILE`, else `LINGBAO_CONFIG`, else `lingbao.toml` in the working folder if it is
//! there, else the defaults, which need no file at all. `LINGBAO_SERVER__LISTEN=0.0.0.0:80`
//! overrides `listen` of `[server]`. A key that nobody knows is refused, with the nearest one that
//! somebody does; a secret is given by the path of its file. The reference in
//! `docs/configuration.md` is made from the comments of [`sections`].
mod env;
mod openstack;
mod reference;
mod sections;
mod usage;
mod validate;

use std::path::{Path, PathBuf};

pub use openstack::Files;
pub use reference::reference;
pub use sections::{
    Backend, Config, Crypto, Database, Key, Limits, Log, LogFormat, Release, SECTIONS, Server,
    Session, Site, Usage, Worker,
};
pub use usage::UsageFiles;

/// The file that is read when none is named.
pub const FILE: &str = "lingbao.toml";
/// Names the file, in the environment.
pub const FILE_VARIABLE: &str = "LINGBAO_CONFIG";

/// Why there is no configuration; each says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file can't be read.
    #[error("the configuration {path} can't be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, or a value is of another type.
    #[error("{origin}: {message}")]
    Malformed {
        /// The file, or a variable.
        origin: String,
        /// What the parser says.
        message: String,
    },
    /// Keys that nobody knows.
    #[error("{origin}: unknown key {}", .keys.join(", unknown key "))]
    Unknown {
        /// The file and the environment.
        origin: String,
        /// Each with the nearest known one.
        keys: Vec<String>,
    },
    /// Values that can't work.
    #[error("the configuration can't work: {}", .0.join("; "))]
    Invalid(Vec<String>),
}

/// Reads the configuration: `file` if it is given, else the file of the environment or of the
/// working folder. `variables` is the environment.
///
/// # Errors
/// See [`ConfigError`].
pub fn load(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let variables: Vec<_> = variables.into_iter().collect();
    let named = file.map(Path::to_owned).or_else(|| {
        let found = variables.iter().find(|pair| pair.0 == FILE_VARIABLE);
        found.map(|pair| PathBuf::from(&pair.1))
    });
    let (origin, text) = match named {
        Some(path) => (path.display().to_string(), read(&path)?),
        None if Path::new(FILE).exists() => (FILE.to_owned(), read(Path::new(FILE))?),
        None => ("the defaults".to_owned(), String::new()),
    };
    parse(&origin, &text, &variables)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Reads a configuration out of a text and the environment.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse(
    origin: &str,
    text: &str,
    variables: &[(String, String)],
) -> Result<Config, ConfigError> {
    let malformed = |error: toml::de::Error| ConfigError::Malformed {
        origin: origin.to_owned(),
        message: error.to_string(),
    };
    // The text alone first, because only then the parser can name line and column.
    toml::from_str::<Config>(text).map_err(malformed)?;
    let mut table: toml::Table = toml::from_str(text).map_err(malformed)?;
    env::lay_over(&mut table, variables)?;
    let mut unknown = Vec::new();
    let config: Config = serde_ignored::deserialize(toml::Value::Table(table), |path| {
        unknown.push(path.to_string());
    })
    .map_err(malformed)?;
    if !unknown.is_empty() {
        let keys = unknown.iter().map(|key| reference::with_nearest(key));
        return Err(ConfigError::Unknown {
            origin: origin.to_owned(),
            keys: keys.collect(),
        });
    }
    let problems = config.validate();
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(ConfigError::Invalid(problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        parse(
            "test.toml",
            "[server]\nlisten = \"127.0.0.1:1\"\n",
            &variables,
        )
    }

    #[test]
    fn the_defaults_need_no_file() {
        let config = parse("x", "", &[]).unwrap();
        assert_eq!(config.server.listen, "127.0.0.1:3000");
        assert_eq!(config.server.public_url, "http://127.0.0.1:3000");
        assert!(config.database.url.starts_with("sqlite:"));
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let config = with(&[
            ("LINGBAO_SERVER__LISTEN", "127.0.0.1:2"),
            ("LINGBAO_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1"),
            ("LINGBAO_WORKER__JOBS", "9"),
            ("LINGBAO_WORKER__EMBEDDED", "false"),
            ("LINGBAO_CACHE", "/var/cache"),
            ("HOME", "/nowhere"),
        ])
        .unwrap();
        assert_eq!(config.server.listen, "127.0.0.1:2");
        assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8", "127.0.0.1"]);
        assert_eq!((config.worker.jobs, config.worker.embedded), (9, false));
    }

    #[test]
    fn the_recycle_bin_keeps_a_week_and_thirty_days_at_most() {
        assert_eq!(parse("x", "", &[]).unwrap().release.keep_days, 7);
        let off = with(&[("LINGBAO_RELEASE__KEEP_DAYS", "0")]).unwrap();
        assert_eq!(off.release.keep_days, 0);
        let said = with(&[("LINGBAO_RELEASE__KEEP_DAYS", "31")])
            .unwrap_err()
            .to_string();
        assert!(said.contains("release.keep_days"), "{said}");
    }

    #[test]
    fn who_waits_for_the_database_is_answered_before_the_request_ends() {
        let said = with(&[("LINGBAO_DATABASE__QUEUE_MS", "25000")])
            .unwrap_err()
            .to_string();
        assert!(said.contains("database.queue_ms"), "{said}");
        let longer = [
            ("LINGBAO_DATABASE__QUEUE_MS", "25000"),
            ("LINGBAO_LIMITS__REQUEST_SECONDS", "31"),
        ];
        assert!(with(&longer).is_ok());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let error = parse("x.toml", "[server]\nlissten = \"a\"\n", &[]).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("x.toml") && said.contains("server.lissten"),
            "{said}"
        );
        assert!(said.contains("server.listen"), "{said}");
        let said = with(&[("LINGBAO_DATABSE__URL", "x")])
            .unwrap_err()
            .to_string();
        assert!(said.contains("database.url"), "{said}");
    }

    #[test]
    fn a_value_of_another_type_is_refused_with_its_place() {
        let said = parse("x.toml", "[worker]\njobs = \"many\"\n", &[])
            .unwrap_err()
            .to_string();
        assert!(said.contains("line 2"), "{said}");
        assert!(with(&[("LINGBAO_WORKER__JOBS", "many")]).is_err());
    }

    #[test]
    fn what_can_not_work_is_said_all_at_once() {
        let text =
            "[server]\nlisten = \"nowhere\"\npublic_url = \"ftp://x\"\n[site]\ncode = \"N B\"\n";
        let ConfigError::Invalid(problems) = parse("x", text, &[]).unwrap_err() else {
            panic!("it should be invalid");
        };
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
