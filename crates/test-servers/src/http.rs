//! As much of an HTTP client as health checks and administration on loopback need.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

impl Reply {
    /// The body, if the status is a success; else an error that says what was answered.
    pub fn success(self) -> Result<String> {
        if !(200..300).contains(&self.status) {
            bail!("answered {}: {}", self.status, self.body);
        }
        Ok(self.body)
    }
}

/// Asks the server at `address` ("127.0.0.1:80"); `body` is JSON, or empty.
pub(crate) async fn request(method: &str, address: &str, path: &str, body: &str) -> Result<Reply> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        // HTTP/1.0: the answer comes whole, not in chunks, and the connection ends with it.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        parse(&String::from_utf8_lossy(&answer))
    };
    tokio::time::timeout(Duration::from_secs(30), ask)
        .await
        .with_context(|| format!("{method} http://{address}{path}: no answer within 30 s"))?
        .with_context(|| format!("{method} http://{address}{path}"))
}

fn parse(answer: &str) -> Result<Reply> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Reply { status: status.context("the answer has no status")?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let reply = parse("HTTP/1.1 404 Not Found\r\na: b\r\n\r\nno\r\n\r\nsuch").unwrap();
        assert_eq!(reply, Reply { status: 404, body: "no\r\n\r\nsuch".into() });
        assert!(reply.success().unwrap_err().to_string().contains("404: no"));
        assert!(parse("HTTP/1.1 200").is_err());
    }
}
