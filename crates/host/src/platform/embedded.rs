use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use catalog::Catalog;
use clock::Clock;
use eventlog::embedded::{self as log, EmbeddedLog};
use keyspace::config::instance;
use store::embedded::{self as cells, EmbeddedStore};
use store::{Batch, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Platform;
use crate::Feed;

/// The file that says what the directory is. Log and store have versions of their own inside.
const FORMAT_FILE: &str = "FORMAT";
const UNFINISHED: &str = "FORMAT.new";
const FORMAT: &str = "hitmill data, format 1\n";
/// Commits that a reader of the feed may fall behind before it reads everything again.
const FEED_DEPTH: usize = 1024;
const INSTANCE_ID_BYTES: usize = 16;

/// A platform in a directory of this machine, which is made if it is not there.
pub async fn embedded(
    data: &Path,
    log_settings: log::Settings,
    store_settings: cells::Settings,
    clock: Clock,
) -> anyhow::Result<Platform> {
    settle(data)?;
    let (dir, now) = (data.to_owned(), clock.clone());
    // Both read what they recover from the disk: not on a thread that serves.
    let (log, store) =
        tokio::task::spawn_blocking(move || open(&dir, &log_settings, store_settings, now)).await??;

    let catalog = Catalog::load(&store).await.context("failed to read the configuration")?;
    Ok(Platform {
        instance_id: instance_id(&store, &clock).await?,
        log: Arc::new(log),
        store: Arc::new(store),
        clock,
        catalog,
        feed: Feed::in_memory(FEED_DEPTH),
        shared: false,
        drain: CancellationToken::new(),
        tasks: TaskTracker::new(),
    })
}

fn open(
    data: &Path,
    log_settings: &log::Settings,
    store_settings: cells::Settings,
    clock: Clock,
) -> anyhow::Result<(EmbeddedLog, EmbeddedStore)> {
    let shown = data.display();
    let in_use =
        || anyhow::anyhow!("{shown} is in use by another hitmill: stop it, or choose another data directory");
    let failed = || format!("failed to open the data in {shown}");
    let store = EmbeddedStore::open(&data.join("store"), store_settings).map_err(|e| match e {
        store::Error::InUse { .. } => in_use(),
        e => anyhow::Error::from(e).context(failed()),
    })?;
    let log =
        EmbeddedLog::open(data.join("log"), log_settings, move || clock.now()).map_err(|e| match e {
            eventlog::Error::InUse { .. } => in_use(),
            e => anyhow::Error::from(e).context(failed()),
        })?;
    Ok((log, store))
}

/// Makes the directory ours, or checks that it is.
fn settle(data: &Path) -> anyhow::Result<()> {
    let shown = data.display();
    fs::create_dir_all(data).with_context(|| format!("failed to make the data directory {shown}"))?;
    match fs::read_to_string(data.join(FORMAT_FILE)) {
        Ok(format) if format == FORMAT => Ok(()),
        Ok(format) => bail!(
            "{shown} holds {:?}, which this hitmill does not read: it reads {:?}",
            format.trim(),
            FORMAT.trim()
        ),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            // A slip in the path must not fill somebody's home directory.
            if holds_others_files(data)? {
                bail!(
                    "{shown} is not a data directory of hitmill and not empty: choose another, or a new one"
                );
            }
            write_durably(data).with_context(|| format!("failed to write to the data directory {shown}"))
        }
        Err(e) => Err(e).with_context(|| format!("failed to read {FORMAT_FILE} in {shown}")),
    }
}

fn holds_others_files(data: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(data)? {
        // That one is ours, from a first start that did not get further. Volumes come with the other.
        let name = entry?.file_name();
        if name != UNFINISHED && name != "lost+found" {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Under another name first: after a crash the file is there whole or not at all.
fn write_durably(data: &Path) -> io::Result<()> {
    let unfinished = data.join(UNFINISHED);
    let mut file = fs::File::create(&unfinished)?;
    file.write_all(FORMAT.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, data.join(FORMAT_FILE))?;
    fs::File::open(data)?.sync_all()
}

/// The identity of the data: made once, by whoever comes first.
async fn instance_id(store: &EmbeddedStore, clock: &Clock) -> anyhow::Result<Arc<str>> {
    if let Some(known) = store.get(&instance::key()).await? {
        return Ok(std::str::from_utf8(&known).context("the stored instance id is no text")?.into());
    }
    let id: String = clock.random::<INSTANCE_ID_BYTES>().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut batch = Batch::durable();
    batch.require(instance::key(), None).put(instance::key(), Bytes::from(id.clone()));
    store.commit(batch).await.context("failed to store the instance id")?;
    Ok(id.into())
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    async fn start(data: &Path) -> anyhow::Result<Platform> {
        let clock = Clock::manual(Timestamp(1_431_857_103_000), 1);
        embedded(data, log::Settings::default(), cells::Settings::default(), clock).await
    }

    #[tokio::test]
    async fn the_identity_stays_and_other_data_has_another() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let data = dir.path().join("made/for/it");
        let first = start(&data).await.unwrap().instance_id;
        // The second clock would give the same randomness: only the stored id can make the two differ.
        let clock = Clock::manual(Timestamp(0), 2);
        let again =
            embedded(&data, log::Settings::default(), cells::Settings::default(), clock.clone()).await;
        assert_eq!(again.unwrap().instance_id, first);
        let fresh = embedded(other.path(), log::Settings::default(), cells::Settings::default(), clock).await;
        assert_ne!(fresh.unwrap().instance_id, first);
    }

    #[tokio::test]
    async fn a_directory_that_is_used_or_not_ours_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let _open = start(&data).await.unwrap();
        let refused = start(&data).await.err().unwrap().to_string();
        let expected = format!(
            "{} is in use by another hitmill: stop it, or choose another data directory",
            data.display()
        );
        assert_eq!(refused, expected);

        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("letter.txt"), "dear").unwrap();
        let refused = start(home.path()).await.err().unwrap().to_string();
        assert!(refused.contains("is not a data directory of hitmill and not empty"), "{refused}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing was put there");

        let later = tempfile::tempdir().unwrap();
        fs::write(later.path().join(FORMAT_FILE), "hitmill data, format 9\n").unwrap();
        let refused = start(later.path()).await.err().unwrap().to_string();
        assert!(refused.contains("format 9"), "{refused}");
    }
}
