use std::io::Write;

use clap::Args;
use host::Prepared;

use crate::local;
use crate::settings::Sources;

/// Run a server: everything in one process, its data in one directory, nothing else needed.
///
/// With pulsar.url and tikv.endpoints set, hits and numbers are kept there instead: see `hitmill serve`.
///
/// The first start prints an admin key, once. Ctrl-C or SIGTERM drains: streams are asked to connect elsewhere, what was
/// acknowledged is counted and made safe, then the process ends. A second Ctrl-C ends it at once, and nothing
/// acknowledged is lost by that either: the next start goes on from the log.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill up
  hitmill up --data /var/lib/hitmill --listen 0.0.0.0:7700
  HITMILL_ADMIN_KEY=$(openssl rand -hex 32) hitmill up       choose the admin key of a new installation
  HITMILL_HOST__LOG=debug hitmill up                         any setting: see `hitmill settings`

What is running: curl http://127.0.0.1:7700/readyz, and /metrics for Prometheus.")]
pub(crate) struct Up {
    #[command(flatten)]
    sources: Sources,
    /// What becomes the admin key at the first start, instead of a new one that is printed. At later starts it does
    /// nothing.
    #[arg(long, env = "HITMILL_ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    admin_key: Option<String>,
}

impl Up {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let settings = self.sources.load()?.settings;
        host::telemetry::init_logs(&settings.host)?;
        let admin_key = self.admin_key.filter(|key| !key.is_empty());
        host::run(local::prepare(settings, &local::ALL, admin_key), welcome).await
    }
}

/// Shows the admin key of a first start, and what to do with it.
pub(super) fn welcome(prepared: &Prepared) {
    let Some(key) = prepared.new_admin_key() else { return };
    let address = prepared.reachable_at();
    // If nobody reads it there is nobody to be told, and a server goes on.
    let _ = writeln!(
        std::io::stderr(),
        "\
This is the first start. The admin key, shown only now:

    {key}

Next, in another terminal:

    export HITMILL_SERVER=http://{address}
    export HITMILL_KEY={key}
    hitmill merchant create 'My shop'
"
    );
}
