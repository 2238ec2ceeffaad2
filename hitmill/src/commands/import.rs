use clap::Subcommand;

use crate::cli::Global;

mod access_log;
mod courier;
mod greeting;
mod importer;
mod progress;
mod rejects;
mod report;
mod state;

/// Import history, of any age. Needs an admin key. Whatever is imported twice is counted once.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    AccessLog(access_log::AccessLog),
}

impl Import {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::AccessLog(access_log) => access_log.run(global).await,
        }
    }
}
