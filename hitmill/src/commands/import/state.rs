//! How far an import came: a small file for each log and merchant. It saves time and nothing else: without it, or with a
//! wrong one, lines are sent again, and the server drops what it has.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use serde::{Deserialize, Serialize};

/// The state of a running import is written this often.
const EVERY: Duration = Duration::from_secs(1);

/// What is imported, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The installation's data: another server, or the same one set up anew, has another.
    pub(super) instance_id: String,
    /// The merchant.
    pub(super) merchant_id: u64,
    /// The log, and what is counted of it.
    pub(super) client_id: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    #[serde(flatten)]
    identity: Identity,
    line: u64,
}

/// Where the state is kept.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    saved: Saved,
    written: Instant,
}

impl State {
    /// The state of an import, as it was left; from the beginning with `restart`, or if there is none that can be read.
    pub(super) fn open(directory: &Path, identity: Identity, restart: bool, now: Instant) -> Self {
        let name = format!("{}\0{}\0{}", identity.instance_id, identity.merchant_id, identity.client_id);
        let path = directory.join(format!("import-{:016x}.json", model::stable_hash(name.as_bytes())));
        let line = if restart { 0 } else { read(&path, &identity).unwrap_or(0) };
        Self { path, saved: Saved { identity, line }, written: now }
    }

    /// All lines up to this one are settled.
    pub(super) fn line(&self) -> u64 {
        self.saved.line
    }

    /// The log.
    pub(super) fn client_id(&self) -> &str {
        &self.saved.identity.client_id
    }

    /// Notes that all lines up to `line` are settled; says whether it is time to write that.
    pub(super) fn settled(&mut self, line: u64, now: Instant) -> bool {
        self.saved.line = self.saved.line.max(line);
        let due = now.duration_since(self.written) >= EVERY;
        if due {
            self.written = now;
        }
        due
    }

    /// Writes it. A crash leaves the old state or the new one.
    pub(super) fn write(&self) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let new = self.path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        serde_json::to_writer(&mut file, &self.saved)?;
        file.write_all(b"\n")?;
        fs::rename(new, &self.path)
    }
}

fn read(path: &Path, identity: &Identity) -> Option<u64> {
    let saved: Saved = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (saved.identity == *identity).then_some(saved.line)
}

/// Where states are kept if nobody says where: what the XDG base directories say, or the current directory.
pub(super) fn default_directory() -> PathBuf {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    base.map_or_else(|| PathBuf::from(".hitmill"), |base| base.join("hitmill"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(instance: &str) -> Identity {
        Identity { instance_id: instance.into(), merchant_id: 7, client_id: "access-log:page:1".into() }
    }

    #[test]
    fn an_import_goes_on_where_it_was_left_and_only_there() {
        let directory = tempfile::tempdir().unwrap();
        let now = Instant::now();
        let open = |instance: &str, restart| State::open(directory.path(), identity(instance), restart, now);
        let mut state = open("a", false);
        assert_eq!(state.line(), 0);
        assert!(!state.settled(40, now), "not yet");
        assert!(state.settled(50, now + EVERY));
        assert!(!state.settled(45, now + EVERY));
        state.write().unwrap();
        assert_eq!(open("a", false).line(), 50, "it never goes back");
        assert_eq!(open("a", true).line(), 0);
        assert_eq!(open("b", false).line(), 0);
    }

    #[test]
    fn a_broken_state_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let now = Instant::now();
        let state = State::open(directory.path(), identity("a"), false, now);
        fs::write(&state.path, "{\"line\": 5}").unwrap();
        assert_eq!(State::open(directory.path(), identity("a"), false, now).line(), 0);
    }
}
