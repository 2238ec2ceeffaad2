use clap::Args;

use super::up::welcome;
use crate::local::{self, Name};
use crate::settings::Sources;

/// Run some of the services, beside others that run elsewhere: many of each, over one Pulsar and one TiKV.
///
/// Each process is told where Pulsar and TiKV are, and nothing else has to be known: they meet at the event log and the store.
/// The order in which anything starts does not matter. With catalog.servers and catalog.key set, changes of keys and
/// merchants come from config-svc within milliseconds, else from the store within a second. One process of config makes the
/// first admin key. SIGTERM drains, as with `hitmill up`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  export HITMILL_PULSAR__URL=pulsar://pulsar:6650 HITMILL_PULSAR__ADMIN_URL=http://pulsar:8080
  export HITMILL_TIKV__ENDPOINTS=pd-1:2379,pd-2:2379,pd-3:2379
  hitmill serve --only ingest --listen 0.0.0.0:7700
  hitmill serve --only rollup,query,config --config /etc/hitmill.toml
  hitmill serve                                  all four services in this process

docs/operating.md is about running them: health, drain, discovery, and what happens when something is away.")]
pub(crate) struct Serve {
    /// Which services; all of them if it is not given.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SERVICE")]
    only: Vec<Name>,
    #[command(flatten)]
    sources: Sources,
    /// What becomes the admin key at the first start of config, instead of a new one that is printed. At later starts it
    /// does nothing.
    #[arg(long, env = "HITMILL_ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    admin_key: Option<String>,
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.sources.load()?.settings;
        host::telemetry::init_logs(&settings.host)?;
        let services = if self.only.is_empty() { local::ALL.to_vec() } else { self.only };
        if !local::ALL.iter().all(|name| services.contains(name)) {
            settings.backends().must_be_shared("a process with only some of the services")?;
        }
        let admin_key = self.admin_key.filter(|key| !key.is_empty());
        host::run(local::prepare(settings, &services, admin_key), welcome).await
    }
}
