//! The settings of everything that runs in this process.

mod meanings;

use std::path::PathBuf;

use clap::Args;
use host::settings::{Error, Layers, Loaded};
use host::{Backends, Service};
use serde::{Deserialize, Serialize};

pub(crate) use meanings::meaning;

/// All sections.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) host: host::Settings,
    pub(crate) log: eventlog::embedded::Settings,
    pub(crate) store: store::embedded::Settings,
    pub(crate) pulsar: eventlog::pulsar::Settings,
    pub(crate) tikv: store::tikv::Settings,
    pub(crate) catalog: catalog::remote::Settings,
    pub(crate) ingest: <ingest_svc::Ingest as Service>::Settings,
    pub(crate) rollup: <rollup_svc::Rollup as Service>::Settings,
    pub(crate) query: <query_svc::Query as Service>::Settings,
    pub(crate) config: <config_svc::Config as Service>::Settings,
}

/// Where settings come from besides the environment.
#[derive(Debug, Default, Args)]
pub(crate) struct Sources {
    #[command(flatten)]
    common: host::settings::Sources,
    /// Directory that holds everything kept; it is made if it is not there [default: hitmill-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Sources {
    /// With these for flags.
    pub(crate) fn of(data: PathBuf, listen: String) -> Self {
        Self { common: host::settings::Sources { config: None, listen: Some(listen) }, data: Some(data) }
    }

    /// Reads the settings: defaults, then the file, then the environment, then the flags.
    pub(crate) fn load(self) -> Result<Loaded<Settings>, Error> {
        let layers = self.common.lay(Layers::defaults()?)?;
        let layers = match self.data {
            Some(data) => layers.flag("--data", "host.data", data.display().to_string())?,
            None => layers,
        };
        layers.load()
    }
}

impl Settings {
    /// The same with a log and a store of its own, whatever others there are.
    pub(crate) fn of_this_machine(self) -> Self {
        Self { pulsar: Default::default(), tikv: Default::default(), catalog: Default::default(), ..self }
    }

    /// What is said of the log and the store.
    pub(crate) fn backends(&self) -> Backends {
        let Self { log, store, pulsar, tikv, .. } = self;
        Backends { log: log.clone(), store: *store, pulsar: pulsar.clone(), tikv: tikv.clone() }
    }
}
