//! Ports that nobody uses.

use std::fs::{File, TryLockError};
use std::net::TcpListener;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

use crate::cache;

/// Below the ports that the system gives to outgoing connections: a client that tries to reach a stopped server
/// again and again would one day be given the server's own port, and be connected to itself.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A lock for each port that this process has been given; other processes see it, and it ends with this one.
static OURS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port of loopback that nothing listens on, and that is given to nobody else as long as this process lives: also while
/// its server is down.
pub fn free_port() -> Result<u16> {
    let locks = cache::folder()?.join("ports");
    std::fs::create_dir_all(&locks)?;
    let mut ours = OURS.lock();
    // Processes begin at different places, so that they seldom try the same ports.
    let begin = std::process::id().wrapping_mul(37);
    for step in 0..u32::from(COUNT) {
        let port = FIRST + u16::try_from(begin.wrapping_add(step) % u32::from(COUNT))?;
        let lock = File::create(locks.join(port.to_string()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error).context("failed to lock a port"),
        }
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            ours.push(lock);
            return Ok(port);
        }
    }
    bail!("no port is free between {FIRST} and {}", FIRST + COUNT)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_port_is_given_once_and_can_be_listened_on() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 50);
        for port in ports {
            assert!((FIRST..FIRST + COUNT).contains(&port));
            TcpListener::bind(("127.0.0.1", port)).unwrap();
        }
    }
}
