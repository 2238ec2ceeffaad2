//! A process of ours that can be ended in every way and started again.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use test_servers::{Keeper, free_port};

use super::http;

/// Long enough for a machine on which everything happens at once.
const PATIENCE: Duration = Duration::from_secs(120);
const GLANCE: Duration = Duration::from_millis(20);
/// Lines of its log that are shown when a test fails.
const SHOWN: usize = 60;

/// A place to listen at that stays the same when a process is started again.
pub(super) fn free_address() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

/// What is run, and the process while it runs. All runs of it log to one file.
pub(super) struct Process {
    name: String,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
    /// `HOST:PORT` at which it says on `/readyz` whether it is ready.
    address: String,
    ready_path: &'static str,
}

impl Process {
    /// Not yet started. The keeper ends it if nobody else does.
    pub(super) fn new(name: &str, mut command: Command, address: &str, keeper: &Keeper) -> Self {
        let log = keeper.folder().join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command
            .process_group(keeper.group())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        Self {
            name: name.to_owned(),
            command,
            log,
            child: None,
            address: address.to_owned(),
            ready_path: "/readyz",
        }
    }

    /// Asks for this path instead to see whether it is ready.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only there it matters"))]
    pub(super) fn ready_at(mut self, path: &'static str) -> Self {
        self.ready_path = path;
        self
    }

    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only there it matters"))]
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only there it matters"))]
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// All that it said.
    pub(super) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Starts it; it need not be ready when this returns.
    pub(super) fn launch(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.name);
        self.child = Some(self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.name)));
    }

    /// Starts it, and returns when it is ready.
    pub(super) async fn start(&mut self) {
        self.launch();
        self.wait_until_ready().await;
    }

    /// Returns when it is ready.
    pub(super) async fn wait_until_ready(&mut self) {
        let started = Instant::now();
        while !self.is_ready() {
            assert!(started.elapsed() < PATIENCE, "{} is not ready after {PATIENCE:?}", self.name);
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "{} has ended before it was ready: {ended:?}", self.name);
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Whether it says so.
    pub(super) fn is_ready(&self) -> bool {
        tokio::task::block_in_place(|| http::is_ok(&self.address, self.ready_path))
    }

    /// Whether it has not ended.
    pub(super) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Ends it as a crash would.
    pub(super) fn kill(&mut self) {
        let mut child = self.child.take().unwrap_or_else(|| panic!("{} does not run", self.name));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end, and returns when it has; it must end well.
    pub(super) async fn stop(&mut self) {
        self.signal("TERM");
        self.ended_well().await;
    }

    /// Returns when it has ended by itself; it must end well.
    pub(super) async fn ended_well(&mut self) {
        let status = self.ended().await;
        assert!(status.success(), "{} ended with {status}", self.name);
    }

    /// Returns when it has ended by itself, however it did.
    pub(super) async fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        let mut child = self.child.take().unwrap_or_else(|| panic!("{} does not run", self.name));
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "{} does not end", self.name);
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Freezes it: it neither works nor closes anything.
    pub(super) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(super) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name));
        let sent =
            Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status().unwrap();
        assert!(sent.success(), "{} got no {signal}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let said = self.said();
            let lines: Vec<_> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
            eprintln!("---- {} said last:\n{last}", self.name);
        }
    }
}
