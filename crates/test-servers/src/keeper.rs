//! Sees to it that nothing is left of a test: no process and no file, however the test ends.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};

/// Waits until its standard input is closed.
const LEADER: &str = "read -r _";
/// The same, then kills the group $1 and removes the folder $2. An empty group is none to kill.
const WATCHMAN: &str = r#"read -r _; kill -s KILL -- "-$1" 2>/dev/null; rm -rf -- "$2""#;

/// A temporary folder, and a process group for the servers that work in it. Two small shells outside of the test's own
/// process group hold the other ends of two pipes. When the pipes close, by a drop or because the test was killed, one of them
/// kills the group and removes the folder; the other is there so that the group has a number from the start, before any
/// server is in it, that nobody else can come by while a server lives.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    leader: Child,
    watchman: Child,
}

impl Keeper {
    /// A folder whose name says `what` it is for, and an empty group.
    pub fn new(what: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("hitmill-{what}-")).tempdir()?.keep();
        let mut leader = shell(LEADER, &[])?;
        let group = leader.id().to_string();
        let watchman = shell(WATCHMAN, &[group.as_ref(), folder.as_os_str()]).inspect_err(|_| {
            // Its input closes with it, and it ends.
            drop(leader.stdin.take());
            let _ = leader.wait();
        })?;
        Ok(Self { folder, leader, watchman })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process group that servers are to be started in.
    pub fn group(&self) -> i32 {
        self.leader.id().cast_signed()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The watchman first: it kills the leader with the group.
        for shell in [&mut self.watchman, &mut self.leader] {
            drop::<Option<ChildStdin>>(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}

fn shell(script: &str, args: &[&std::ffi::OsStr]) -> Result<Child> {
    Command::new("sh")
        .args(["-c", script, "hitmill-keeper"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // A group of its own: a signal to the test's, such as that of Ctrl-C, must not end the watch.
        .process_group(0)
        .spawn()
        .context("failed to start sh")
}
