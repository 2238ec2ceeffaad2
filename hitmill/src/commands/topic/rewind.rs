use anyhow::Context;
use clap::Args;
use clock::Clock;
use eventlog::EventLog;
use host::Platform;
use indicatif::{ProgressBar, ProgressStyle};
use model::{Generation, Partition};
use rollup_svc::rewind::{self, Place};
use serde::Serialize;

use super::super::{doctor, shown};
use crate::cli::Global;
use crate::output;
use crate::settings::Sources;

/// Fold all of the log again, from its start, into new cells.
///
/// For when cells were lost, or cannot be trusted any more. One commit sends every partition back to the start of the log,
/// in tiered storage or not; rollup begins there at once. From that moment on answers are of the new cells, and say by
/// complete_until how far they are: until history is folded they lack it. The old cells are deleted. Merchants, keys and
/// the log itself stay as they are.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill topic rewind            says what would be done
  hitmill topic rewind --yes      does it

With Pulsar and TiKV the services go on running. With the embedded log and store stop the server first: its data directory
belongs to one process. What the log no longer keeps cannot be folded again: look at log_begins first. An embedded log is read
before anything is done, and must not be damaged.")]
pub(crate) struct Rewind {
    /// Do it: without, only say what would be done.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Serialize)]
struct Row {
    partition: u16,
    log_begins: Option<String>,
    first: String,
    read_from: Option<String>,
    complete_until: Option<String>,
    generation: Option<u32>,
}

const COLUMNS: [&str; 6] = ["partition", "log_begins", "first", "read_from", "complete_until", "generation"];

impl Rewind {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let settings = self.sources.load()?.settings;
        host::telemetry::init_logs(&settings.host)?;
        doctor::check_log(&settings, self.yes)?;
        let backends = settings.backends();
        let platform = host::platform::open(&settings.host.data, backends, Clock::system()).await?;
        let (store, log) = (&*platform.store, &*platform.log);
        let places = rewind::places(store, log).await?;
        if !self.yes {
            output::list(global.format, &COLUMNS, &rows(log, &places).await?)?;
            eprintln!(
                "\nNothing was changed. With --yes all of this is folded again, and answers lack it until then."
            );
            return Ok(());
        }
        let generation =
            rewind::begin(store, &places).await.context("failed to send the fold back: try again")?;
        eprintln!("generation {generation} begins at the start of the log; the old cells are being deleted");
        let gone = sweep(&platform, generation).await.context(
            "the log is being folded again, but not all old cells could be deleted: the next rewind deletes them",
        )?;
        store.sync().await?;
        eprintln!("{gone} keys of older generations deleted");
        Ok(())
    }
}

/// Merchant by merchant: a scan over many of them asks every region of TiKV for each page.
async fn sweep(platform: &Platform, live: Generation) -> anyhow::Result<u64> {
    let (catalog, all) = (platform.catalog.snapshot(), platform.log.partitions());
    let bar = ProgressBar::new(catalog.merchants().count() as u64)
        .with_style(ProgressStyle::with_template("{wide_bar} {pos} of {len} merchants")?);
    let mut gone = 0;
    for merchant in catalog.merchants() {
        let partitions = Partition::of_merchant(merchant.id, merchant.spread, all);
        gone += rewind::sweep(&*platform.store, merchant.id, partitions, live).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(gone)
}

async fn rows(log: &dyn EventLog, places: &[Place]) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(places.len());
    for place in places {
        let oldest = log.read(place.partition, place.first, 1).await?.entries.into_iter().next();
        let time = |at| shown::time(Some(&proto::wire_time(at)));
        rows.push(Row {
            partition: place.partition.0,
            log_begins: oldest.and_then(|entry| time(entry.appended_at)),
            first: place.first.to_string(),
            read_from: place.checkpoint.map(|known| known.read_from.to_string()),
            complete_until: place.checkpoint.and_then(|known| time(known.complete_until)),
            generation: place.checkpoint.map(|known| known.generation.0),
        });
    }
    Ok(rows)
}
