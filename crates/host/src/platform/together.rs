//! An embedded log and the store beside it: whether they are of each other.
//!
//! ```text
//! log/instance    a line with the identity of the installation whose hits these are, as its store has it; a line with the version
//!                 that its configuration has at least; a line with the crc32c of these two, in hexadecimal
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use clock::Clock;
use eventlog::EventLog as _;
use eventlog::embedded::EmbeddedLog;
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::config::counters::Counters;
use keyspace::config::instance;
use model::{Kind, Partition, Position};
use store::Store;

use super::{Platform, embedded, identity};

const NAME: &str = "instance";

/// Refuses a log and a store that are not of each other: what one has lost the other knows, and hits of one installation must not
/// become numbers of a merchant of another.
pub(super) async fn check(
    data: &Path,
    log: &EmbeddedLog,
    store: &dyn Store,
    clock: &Clock,
) -> anyhow::Result<()> {
    let wrong = |what: String| embedded::failed(data, Kind::Corrupt, anyhow!(what));
    let fresh = store.get(&instance::key()).await?.is_none();
    let mut used = false;
    for partition in (0..log.partitions()).map(Partition) {
        let end = log.end(partition).await?;
        used |= end > Position::default();
        if fresh && end > Position::default() {
            let what =
                "the log has records, and the store was never used: merchants, keys and numbers are missing";
            return Err(wrong(what.to_owned()));
        }
        let stored = store.get(&checkpoint::key(partition)).await?;
        // One that cannot be read is for the worker to tell.
        let folded = stored.and_then(|value| Checkpoint::decode(&value).ok());
        if let Some(Checkpoint { read_from, .. }) = folded.filter(|folded| folded.read_from > end) {
            return Err(wrong(format!(
                "partition {partition} of the log ends before {end}, and was folded up to before {read_from}: records are missing"
            )));
        }
    }
    let own = identity::of(store, clock).await?;
    let (Counters { version, .. }, _) = catalog::counters(store).await?;
    let directory = data.join("log");
    match Installation::of(&directory).context("failed to read whose the log is")? {
        // Nothing repairs that.
        Some(noted) if used && *noted.id != *own => Err(embedded::failed(
            data,
            Kind::Invalid,
            anyhow!(
                "the log is of installation {}, and the store of {own}: put back the one that belongs to the other",
                noted.id
            ),
        )),
        Some(noted) if *noted.id == *own && noted.version > version => Err(wrong(format!(
            "the store is an old copy: its configuration is of version {version}, and was of version {}",
            noted.version
        ))),
        _ => Installation { id: own.to_string(), version }
            .note(&directory)
            .context("failed to note whose the log is"),
    }
}

/// Notes each new version of the configuration beside the log, until the drain: an old copy of the store is told by it.
pub(super) fn keep(platform: &Platform, data: &Path) {
    let (id, drain) = (platform.instance_id.to_string(), platform.drain.clone());
    let (directory, mut changed) = (data.join("log"), platform.catalog.changed());
    // The drain need not wait for it: what it has not noted yet is only not told.
    drop(tokio::spawn(async move {
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                news = changed.changed() => if news.is_err() { return },
            }
            let installation = Installation { id: id.clone(), version: *changed.borrow_and_update() };
            let directory = directory.clone();
            let noted = tokio::task::spawn_blocking(move || installation.note(&directory)).await;
            if let Ok(Err(error)) = noted {
                tracing::warn!(%error, "failed to note beside the log of which version the configuration is");
            }
        }
    }));
}

/// Whose hits are in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Its identity.
    pub id: String,
    /// The version that its configuration has at least.
    pub version: u64,
}

impl Installation {
    /// Whose hits are in the log in this directory, if that is noted. One that makes no sense is none: it is written anew.
    pub fn of(log: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read(log.join(NAME)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => String::from_utf8_lossy(&read?).into_owned(),
        };
        let mut lines = text.lines();
        let (Some(id), Some(version)) = (lines.next(), lines.next().and_then(|version| version.parse().ok()))
        else {
            return Ok(None);
        };
        let read = Self { id: id.to_owned(), version };
        Ok((read.text() == text).then_some(read))
    }

    fn text(&self) -> String {
        let lines = format!("{}\n{}\n", self.id, self.version);
        let sum = crc32c::crc32c(lines.as_bytes());
        format!("{lines}{sum:08x}\n")
    }

    /// Forgets it, durably: before the store gets another identity.
    pub fn forget(log: &Path) -> io::Result<()> {
        match fs::remove_file(log.join(NAME)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| File::open(log)?.sync_all()),
        }
    }

    /// Notes it, durably and as a whole.
    pub fn note(&self, log: &Path) -> io::Result<()> {
        disk::replace(&disk::System, &log.join(NAME), self.text().as_bytes())
    }
}
