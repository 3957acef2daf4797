//! The demo city of a run, in a folder that is thrown away.
use std::{path::PathBuf, sync::Arc};

use lingbao_core::{App, storage::door};
use lingbao_model::id::UserId;
use lingbao_server::{config::Config, seed, wiring};

use crate::Failure;

/// The demo city, loaded and ready.
pub struct City {
    /// The application.
    pub app: Arc<App>,
    /// How it was opened.
    pub config: Config,
    /// Holds the database and the simulated cloud.
    _folder: Folder,
}

/// Thrown away when the run ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl City {
    /// Loads `ningbo` into SQLite, or into the empty PostgreSQL of an address.
    pub async fn load(url: Option<&str>) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("lingbao-benches-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        let folder = Folder(path);
        // Relative paths of the configuration (key, cloud) stand in the folder.
        std::env::set_current_dir(&folder.0)?;
        let mut config = Config::default();
        if let Some(url) = url {
            url.clone_into(&mut config.database.url);
        }
        let db = wiring::database(&config, false).await?;
        wiring::schema(&config, &db).await?;
        seed::prepare(&config, &db, Some("ningbo")).await?;
        let app = wiring::app(&config, db)?;
        Ok(Self {
            app,
            config,
            _folder: folder,
        })
    }

    /// The id behind a login.
    pub async fn user(&self, login: &str) -> Result<UserId, Failure> {
        let mut rx = self.app.db.read().await?;
        let account = door::by_login(&mut rx, login).await?;
        Ok(account.ok_or("no such account")?.user)
    }
}
