use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Uri;

use crate::cli::Global;
use crate::client;
use crate::visible::visible;

/// More than any answer of ours; what else may listen there must not fill the memory.
const MAX_ANSWER_BYTES: u64 = 16 << 10;

/// Ask a server whether it is ready: exit code 0 or 1, and one line. Needs no key.
///
/// For health checks where nothing else is at hand, as in our own image, which has neither a shell nor curl.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill health
  hitmill health --server http://ingest:7700 --timeout-ms 500")]
pub(crate) struct Health {
    /// Milliseconds in which it must answer.
    #[arg(long, default_value_t = 2000, value_name = "MS")]
    timeout_ms: u64,
}

impl Health {
    pub(crate) async fn run(&self, global: &Global) -> anyhow::Result<()> {
        let server = &global.server;
        let endpoint = client::endpoint(server)?;
        let limit = Duration::from_millis(self.timeout_ms);
        let answer = tokio::time::timeout(limit, readyz(endpoint.uri()))
            .await
            .map_err(|_| anyhow!("{server} did not answer within {} ms", self.timeout_ms))?
            .with_context(|| format!("{server} does not answer"))?;
        println!("{}", said(server, &answer)?);
        Ok(())
    }
}

/// The whole answer to `GET /readyz`. HTTP/1 and a connection that closes: a line to write, and all there is to read.
async fn readyz(server: &Uri) -> anyhow::Result<String> {
    let authority = server.authority().context("no host")?;
    // Brackets belong to an IPv6 address in a URL, but not in what is connected to.
    let host = authority.host().trim_matches(['[', ']']);
    let mut stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What the server says of itself, which is an error unless it is ready.
fn said(server: &str, answer: &str) -> anyhow::Result<String> {
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let Some(status) = status else { bail!("{server} does not speak HTTP: it is no hitmill") };
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim();
    match status {
        "200" => Ok(visible(body).into_owned()),
        "503" => bail!("{server} is not ready: {}", visible(body)),
        _ => bail!("{server} has no /readyz (HTTP {}): is it a hitmill?", visible(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_ready_or_an_error_that_says_why_not() {
        let said = |answer: &str| said("S", answer).map_err(|e| e.to_string());
        let http = |status: &str, body: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\n{body}");
        for (answer, expected) in [
            (http("200 OK", "ready\n"), Ok("ready")),
            (http("503 Service Unavailable", "draining\n"), Err("S is not ready: draining")),
            (http("404 Not Found", "?"), Err("S has no /readyz (HTTP 404): is it a hitmill?")),
            ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), Err("S does not speak HTTP: it is no hitmill")),
            (String::new(), Err("S does not speak HTTP: it is no hitmill")),
        ] {
            assert_eq!(said(&answer), expected.map(str::to_owned).map_err(str::to_owned), "{answer}");
        }
    }
}
