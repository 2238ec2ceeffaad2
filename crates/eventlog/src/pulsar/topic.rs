use model::{Partition, Position};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Settings;
use super::admin::{Admin, Done};
use super::ledgers::{InternalStats, Ledger, Ledgers};
use super::link::missing;
use super::setup::{path_of, prepare};
use crate::{Error, Result};

/// The log's topic, for operators: what is where, and moving it.
#[derive(Debug)]
pub struct Topic {
    admin: Admin,
    namespace: String,
    partitions: u16,
}

/// What a partition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its ledgers, the oldest first.
    pub ledgers: Vec<Ledger>,
    /// The oldest record.
    pub first: Option<Position>,
    /// The latest record.
    pub last: Option<Position>,
    /// Bytes in BookKeeper only.
    pub bookkeeper_bytes: u64,
    /// Bytes in tiered storage. BookKeeper has them as well until its copies are deleted, which the brokers do some time
    /// later, as they are configured.
    pub tiered_bytes: u64,
}

/// How far the move of a partition's ledgers to tiered storage is, since its broker took it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffloadState {
    /// None was asked for.
    Idle,
    /// It goes on.
    Running,
    /// The last one that was asked for is done.
    Done,
    /// The last one that was asked for failed, with this reason.
    Failed(String),
}

impl Topic {
    /// Finds the topic, or makes it as the log itself would.
    pub async fn open(settings: &Settings) -> Result<Self> {
        settings.check()?;
        let admin = Admin::new(settings)?;
        let partitions = prepare(&admin, settings).await?;
        Ok(Self { admin, namespace: settings.namespace.clone(), partitions })
    }

    /// How many partitions it has, numbered from 0.
    pub fn partitions(&self) -> u16 {
        self.partitions
    }

    /// What a partition holds now.
    pub async fn status(&self, partition: Partition) -> Result<Status> {
        let path = format!("{}/internalStats", self.path(partition)?);
        let stats: Option<InternalStats> = self.admin.get("list the ledgers of", &path).await?;
        let ledgers = Ledgers::from(stats.ok_or_else(|| missing(&path))?);
        let (first, last) = (ledgers.first(), ledgers.last());
        let ledgers = ledgers.into_inner();
        let bytes =
            |offloaded| ledgers.iter().filter(|it| it.offloaded == offloaded).map(|it| it.bytes).sum();
        let (bookkeeper_bytes, tiered_bytes) = (bytes(false), bytes(true));
        Ok(Status { ledgers, first, last, bookkeeper_bytes, tiered_bytes })
    }

    /// Begins to move ledgers of a partition to tiered storage: all that hold only records below a position, or all but the
    /// open one. Says whether it began: only one can run at a time, and there must be something to move.
    pub async fn offload(&self, partition: Partition, below: Option<Position>) -> Result<bool> {
        let status = self.status(partition).await?;
        let Some(stays) = moved(&status.ledgers, below) else { return Ok(false) };
        // The brokers move the ledgers before the one of this position.
        let body = json!({"ledgerId": stays, "entryId": 0, "partitionIndex": partition.0});
        let path = format!("{}/offload", self.path(partition)?);
        let done = self.admin.change("offload", Method::PUT, &path, Some(&body)).await?;
        Ok(done == Done::Changed)
    }

    /// How far the move of a partition is.
    pub async fn offload_status(&self, partition: Partition) -> Result<OffloadState> {
        let path = format!("{}/offload", self.path(partition)?);
        let found: Option<OffloadStatus> = self.admin.get("ask for the offload of", &path).await?;
        Ok(found.map_or(OffloadState::Idle, OffloadState::from))
    }

    /// Closes a partition's open ledger, so that it can be moved: the broker lets the partition go, and whoever takes it
    /// over begins a new ledger. Appends and reads go on by themselves after a moment.
    pub async fn roll_over(&self, partition: Partition) -> Result<()> {
        let path = format!("{}/unload", self.path(partition)?);
        self.admin.change("unload", Method::PUT, &path, None).await?;
        // The next question makes a broker take it over, and begin the ledger.
        self.status(partition).await.map(drop)
    }

    /// Has the broker look now, and not only when a ledger is full, whether BookKeeper's copies of what was moved may be
    /// deleted.
    pub async fn trim(&self, partition: Partition) -> Result<()> {
        let path = format!("{}/trim", self.path(partition)?);
        self.admin.change("trim", Method::POST, &path, None::<&Value>).await.map(drop)
    }

    fn path(&self, partition: Partition) -> Result<String> {
        if partition.0 >= self.partitions {
            return Err(Error::NoPartition { asked: partition, partitions: self.partitions });
        }
        Ok(path_of(&self.namespace, partition))
    }
}

/// The first ledger that stays when all are moved that hold only records below a position; none if nothing is to be moved.
fn moved(ledgers: &[Ledger], below: Option<Position>) -> Option<u64> {
    let above = |ledger: &Ledger| {
        below.is_some_and(|below| below < Position { ledger: ledger.id, entry: ledger.records })
    };
    let stays = ledgers.iter().position(|ledger| ledger.open || above(ledger))?;
    let anything = ledgers[..stays].iter().any(|ledger| !ledger.offloaded && ledger.records > 0);
    anything.then_some(ledgers[stays].id)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OffloadStatus {
    status: String,
    #[serde(default)]
    last_error: Option<String>,
}

impl From<OffloadStatus> for OffloadState {
    fn from(found: OffloadStatus) -> Self {
        match found.status.as_str() {
            "NOT_RUN" => Self::Idle,
            "RUNNING" => Self::Running,
            "SUCCESS" => Self::Done,
            other => Self::Failed(
                found.last_error.filter(|why| !why.is_empty()).unwrap_or_else(|| other.to_owned()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_ledgers_below_the_position_are_moved() {
        let ledger =
            |id, records, offloaded, open| Ledger { id, records, bytes: 10 * records, offloaded, open };
        let list = [ledger(4, 10, true, false), ledger(6, 10, false, false), ledger(9, 3, false, true)];
        let moved = |ledger, entry| moved(&list, Some(Position { ledger, entry }));
        assert_eq!(super::moved(&list, None), Some(9));
        assert_eq!(moved(u64::MAX, 0), Some(9));
        assert_eq!(moved(9, 0), Some(9));
        assert_eq!(moved(6, 10), Some(9), "all ten are below");
        assert_eq!(moved(6, 9), None, "the first is moved already");
        assert_eq!(moved(4, 0), None);
        assert_eq!(super::moved(&list[2..], None), None, "only the open one");
        assert_eq!(super::moved(&[], None), None);
    }
}
