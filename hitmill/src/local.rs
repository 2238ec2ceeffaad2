//! Services in this process: all four, or some of them.

use config_svc::Config;
use host::{Host, Prepared};
use ingest_svc::Ingest;
use query_svc::Query;
use rollup_svc::Rollup;

use crate::settings::Settings;

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Name {
    /// Admits hits.
    Ingest,
    /// Folds hits into cells.
    Rollup,
    /// Answers queries.
    Query,
    /// Keeps merchants, data streams and keys.
    Config,
}

/// All services.
pub(crate) const ALL: [Name; 4] = [Name::Ingest, Name::Rollup, Name::Query, Name::Config];

/// Opens the log and the store and starts the services. `admin_key` becomes the admin key if there is none yet.
pub(crate) async fn prepare(
    mut settings: Settings,
    services: &[Name],
    admin_key: Option<String>,
) -> anyhow::Result<Prepared> {
    if let Some(key) = admin_key {
        settings.config.admin_key = key;
    }
    let (backends, catalog) = (settings.backends(), settings.catalog.clone());
    host::prepare(settings.host.clone(), backends, &catalog, async |mut host: Host| {
        // Config first: it makes the admin key. Ingest last: what it takes in is folded from the first hit on.
        for name in [Name::Config, Name::Rollup, Name::Query, Name::Ingest] {
            if services.contains(&name) {
                host = start(host, name, &settings).await?;
            }
        }
        Ok(host)
    })
    .await
}

async fn start(host: Host, name: Name, settings: &Settings) -> anyhow::Result<Host> {
    match name {
        Name::Config => host.with::<Config>(settings.config.clone()).await,
        Name::Rollup => host.with::<Rollup>(settings.rollup.clone()).await,
        Name::Query => host.with::<Query>(settings.query.clone()).await,
        Name::Ingest => host.with::<Ingest>(settings.ingest.clone()).await,
    }
}
