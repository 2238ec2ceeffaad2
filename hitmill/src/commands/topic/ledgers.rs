//! The ledgers of Pulsar: what is where, and moving it to tiered storage.

use anyhow::{Context, bail};
use eventlog::pulsar::{self, Ledger};
use model::{Partition, Position};
use serde::Serialize;

use super::{Offload, Status};
use crate::cli::Global;
use crate::output::{self, Format};
use crate::settings::Sources;

#[derive(Serialize)]
struct PartitionRow {
    partition: u16,
    records: u64,
    ledgers: usize,
    tiered_ledgers: usize,
    bookkeeper_bytes: u64,
    tiered_bytes: u64,
    first: Option<String>,
    last: Option<String>,
}

#[derive(Serialize)]
struct LedgerRow {
    partition: u16,
    ledger: u64,
    state: &'static str,
    records: u64,
    bytes: u64,
}

const PARTITION_COLUMNS: [&str; 8] = [
    "partition",
    "records",
    "ledgers",
    "tiered_ledgers",
    "bookkeeper_bytes",
    "tiered_bytes",
    "first",
    "last",
];
const LEDGER_COLUMNS: [&str; 5] = ["partition", "ledger", "state", "records", "bytes"];

pub(super) async fn status(status: Status, global: &Global) -> anyhow::Result<()> {
    let topic = open(status.sources).await?;
    show(&topic, status.partition, status.ledgers, global.format).await
}

pub(super) async fn offload(offload: Offload, global: &Global) -> anyhow::Result<()> {
    let topic = open(offload.sources).await?;
    let (mut failed, mut moved) = (Vec::new(), 0);
    for partition in partitions(&topic, offload.partition) {
        match move_ledgers(&topic, partition, offload.open).await {
            Ok(ledgers) => moved += ledgers,
            Err(error) => {
                eprintln!("partition {partition}: {error:#}");
                failed.push(partition.to_string());
            }
        }
    }
    show(&topic, offload.partition, false, global.format).await?;
    let rest =
        if offload.open { "" } else { "; ledgers that are open stay until they are full, or with --open" };
    eprintln!("{moved} ledgers were moved to tiered storage; this is what is where now{rest}");
    if !failed.is_empty() {
        bail!("not everything was moved: partition {}", failed.join(", "));
    }
    Ok(())
}

async fn move_ledgers(topic: &pulsar::Topic, partition: Partition, open: bool) -> anyhow::Result<usize> {
    if open {
        topic.roll_over(partition).await.context("failed to close the open ledger")?;
    }
    let moved = topic.offload(partition, None).await?;
    // BookKeeper's copies would otherwise stay until the next ledger is full.
    topic.trim(partition).await.context("failed to let BookKeeper delete its copies")?;
    Ok(moved)
}

async fn show(
    topic: &pulsar::Topic,
    only: Option<Partition>,
    ledgers: bool,
    format: Format,
) -> anyhow::Result<()> {
    let (mut rows, mut of_ledgers) = (Vec::new(), Vec::new());
    for partition in partitions(topic, only) {
        let status = topic.status(partition).await?;
        of_ledgers.extend(status.ledgers.iter().map(|ledger| LedgerRow {
            partition: partition.0,
            ledger: ledger.id,
            state: state(ledger),
            records: ledger.records,
            bytes: ledger.bytes,
        }));
        rows.push(PartitionRow {
            partition: partition.0,
            records: status.ledgers.iter().map(|ledger| ledger.records).sum(),
            ledgers: status.ledgers.len(),
            tiered_ledgers: status.ledgers.iter().filter(|ledger| ledger.offloaded).count(),
            bookkeeper_bytes: status.bookkeeper_bytes,
            tiered_bytes: status.tiered_bytes,
            first: status.first.as_ref().map(Position::to_string),
            last: status.last.as_ref().map(Position::to_string),
        });
    }
    match ledgers {
        true => output::list(format, &LEDGER_COLUMNS, &of_ledgers),
        false => output::list(format, &PARTITION_COLUMNS, &rows),
    }
}

fn state(ledger: &Ledger) -> &'static str {
    match ledger {
        Ledger { offloaded: true, .. } => "tiered",
        Ledger { open: true, .. } => "open",
        _ => "closed",
    }
}

fn partitions(topic: &pulsar::Topic, only: Option<Partition>) -> impl Iterator<Item = Partition> + use<> {
    let all = (0..topic.partitions()).map(Partition).filter(move |it| only.is_none_or(|only| only == *it));
    // One that does not exist is asked for all the same: the answer says how many there are.
    let missing = only.filter(|only| only.0 >= topic.partitions());
    all.chain(missing)
}

async fn open(sources: Sources) -> anyhow::Result<pulsar::Topic> {
    let settings = sources.load()?.settings;
    if settings.pulsar.url.is_empty() {
        bail!(
            "pulsar.url is not set, so the event log is the embedded one in {}: it has no topic",
            settings.host.data.display()
        );
    }
    Ok(pulsar::Topic::open(&settings.pulsar).await?)
}
