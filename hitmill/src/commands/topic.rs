//! What operators do with the event log itself. It talks to Pulsar and TiKV, not to a server of ours: it works while none
//! runs.

#[cfg_attr(not(feature = "cluster"), path = "topic/absent.rs")]
mod ledgers;
mod rewind;

use clap::{Args, Subcommand};
use model::Partition;

use self::rewind::Rewind;
use crate::cli::Global;
use crate::settings::Sources;

/// Look after the event log: what is where, tiered storage, folding it again.
///
/// Reads the same settings as the services (see `hitmill settings`), and talks to Pulsar and TiKV themselves.
#[derive(Debug, Subcommand)]
pub(crate) enum Topic {
    Status(Status),
    Offload(Offload),
    Rewind(Rewind),
}

impl Topic {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Status(status) => ledgers::status(status, global).await,
            Self::Offload(offload) => ledgers::offload(offload, global).await,
            Self::Rewind(rewind) => rewind.run(global).await,
        }
    }
}

/// Show what the topic holds: in BookKeeper, and in tiered storage.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill topic status
  hitmill topic status --ledgers --partition 3
  hitmill topic status --format json | jq 'map(.bookkeeper_bytes) | add'

A ledger that is open takes records still; one that is tiered is in tiered storage, whole, and BookKeeper's copy of it is
deleted when the brokers' deletion lag has passed.")]
pub(crate) struct Status {
    /// Only this partition.
    #[arg(long, value_name = "N", value_parser = partition)]
    partition: Option<Partition>,
    /// Every ledger, not only sums.
    #[arg(long)]
    ledgers: bool,
    #[command(flatten)]
    sources: Sources,
}

/// Move what the topic holds to tiered storage, and wait until it is there.
///
/// All full ledgers are moved. Readers notice nothing: the brokers read back what is asked for. With pulsar.offload_after_bytes
/// set the brokers do it by themselves, and this is only for doing it now.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill topic offload
  hitmill topic offload --open               also what was written last
  hitmill topic offload --partition 3

Exit code 1 if something could not be moved: the brokers need an offload driver (managedLedgerOffloadDriver).")]
pub(crate) struct Offload {
    /// Only this partition.
    #[arg(long, value_name = "N", value_parser = partition)]
    partition: Option<Partition>,
    /// Close the open ledgers first, so that they are moved too; appends wait for a moment.
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    sources: Sources,
}

fn partition(text: &str) -> Result<Partition, String> {
    text.parse()
        .map(Partition)
        .map_err(|_| format!("{text:?} is no partition: a whole number from 0 to 65535"))
}
