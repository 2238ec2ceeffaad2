//! The way to a server: one connection, the key on every call, and failures in plain sentences.

use std::time::Duration;

use anyhow::anyhow;
use proto::v1::config_service_client::ConfigServiceClient;
use proto::v1::ingest_service_client::IngestServiceClient;
use proto::v1::query_service_client::QueryServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::cli::Global;
use crate::failure::Usage;
use crate::visible::visible;

/// Long enough for a far server, short enough for a person.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the clients of all services call through.
pub(crate) type Calls = InterceptedService<Channel, Bearer>;

/// A connection to a server, as whoever the key stands for.
#[derive(Clone)]
pub(crate) struct Client {
    calls: Calls,
    server: String,
}

/// Puts the key on every call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl Client {
    /// Connects to the server of the command line.
    pub(crate) async fn connect(global: &Global) -> anyhow::Result<Self> {
        let server = global.server.clone();
        let key = global.key.as_ref().ok_or_else(|| {
            Usage("no key was given: use --key, or set HITMILL_KEY; `hitmill up` prints an admin key at its first start".into())
        })?;
        // The key itself is not repeated: it is secret, and errors are copied into tickets.
        let bearer = format!("Bearer {key}")
            .parse()
            .map_err(|_| Usage("the key has characters that no key has: visible ASCII is allowed".into()))?;
        let endpoint = endpoint(&server)?;
        let channel = endpoint.connect().await.map_err(|e| no_answer(&server, &e))?;
        Ok(Self { calls: InterceptedService::new(channel, Bearer(bearer)), server })
    }

    /// Merchants, data streams and keys.
    pub(crate) fn config(&self) -> ConfigServiceClient<Calls> {
        ConfigServiceClient::new(self.calls.clone())
    }

    /// Numbers.
    pub(crate) fn query(&self) -> QueryServiceClient<Calls> {
        QueryServiceClient::new(self.calls.clone())
    }

    /// Hits.
    pub(crate) fn ingest(&self) -> IngestServiceClient<Calls> {
        IngestServiceClient::new(self.calls.clone())
    }

    /// What a refused call means, for a person.
    pub(crate) fn explain(&self, status: &Status) -> anyhow::Error {
        let (server, message) = (&self.server, visible(status.message()));
        match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::ResourceExhausted
            | Code::PermissionDenied
            | Code::OutOfRange => anyhow!("{message}"),
            Code::Unauthenticated => anyhow!("{server} does not accept the key: {message}"),
            Code::Unavailable => anyhow!("{server} does not answer now: {message}"),
            Code::DeadlineExceeded => anyhow!("{server} did not answer in time: {message}"),
            Code::Aborted => anyhow!("somebody else changed it at the same time: ask again ({message})"),
            Code::Unimplemented => {
                anyhow!(
                    "{server} does not know this call: is it a hitmill of the same version, with all services or a door to all?"
                )
            }
            Code::Ok | Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => {
                anyhow!("{server} failed: {message}")
            }
        }
    }
}

/// Where to connect, if `server` is a URL that can be called.
pub(crate) fn endpoint(server: &str) -> anyhow::Result<Endpoint> {
    let wrong = || {
        Usage(format!("server {server:?} is not allowed: http://HOST:PORT, such as http://127.0.0.1:7700"))
    };
    let url = url::Url::parse(server).map_err(|_| wrong())?;
    if url.scheme() != "http" || !url.has_host() {
        return Err(wrong().into());
    }
    Ok(Endpoint::from_shared(server.to_owned())
        .map_err(|_| wrong())?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true))
}

fn no_answer(server: &str, error: &tonic::transport::Error) -> anyhow::Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    anyhow!(
        "no hitmill answers at {server} ({cause}): start one with `hitmill up`, or say where it is with --server"
    )
}
