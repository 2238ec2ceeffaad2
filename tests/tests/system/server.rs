//! A real `hitmill up` in a process of its own, on a free port.

use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::binary::hitmill;
use super::http;
use super::site::{ADMIN_KEY, Site};

/// Long enough for a busy machine; a server that starts does so in a fraction of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's command.
pub(super) fn up(listen: &str, data: &Path) -> Command {
    let mut command = hitmill();
    command.args(["up", "--listen", listen, "--data"]).arg(data);
    command.env("HITMILL_ADMIN_KEY", ADMIN_KEY).env("HITMILL_HOST__LOG", "info");
    command
}

/// A directory for all that a server and its clients keep; it outlives the server, and goes away with this.
pub(super) struct Home(TempDir);

impl Home {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A file in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A running server. Dropped while a test fails, it shows what the server said.
pub(super) struct Server {
    child: Child,
    site: Site,
    log: PathBuf,
}

impl Server {
    /// Starts a server on what is in `home`, and waits until it is ready.
    pub(super) fn start(home: &Home) -> Self {
        Self::start_with(home, &[])
    }

    /// The same, with these settings in its environment.
    pub(super) fn start_with(home: &Home, settings: &[(&str, &str)]) -> Self {
        let log = home.path("server.log");
        let stderr = File::create(&log).unwrap();
        let child = up("127.0.0.1:0", &home.path("data"))
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut server = Self { child, site: Site::at(""), log };
        let started = Instant::now();
        while !server.is_ready() {
            assert!(started.elapsed() < PATIENCE, "the server is not ready");
            assert!(server.child.try_wait().unwrap().is_none(), "the server has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Whether it says that it is ready, at the address that its log says.
    fn is_ready(&mut self) -> bool {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let Some(address) = log.lines().find_map(|line| line.split_once("serving")?.1.split_once("address="))
        else {
            return false;
        };
        let address = address.1.split_whitespace().next().unwrap_or_default();
        self.site = Site::at(address);
        http::is_ok(address, "/readyz")
    }

    /// Ends it as a crash would: without any warning.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as an operator would, and waits until it has drained.
    pub(super) fn stop(mut self) {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        assert!(self.child.wait().unwrap().success(), "a drained server ends well");
    }
}

impl Deref for Server {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- the server said:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}
