//! An embedded log and the store beside it: whether they are of each other.
//!
//! ```text
//! log/instance    identity of the installation whose hits these are, as its store has it
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use clock::Clock;
use eventlog::EventLog as _;
use eventlog::embedded::EmbeddedLog;
use keyspace::checkpoint::{self, Checkpoint};
use keyspace::config::instance;
use model::{Kind, Partition, Position};
use store::Store;

use super::{embedded, identity};

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
    for partition in (0..log.partitions()).map(Partition) {
        let end = log.end(partition).await?;
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
    let directory = data.join("log");
    match installation_of(&directory).context("failed to read whose the log is")? {
        Some(noted) if *noted == *own => Ok(()),
        Some(noted) => Err(wrong(format!("the log is of installation {noted}, and the store of {own}"))),
        None => note_installation(&directory, &own).context("failed to note whose the log is"),
    }
}

/// Whose hits are in the log in this directory, if that is noted.
pub fn installation_of(log: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(log.join("instance")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(|id| Some(id.trim_end().to_owned())),
    }
}

/// Notes whose hits are in the log in this directory, durably and as a whole.
pub fn note_installation(log: &Path, id: &str) -> io::Result<()> {
    let new = log.join("instance.new");
    let mut file = File::create(&new)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    fs::rename(&new, log.join("instance"))?;
    File::open(log)?.sync_all()
}
