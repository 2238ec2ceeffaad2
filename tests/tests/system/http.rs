//! As much of HTTP as asking a process whether it is ready needs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Whether what listens at `HOST:PORT` answers a GET of this path with 200.
pub(super) fn is_ok(address: &str, path: &str) -> bool {
    let mut answer = String::new();
    let asked = TcpStream::connect(address).and_then(|mut server| {
        server.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(server, "GET {path} HTTP/1.0\r\n\r\n")?;
        server.read_to_string(&mut answer)
    });
    asked.is_ok() && answer.lines().next().is_some_and(|status| status.contains(" 200"))
}
