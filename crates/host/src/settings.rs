//! What an operator tunes: the section of the host, and the layers in which all sections are read.

mod layers;
mod names;
mod sections;
mod sources;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use layers::{Error, Layers, Loaded, Row};
pub(crate) use sections::{ALL_SECTIONS, Sections};
pub use sources::Sources;

/// The section `host`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Address and port to listen on.
    pub listen: String,
    /// Directory that holds everything kept.
    pub data: PathBuf,
    /// What is logged: a level, or directives as in RUST_LOG, which wins if it is set.
    pub log: String,
    /// How logs look.
    pub log_format: LogFormat,
    /// Connections open at a time; more are closed at once. Each may take `connection_window_bytes` of memory.
    pub max_connections: usize,
    /// Connections open at a time from one address; 0 is no limit, because behind a load balancer all share its address.
    pub max_connections_per_address: usize,
    /// Seconds in which a new connection must begin to speak, and an HTTP/1 request must have sent its headers.
    pub header_timeout_seconds: u64,
    /// The limits of HTTP/2.
    pub http2: Http2,
    /// Bytes of the body of a plain HTTP request.
    pub http_body_bytes: usize,
    /// Milliseconds between saying NOT_SERVING and closing the port, for load balancers to notice.
    pub drain_notice_ms: u64,
    /// Seconds that streams and then workers each have to end at a drain.
    pub drain_seconds: u64,
}

/// The limits of HTTP/2. None is left to a default of the library: some of those are no limit at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Http2 {
    /// Streams open at a time on one connection.
    pub max_streams: u32,
    /// Bytes that a client may send on one stream before the server has read them: one whole frame of hits.
    pub stream_window_bytes: u32,
    /// Bytes that a client may send on all streams of a connection before the server has read them: the memory that
    /// one connection exposes.
    pub connection_window_bytes: u32,
    /// Bytes of one HTTP/2 frame: larger than the default 16 KiB, so that a batch is few frames.
    pub frame_bytes: u32,
    /// Bytes of the headers of a request.
    pub header_list_bytes: u32,
    /// Streams that the client has reset before they were accepted; above it the connection is closed (CVE-2023-44487).
    pub pending_resets: usize,
    /// Streams that the server has reset because the client was at fault; above it the connection is closed
    /// (RUSTSEC-2024-0003).
    pub local_resets: usize,
    /// Seconds without a frame after which the client is asked whether it is still there.
    pub keepalive_seconds: u64,
    /// Seconds that the client has to answer.
    pub keepalive_timeout_seconds: u64,
}

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for a person.
    #[default]
    Human,
    /// A JSON object on each line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7700".to_owned(),
            data: PathBuf::from("hitmill-data"),
            // The engine of the store tells of every file, and the clients of Pulsar and TiKV of every attempt: dozens of
            // lines a second while one is away. What fails in the end is told by us.
            log: "info,fjall=warn,lsm_tree=warn,pulsar=off,tikv_client=off".to_owned(),
            log_format: LogFormat::default(),
            max_connections: 16_384,
            max_connections_per_address: 0,
            header_timeout_seconds: 10,
            http2: Http2::default(),
            http_body_bytes: model::limits::FRAME_BYTES,
            drain_notice_ms: 0,
            drain_seconds: 10,
        }
    }
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_streams: 256,
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 4 << 20,
            frame_bytes: 256 << 10,
            header_list_bytes: 16 << 10,
            pending_resets: 20,
            local_resets: 1024,
            keepalive_seconds: 30,
            keepalive_timeout_seconds: 20,
        }
    }
}
