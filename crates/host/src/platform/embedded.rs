use std::path::Path;
use std::sync::Arc;

use clock::Clock;
use eventlog::embedded::{self as log, EmbeddedLog};
use model::Kind;
use store::embedded::{self as cells, EmbeddedStore};

use super::{FEED_DEPTH, Platform, directory, together};
use crate::Feed;

/// A platform in a directory of this machine, which is made if it is not there.
pub async fn embedded(
    data: &Path,
    log_settings: log::Settings,
    store_settings: cells::Settings,
    clock: Clock,
) -> anyhow::Result<Platform> {
    directory::settle(data)?;
    let store = open_store(data, store_settings).await?;
    let log = open_log(data, log_settings, clock.clone()).await?;
    together::check(data, &log, &store, &clock).await?;
    let platform = Platform::over(Arc::new(log), Arc::new(store), clock, Feed::in_memory(FEED_DEPTH)).await?;
    together::keep(&platform, data);
    Ok(platform)
}

/// The log in a data directory.
pub(super) async fn open_log(
    data: &Path,
    settings: log::Settings,
    clock: Clock,
) -> anyhow::Result<EmbeddedLog> {
    let dir = data.join("log");
    // What it recovers it reads from the disk: not on a thread that serves.
    let opened = tokio::task::spawn_blocking(move || EmbeddedLog::open(dir, &settings, move || clock.now()));
    opened.await?.map_err(|e| match e {
        eventlog::Error::InUse { .. } => in_use(data),
        e => failed(data, e.kind(), e),
    })
}

/// The store in a data directory.
pub(super) async fn open_store(data: &Path, settings: cells::Settings) -> anyhow::Result<EmbeddedStore> {
    let dir = data.join("store");
    // As for the log.
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(&dir, settings));
    opened.await?.map_err(|e| match e {
        store::Error::InUse { .. } => in_use(data),
        e => failed(data, e.kind(), e),
    })
}

fn in_use(data: &Path) -> anyhow::Error {
    let shown = data.display();
    anyhow::anyhow!("{shown} is in use by another hitmill: stop it, or choose another data directory")
}

pub(super) fn failed(data: &Path, kind: Kind, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let data = data.display();
    let help = match kind {
        Kind::Corrupt => format!(" (`hitmill doctor --data {data}` says what is lost, and can repair it)"),
        _ => String::new(),
    };
    error.into().context(format!("failed to open the data in {data}{help}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use model::Timestamp;

    use super::*;
    use crate::platform::directory::FORMAT_FILE;

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
