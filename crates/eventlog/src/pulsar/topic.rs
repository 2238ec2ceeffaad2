mod offload;

use model::{Partition, Position};
use reqwest::Method;
use serde_json::Value;

use super::admin::Admin;
use super::ledgers::{InternalStats, Ledger, Ledgers};
use super::link::missing;
use super::setup::path_of;
use super::{Settings, partitions};
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

impl Topic {
    /// Finds the topic, and changes nothing: services make it.
    pub async fn open(settings: &Settings) -> Result<Self> {
        settings.check()?;
        let admin = Admin::new(settings)?;
        let partitions = partitions::existing(&admin, settings).await?;
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

#[cfg(test)]
mod tests {
    use model::Kind;

    use super::super::fake;
    use super::*;

    #[tokio::test]
    async fn looking_makes_nothing() {
        let settings = fake::serve(|asked, _| {
            assert_eq!(asked, "GET persistent/public/hitmill/hits/partitions", "all that is asked");
            (404, r#"{"reason":"Namespace not found"}"#.to_owned())
        })
        .await;
        let missing = Topic::open(&settings).await.unwrap_err();
        assert_eq!(missing.kind(), Kind::Invalid);
        let expected =
            "there is no topic hits in namespace public/hitmill: a service makes it at its first start";
        assert_eq!(missing.to_string(), expected);
    }
}
