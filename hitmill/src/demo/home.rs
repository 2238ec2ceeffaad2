use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

const KEYS_FILE: &str = "demo.json";
const UNFINISHED: &str = "demo.json.new";
const LOG_FILE: &str = "demo.log";
/// For their owner alone: keys are secrets.
const OWNER_ONLY: u32 = 0o600;

/// The directory of a demo: its data, its keys, its log, and what its shoppers have not delivered yet.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

/// Whom a demo is. The server shows a key only once, so they are kept here for the next start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keys {
    /// May do everything.
    pub(crate) admin_key: String,
    /// The demo's merchant; 0 if none was made yet.
    pub(crate) merchant_id: u64,
    /// Sends its hits.
    pub(crate) write_key: String,
    /// Reads its numbers.
    pub(crate) read_key: String,
}

impl Home {
    /// The directory of an earlier demo, or a new one; whose admin key `new_admin_key` makes.
    pub(crate) fn open(
        path: PathBuf,
        new_admin_key: impl FnOnce() -> String,
    ) -> anyhow::Result<(Self, Keys)> {
        let shown = path.display().to_string();
        fs::create_dir_all(&path).with_context(|| format!("failed to make the directory {shown}"))?;
        let home = Self(path);
        let keys = match fs::read(home.0.join(KEYS_FILE)) {
            Ok(kept) => serde_json::from_slice(&kept)
                .with_context(|| format!("failed to read {KEYS_FILE} in {shown}: is it of a demo?"))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // A slip in the path must not fill somebody's home directory, nor be taken for a server's data.
                if holds_others_files(&home.0)? {
                    bail!(
                        "{shown} is not the directory of a demo and not empty: choose another, or a new one"
                    );
                }
                let keys = Keys {
                    admin_key: new_admin_key(),
                    merchant_id: 0,
                    write_key: String::new(),
                    read_key: String::new(),
                };
                // Before the server learns it: after a crash in between, the next start goes on with the same key.
                home.keep(&keys)?;
                keys
            }
            Err(e) => return Err(e).with_context(|| format!("failed to read {KEYS_FILE} in {shown}")),
        };
        Ok((home, keys))
    }

    /// Keeps the keys for the next start.
    pub(crate) fn keep(&self, keys: &Keys) -> anyhow::Result<()> {
        self.write(keys).with_context(|| format!("failed to write {KEYS_FILE} in {}", self.0.display()))
    }

    fn write(&self, keys: &Keys) -> anyhow::Result<()> {
        let unfinished = self.0.join(UNFINISHED);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(&unfinished)?;
        serde_json::to_writer_pretty(&mut file, keys)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(fs::rename(unfinished, self.0.join(KEYS_FILE))?)
    }

    /// Where the server keeps everything.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Where the hits wait that are not acknowledged, a directory for each shopper.
    pub(crate) fn queues(&self) -> PathBuf {
        self.0.join("queues")
    }

    /// The log, to write on.
    pub(crate) fn log(&self) -> anyhow::Result<File> {
        let path = self.log_path();
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.with_context(|| format!("failed to write to {}", path.display()))
    }

    /// Where the log is.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.0.join(LOG_FILE)
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

fn holds_others_files(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        // That one is ours, from a first start that did not get further.
        if entry?.file_name() != UNFINISHED {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn open(path: &Path, key: &str) -> anyhow::Result<(Home, Keys)> {
        Home::open(path.to_owned(), || key.to_owned())
    }

    #[test]
    fn keys_are_kept_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/for/it");
        let (home, first) = open(&path, "one").unwrap();
        assert_eq!((first.admin_key.as_str(), first.merchant_id), ("one", 0));
        let known = Keys { merchant_id: 7, write_key: "w".into(), read_key: "r".into(), ..first };
        home.keep(&known).unwrap();
        assert_eq!(open(&path, "two").unwrap().1, known);
        let mode = fs::metadata(path.join(KEYS_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_not_of_a_demo_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("letter.txt"), "dear").unwrap();
        let refused = open(dir.path(), "one").unwrap_err().to_string();
        assert!(
            refused.ends_with("is not the directory of a demo and not empty: choose another, or a new one")
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was put there");

        fs::write(dir.path().join(KEYS_FILE), "{}").unwrap();
        let refused = open(dir.path(), "one").unwrap_err().to_string();
        assert!(refused.contains("is it of a demo?"), "{refused}");
    }
}
