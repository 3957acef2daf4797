//! The log: one JSON object a line, or pretty on a terminal. Goes to standard error, so that what a
//! sub-command prints can be piped.
use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Starts the log. A second start (tests) changes nothing.
///
/// # Errors
/// The filter can't be read.
pub fn start(section: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&section.filter)
        .map_err(|error| format!("log.filter = {:?}: {error}", section.filter))?;
    let json = match section.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    // An error says that there is a log already.
    let _ = if json {
        let layer = fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr);
        registry.with(layer).try_init()
    } else {
        registry
            .with(fmt::layer().compact().with_writer(std::io::stderr))
            .try_init()
    };
    Ok(())
}
