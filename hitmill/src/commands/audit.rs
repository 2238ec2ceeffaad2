use clap::Args;
use model::MerchantId;
use proto::v1;
use serde::Serialize;

use super::shown;
use crate::cli::Global;
use crate::client::Client;
use crate::output::{self, Format};

/// Prove that no hit was lost or counted twice: count the event log again and hold it against the cells.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill audit --merchant 7
  hitmill audit --merchant 7 --format json | jq .balanced

In every hour of receipt, accepted = counted + duplicate + filtered + dead lettered. Accepted is counted in the
event log, the rest is what the fold wrote. The exit code is 1 if an hour does not balance. It reads all of the log
that is kept, which takes a while.")]
pub(crate) struct Audit {
    /// Whose books.
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
}

#[derive(Serialize)]
struct Books {
    balanced: bool,
    audited_from: Option<String>,
    audited_until: Option<String>,
    lost_records: u64,
    hours: Vec<Hour>,
}

#[derive(Serialize)]
struct Hour {
    start: Option<String>,
    accepted: u64,
    counted: u64,
    duplicate: u64,
    filtered: u64,
    dead_lettered: u64,
    refused: u64,
    refused_by_reason: std::collections::BTreeMap<String, u64>,
}

const COLUMNS: [&str; 7] =
    ["start", "accepted", "counted", "duplicate", "filtered", "dead_lettered", "refused"];

impl Audit {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let client = Client::connect(global).await?;
        let request = v1::AuditRequest { merchant_id: self.merchant.0 };
        let books = client.query().audit(request).await.map_err(|s| client.explain(&s))?.into_inner();
        let books = Books::from(books);
        match global.format {
            Format::Json => output::one(global.format, &[], &books)?,
            Format::Table | Format::Csv => output::list(global.format, &COLUMNS, &books.hours)?,
        }
        let (from, until) = (&books.audited_from, &books.audited_until);
        let range = format!(
            "hours from {} on, what was acknowledged until {}",
            from.as_deref().unwrap_or_default(),
            until.as_deref().unwrap_or_default()
        );
        let lost = match books.lost_records {
            0 => String::new(),
            records => format!(
                "; records of the log that were lost and repaired, of this merchant or of others: {records}: their hits are not \
                 among the accepted, and may be among the counted"
            ),
        };
        if !books.balanced {
            anyhow::bail!("the books of merchant {} do not balance ({range}){lost}", self.merchant);
        }
        match books.hours.is_empty() {
            true => eprintln!(
                "nothing to audit: the log has no hit of merchant {} that is folded ({range}){lost}",
                self.merchant
            ),
            false => eprintln!("balanced: {range}{lost}"),
        }
        Ok(())
    }
}

impl From<v1::AuditResponse> for Books {
    fn from(audit: v1::AuditResponse) -> Self {
        Self {
            balanced: audit.balanced,
            audited_from: shown::time(audit.audited_from.as_ref()),
            audited_until: shown::time(audit.audited_until.as_ref()),
            lost_records: audit.lost_records,
            hours: audit.hours.into_iter().map(Hour::from).collect(),
        }
    }
}

impl From<v1::AuditHour> for Hour {
    fn from(hour: v1::AuditHour) -> Self {
        Self {
            start: shown::time(hour.start.as_ref()),
            accepted: hour.accepted,
            counted: hour.counted,
            duplicate: hour.duplicate,
            filtered: hour.filtered,
            dead_lettered: hour.dead_lettered,
            refused: hour.refused.iter().map(|count| count.hits).sum(),
            refused_by_reason: hour.refused.into_iter().map(|count| (count.reason, count.hits)).collect(),
        }
    }
}
