use clap::Args;
use model::MerchantId;
use proto::v1;
use serde::Serialize;

use super::shown;
use crate::cli::Global;
use crate::client::Client;
use crate::output;

/// The most that one call gives.
const PAGE: u32 = 1_000;

/// Show who changed what of the configuration, newest first.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill changes                    the newest 50 changes of everything
  hitmill changes --merchant 7 --limit 1000")]
pub(crate) struct Changes {
    /// Only changes that concern this merchant.
    #[arg(long, value_name = "ID")]
    merchant: Option<MerchantId>,
    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

#[derive(Serialize)]
struct Row {
    version: u64,
    at: Option<String>,
    author: String,
    merchant_id: Option<u64>,
    summary: String,
}

impl Changes {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let client = Client::connect(global).await?;
        let mut config = client.config();
        let mut rows: Vec<Row> = Vec::new();
        let mut left = self.limit;
        while left > 0 {
            let request = v1::ListChangesRequest {
                merchant_id: self.merchant.map_or(0, |id| id.0),
                page_size: left.min(PAGE),
                before_version: rows.last().map_or(0, |row| row.version),
            };
            let page = config.list_changes(request).await.map_err(|s| client.explain(&s))?.into_inner();
            let got = page.changes.len() as u32;
            rows.extend(page.changes.into_iter().map(Row::from));
            left = left.saturating_sub(got);
            if !page.more || got == 0 {
                break;
            }
        }
        output::list(global.format, &["version", "at", "author", "merchant_id", "summary"], &rows)
    }
}

impl From<v1::Change> for Row {
    fn from(change: v1::Change) -> Self {
        Self {
            version: change.version,
            at: shown::time(change.at.as_ref()),
            author: change.author,
            merchant_id: shown::set(change.merchant_id),
            summary: change.summary,
        }
    }
}
