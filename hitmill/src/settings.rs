//! The settings of everything that runs in this process.

mod meanings;

use std::path::{Path, PathBuf};

use clap::Args;
use host::Service;
use host::settings::{Error, Layers, Loaded};
use serde::{Deserialize, Serialize};

pub(crate) use meanings::meaning;

/// Read if it is in the working directory and no other file is named.
const USUAL_FILE: &str = "hitmill.toml";

/// All sections.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) host: host::Settings,
    pub(crate) log: eventlog::embedded::Settings,
    pub(crate) store: store::embedded::Settings,
    pub(crate) ingest: <ingest_svc::Ingest as Service>::Settings,
    pub(crate) rollup: <rollup_svc::Rollup as Service>::Settings,
    pub(crate) query: <query_svc::Query as Service>::Settings,
    pub(crate) config: <config_svc::Config as Service>::Settings,
}

/// Where settings come from besides the environment.
#[derive(Debug, Default, Args)]
pub(crate) struct Sources {
    /// File of settings; without it ./hitmill.toml, if it is there. See `hitmill settings`.
    #[arg(long, env = "HITMILL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory that holds everything kept; it is made if it is not there [default: hitmill-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:7700].
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

impl Sources {
    /// With these for flags.
    pub(crate) fn of(data: PathBuf, listen: String) -> Self {
        Self { config: None, data: Some(data), listen: Some(listen) }
    }

    /// Reads the settings: defaults, then the file, then the environment, then the flags.
    pub(crate) fn load(self) -> Result<Loaded<Settings>, Error> {
        let mut layers = Layers::defaults()?;
        let usual = Path::new(USUAL_FILE);
        if let Some(file) = self.config.as_deref().or_else(|| usual.exists().then_some(usual)) {
            layers = layers.file(file)?;
        }
        // A variable that is not text cannot be one of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        layers = layers.environment(variables)?;
        if let Some(data) = self.data {
            layers = layers.flag("--data", "host.data", data.display().to_string())?;
        }
        if let Some(listen) = self.listen {
            layers = layers.flag("--listen", "host.listen", listen)?;
        }
        layers.load()
    }
}
