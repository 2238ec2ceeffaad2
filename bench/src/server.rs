//! The system under test, as a process of its own.

mod usage;

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

pub(crate) use usage::Usage;

use crate::machine::kibibytes;

const START: Duration = Duration::from_secs(300);
const STOP: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(5);

/// A running server. It is killed if it is dropped.
pub(crate) struct Server {
    child: Child,
    pid: u32,
    address: String,
}

impl Server {
    /// Starts `program up` on the data, with this admin key if the data is new, and returns when it is ready: also when
    /// it has folded what is left in the log.
    pub(crate) async fn start(program: &Path, data: &Path, key: &str) -> anyhow::Result<Self> {
        let address = free_address()?;
        let child = Command::new(program)
            .arg("up")
            .arg("--data")
            .arg(data)
            .args(["--listen", &address])
            .env("HITMILL_ADMIN_KEY", key)
            // The clients of Pulsar and TiKV tell of every connection.
            .env("HITMILL_HOST__LOG", "warn,pulsar=off,tikv_client=off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {}", program.display()))?;
        let pid = child.id().context("the server ended at once")?;
        let mut server = Self { child, pid, address };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < START {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended before it was ready, with {status}");
            }
            // As long as nobody listens there, connecting fails.
            if get(&self.address, "/readyz").await.is_ok_and(|head| head.contains(" 200 ")) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("the server was not ready in {} s", START.as_secs())
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The processor time that it has used.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid)
    }

    /// The most memory that it had resident.
    pub(crate) fn peak_resident_bytes(&self) -> Option<u64> {
        kibibytes(&format!("/proc/{}/status", self.pid), "VmHWM")
    }

    /// Lets it drain and end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid)?).context("the server has no process id")?;
        kill_process(pid, Signal::TERM)?;
        let status = tokio::time::timeout(STOP, self.child.wait()).await;
        let status =
            status.with_context(|| format!("the server did not drain in {} s", STOP.as_secs()))??;
        if !status.success() {
            bail!("the server drained with {status}");
        }
        Ok(())
    }
}

/// An address that nobody listens at. Somebody else may take it first, but then the server says so.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// The status line of a GET.
async fn get(address: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// Bytes of all files in a directory and below.
pub(crate) fn bytes_in(directory: &Path) -> anyhow::Result<u64> {
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("failed to read the directory {}", directory.display()))?;
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_in(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
