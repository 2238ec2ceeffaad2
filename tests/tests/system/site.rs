//! A hitmill as its users see it: an address, and the command line and the calls that go there.

use std::ffi::OsStr;
use std::process::{Command, Output};

use proto::v1::query_service_client::QueryServiceClient;
use serde_json::Value;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::binary::hitmill;

/// The admin key of every hitmill of the tests.
pub(super) const ADMIN_KEY: &str = "admin-key-of-the-system-tests";

/// Questions as the admin.
pub(super) type Asker = QueryServiceClient<InterceptedService<Channel, Bearer>>;

/// Where a hitmill answers: one process, or whatever stands before many.
#[derive(Clone, Debug)]
pub(super) struct Site {
    url: String,
}

/// A merchant, and the keys that it was made with.
#[derive(Clone, Debug)]
pub(super) struct Merchant {
    pub(super) id: u64,
    /// Over how many partitions its clients are.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only there it matters"))]
    pub(super) spread: u16,
    pub(super) write_key: String,
    pub(super) read_key: String,
}

impl Site {
    /// At `HOST:PORT`.
    pub(super) fn at(address: &str) -> Self {
        Self { url: format!("http://{address}") }
    }

    /// Where it answers.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// A `hitmill` command that talks to it as its admin.
    pub(super) fn hitmill<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = hitmill();
        command.args(arguments).env("HITMILL_SERVER", &self.url).env("HITMILL_KEY", ADMIN_KEY);
        command
    }

    /// Runs such a command; it must do well, and print JSON.
    pub(super) fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Value {
        parsed(&self.hitmill(arguments).args(["--format", "json"]).output().unwrap())
    }

    /// A new merchant.
    pub(super) fn merchant(&self) -> u64 {
        self.merchant_over(1).id
    }

    /// A new merchant whose clients are spread over so many partitions.
    pub(super) fn merchant_over(&self, spread: u16) -> Merchant {
        let made = self.json(["merchant", "create", "a test", "--spread", &spread.to_string()]);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let id = made["merchant_id"].as_u64().unwrap();
        Merchant { id, spread, write_key: text("write_key"), read_key: text("read_key") }
    }

    /// A connection of its own, to ask as the admin.
    pub(super) async fn query(&self) -> Asker {
        let channel = Endpoint::from_shared(self.url.clone()).unwrap().connect().await.unwrap();
        QueryServiceClient::with_interceptor(channel, Bearer)
    }

    /// The same, which connects when it is asked, and again after a cut: the server need not be there.
    pub(super) fn query_later(&self) -> Asker {
        let channel = Endpoint::from_shared(self.url.clone()).unwrap().connect_lazy();
        QueryServiceClient::with_interceptor(channel, Bearer)
    }
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
