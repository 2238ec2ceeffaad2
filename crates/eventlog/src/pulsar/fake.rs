//! An admin interface for tests that need no brokers.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Settings;

/// Answers requests, each given as `GET path/within/the/interface` with its body, by a status and a body, for as long as the
/// test runs. Gives the settings with which it is asked.
pub(super) async fn serve(mut answer: impl FnMut(&str, &str) -> (u16, String) + Send + 'static) -> Settings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (asked, body) = request(&mut stream).await;
            let (status, body) = answer(&asked, &body);
            let head = format!(
                "HTTP/1.1 {status} said\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                if status == 204 { 0 } else { body.len() }
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            if status != 204 {
                stream.write_all(body.as_bytes()).await.unwrap();
            }
        }
    });
    // Long enough for a second try after a failure.
    Settings { url: "pulsar://127.0.0.1:1".to_owned(), admin_url, timeout_ms: 1_000, ..Settings::default() }
}

async fn request(stream: &mut TcpStream) -> (String, String) {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(bytes) = line.strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let asked = first.trim().trim_end_matches(" HTTP/1.1").replace("/admin/v2/", "");
    (asked, String::from_utf8(body).unwrap())
}
