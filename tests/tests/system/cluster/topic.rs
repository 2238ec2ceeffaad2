//! `hitmill topic`: what an operator does with the log's history.

use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::engines::Engines;
use crate::system::binary::hitmill;
use crate::system::site::parsed;

/// Moves all that is in the log to tiered storage.
pub(super) fn offload(engines: &Engines, prefix: &str) {
    let began = Instant::now();
    let mut moved = command(engines, prefix, &["offload", "--open"]).output().unwrap();
    for _ in 0..2 {
        if !moved.status.success() {
            // The stand-in for S3 now and then answers 500 to requests that come at once. It is asked again, as an operator would.
            println!("tiered: {}", String::from_utf8_lossy(&moved.stderr));
            moved = command(engines, prefix, &["offload"]).output().unwrap();
        }
    }
    let rows = parsed(&moved);
    let sum = |rows: &Value, name: &str| -> u64 {
        rows.as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum()
    };
    println!(
        "tiered: {} records, {} bytes, in {} ledgers moved in {:.1?}",
        sum(&rows, "records"),
        sum(&rows, "tiered_bytes"),
        sum(&rows, "tiered_ledgers"),
        began.elapsed()
    );
    // Each partition has a new ledger, which is open and empty.
    let partitions = rows.as_array().unwrap().len() as u64;
    assert_eq!(sum(&rows, "tiered_ledgers") + partitions, sum(&rows, "ledgers"), "{rows}");
    assert_eq!(sum(&rows, "bookkeeper_bytes"), 0, "{rows}");
    let status = parsed(&command(engines, prefix, &["status"]).output().unwrap());
    assert_eq!(status, rows);
}

/// Has all of it folded again.
pub(super) fn rewind(engines: &Engines, prefix: &str) {
    let done = command(engines, prefix, &["rewind", "--yes"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn command(engines: &Engines, prefix: &str, arguments: &[&str]) -> Command {
    let mut command = hitmill();
    command.arg("topic").args(arguments).args(["--format", "json"]).envs(engines.settings(prefix));
    command
}
