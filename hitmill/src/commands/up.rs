use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;

use crate::local::Local;
use crate::settings::Sources;

/// Run a server: everything in one process, its data in one directory, nothing else needed.
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
        let local = Local::start(settings, admin_key).await?;
        if let Some(key) = &local.new_admin_key {
            welcome(local.address, key);
        }
        local.serve(host::shutdown_signal()).await
    }
}

fn welcome(mut address: SocketAddr, key: &str) {
    if address.ip().is_unspecified() {
        // Every address is listened on, but none is to be called.
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    eprintln!(
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
