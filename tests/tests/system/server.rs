//! A real `hitmill up` in a process of its own, on a free port.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use proto::v1::query_service_client::QueryServiceClient;
use serde_json::Value;
use tempfile::TempDir;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// The admin key of every server of the tests.
pub(super) const ADMIN_KEY: &str = "admin-key-of-the-system-tests";
/// Long enough for a busy machine; a server that starts does so in a fraction of it.
const PATIENCE: Duration = Duration::from_secs(60);

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
    url: String,
    log: PathBuf,
}

impl Server {
    /// Starts a server on what is in `home`, and waits until it is ready.
    pub(super) fn start(home: &Home) -> Self {
        let log = home.path("server.log");
        let stderr = File::create(&log).unwrap();
        let mut command = Command::new(binary());
        let child = clean(&mut command)
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(home.path("data"))
            .env("HITMILL_ADMIN_KEY", ADMIN_KEY)
            .env("HITMILL_HOST__LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut server = Self { child, url: String::new(), log };
        let started = Instant::now();
        while !server.is_ready() {
            assert!(started.elapsed() < PATIENCE, "the server is not ready");
            assert!(server.child.try_wait().unwrap().is_none(), "the server has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Where it answers.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it says that it is ready, at the address that its log says.
    fn is_ready(&mut self) -> bool {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let Some(address) = log.lines().find_map(|line| line.split_once("serving")?.1.split_once("address="))
        else {
            return false;
        };
        let address = address.1.split_whitespace().next().unwrap_or_default();
        self.url = format!("http://{address}");
        let mut answer = String::new();
        let asked = TcpStream::connect(address).and_then(|mut server| {
            server.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
            server.read_to_string(&mut answer)
        });
        asked.is_ok() && answer.lines().next().is_some_and(|status| status.contains(" 200"))
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

    /// A `hitmill` command that talks to it as its admin.
    pub(super) fn hitmill<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(binary());
        clean(&mut command).args(arguments).env("HITMILL_SERVER", &self.url).env("HITMILL_KEY", ADMIN_KEY);
        command
    }

    /// Runs such a command; it must do well, and print JSON.
    pub(super) fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        parsed(&self.hitmill(arguments).args(["--format", "json"]).output().unwrap())
    }

    /// A new merchant.
    pub(super) fn merchant(&self) -> u64 {
        self.json(["merchant", "create", "a test"])["merchant_id"].as_u64().unwrap()
    }

    /// Asks as the admin.
    pub(super) async fn query(&self) -> QueryServiceClient<InterceptedService<Channel, Bearer>> {
        let channel = Endpoint::from_shared(self.url.clone()).unwrap().connect().await.unwrap();
        QueryServiceClient::with_interceptor(channel, Bearer)
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

/// A `hitmill` command on its own.
pub(super) fn hitmill() -> Command {
    let mut command = Command::new(binary());
    clean(&mut command);
    command
}

/// The output of a command that did well, as JSON.
pub(super) fn parsed(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {stderr}", String::from_utf8_lossy(&output.stdout)))
}

/// Puts the admin key on every call.
#[derive(Clone)]
pub(super) struct Bearer;

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let bearer: MetadataValue<Ascii> = format!("Bearer {ADMIN_KEY}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }
}

/// No setting of whoever runs the tests may change them.
fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HITMILL_") {
            command.env_remove(name);
        }
    }
    command
}

/// The binary of the same profile as this test, built if it is not there or older than its sources.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // target/PROFILE/deps/system-0123456789abcdef
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let name = match profile.file_name().and_then(OsStr::to_str).unwrap() {
            "debug" => "dev",
            other => other,
        };
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "hitmill", "--profile", name, "--target-dir"]);
        build.arg(profile.parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success(), "hitmill cannot be built");
        profile.join("hitmill").with_extension(std::env::consts::EXE_EXTENSION)
    })
}
