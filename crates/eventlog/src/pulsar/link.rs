//! The connection to the brokers, and what is particular about its client.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::Duration;

use ::pulsar::{ConnectionRetryOptions, OperationRetryOptions, Pulsar, TokioExecutor};

use super::Settings;
use super::admin::{Admin, failed};
use crate::{Error, Result};

pub(super) type Client = Pulsar<TokioExecutor>;

/// The two ways to the brokers.
pub(super) struct Link {
    pub(super) admin: Admin,
    pub(super) client: Client,
    /// How long anything may take.
    pub(super) limit: Duration,
}

/// Connects to the brokers.
pub(super) async fn connect(settings: &Settings) -> Result<Client> {
    let limit = Duration::from_millis(settings.timeout_ms);
    let pause = Duration::from_millis(200);
    // Enough tries to last for the limit.
    let tries = u32::try_from(limit.as_millis() / pause.as_millis()).unwrap_or(u32::MAX).max(1);
    let builder = Pulsar::builder(&settings.url, TokioExecutor)
        .with_connection_retry_options(ConnectionRetryOptions {
            min_backoff: Duration::from_millis(10),
            max_backoff: Duration::from_secs(1),
            max_retries: tries,
            connection_timeout: limit.min(Duration::from_secs(5)),
            keep_alive: Duration::from_secs(15),
            ..ConnectionRetryOptions::default()
        })
        .with_operation_retry_options(OperationRetryOptions {
            operation_timeout: limit,
            retry_delay: pause,
            max_retries: Some(tries),
        })
        // Messages that wait for the socket, of all partitions of a broker: each holds a copy of its record.
        .with_outbound_channel_size(16);
    to_its_end(limit, builder.build()).await.map_err(|why| failed("connect to", &settings.url, why))
}

/// Runs a call of the client to its end, even when nobody waits for it any more: one that is given up while it connects
/// leaves the connection marked as being made, and everybody after it would wait for that for ever.
pub(super) async fn to_its_end<T: Send + 'static>(
    limit: Duration,
    call: impl Future<Output = std::result::Result<T, ::pulsar::Error>> + Send + 'static,
) -> io::Result<T> {
    match tokio::time::timeout(limit, tokio::spawn(call)).await {
        Ok(Ok(result)) => result.map_err(io_error),
        Ok(Err(stopped)) => Err(io::Error::other(stopped)),
        Err(_) => Err(timed_out(limit)),
    }
}

pub(super) fn io_error(error: ::pulsar::Error) -> io::Error {
    io::Error::other(error.to_string())
}

pub(super) fn timed_out(limit: Duration) -> io::Error {
    let text = format!("there is no answer after {} ms", limit.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// A partition that no broker knows is no empty one.
pub(super) fn missing(topic: &str) -> Error {
    failed("find", topic, io::Error::new(io::ErrorKind::NotFound, "the brokers know no such topic"))
}

/// A number that no other process has, to name things by. Nothing is decided by it.
pub(super) fn unique() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
