//! A service that runs alone: what `main` of each of them is.

use std::io::Write;
use std::pin::pin;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::settings::{self, ALL_SECTIONS, Layers, Sections, Sources};
use crate::{Backends, Prepared, Service, prepare, shutdown_signal, telemetry};

/// One service of hitmill, over a Pulsar and a TiKV that it shares with the others.
///
/// Settings come from a file, from variables such as HITMILL_HOST__LISTEN, and from flags. One file may be for all services:
/// the sections of the others are passed over. `hitmill settings` explains every setting. SIGTERM drains.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
struct Arguments {
    #[command(flatten)]
    sources: Sources,
}

/// Runs one service until SIGTERM or SIGINT.
pub async fn main<S: Service>() -> anyhow::Result<()> {
    crate::keep_freed_memory();
    let name = format!("{}-svc", S::NAME);
    let arguments = Arguments::command().bin_name(&name).display_name(&name).get_matches();
    let sources = Arguments::from_arg_matches(&arguments)?.sources;
    let Sections { host, pulsar, tikv, catalog, service } = load::<S>(sources)?;
    telemetry::init_logs(&host)?;
    let backends = Backends { pulsar, tikv, ..Backends::default() };
    backends.must_be_shared(&name)?;
    run(prepare(host, backends, &catalog, async |host| host.with::<S>(service).await), |prepared| {
        if let Some(key) = prepared.new_admin_key() {
            // If nobody reads it there is nobody to be told, and a server goes on.
            let _ = writeln!(
                std::io::stderr(),
                "This is the first start. The admin key, shown only now:\n\n    {key}\n"
            );
        }
    })
    .await
}

/// Serves what is being prepared until SIGTERM or SIGINT, which may also come before it is ready. `greet` is called when it
/// is.
pub async fn run(
    preparing: impl Future<Output = anyhow::Result<Prepared>>,
    greet: impl FnOnce(&Prepared),
) -> anyhow::Result<()> {
    let mut signal = pin!(shutdown_signal());
    let prepared = tokio::select! {
        prepared = preparing => prepared?,
        () = &mut signal => {
            tracing::info!("stopped before anything was served");
            return Ok(());
        }
    };
    greet(&prepared);
    prepared.serve(signal).await
}

fn load<S: Service>(sources: Sources) -> Result<Sections<S>, settings::Error> {
    let layers = Layers::<Sections<S>>::defaults()?.passing_over(ALL_SECTIONS);
    Ok(sources.lay(layers)?.load()?.settings)
}
