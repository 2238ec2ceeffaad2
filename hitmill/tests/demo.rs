//! The demo as a user runs it, without a terminal.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a demo for a second; it must end well, which means that its books balance. Gives what it printed.
fn demo(directory: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hitmill"));
    // Settings of whoever runs the test are not those of the test.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HITMILL_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    let output = command
        .args(["demo", "--for", "1s", "--listen", "127.0.0.1:0", "--visitors", "20", "--data"])
        .arg(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{said}\n{errors}");
    said
}

/// The numbers of the line that begins like this.
fn numbers(said: &str, label: &str) -> Vec<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix(label)).unwrap();
    let words = line.split([' ', ':']).map(|word| word.replace(',', ""));
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn every_hit_of_the_demo_is_counted_and_the_next_start_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("demo");
    let first = demo(&directory);
    let fired = numbers(&first, "fired ")[0];
    assert!(fired > 0);
    assert_eq!(numbers(&first, "acknowledged "), [fired]);
    assert_eq!(numbers(&first, "counted "), [fired, 0, fired]);

    let second = demo(&directory);
    let more = numbers(&second, "fired ")[0];
    assert_eq!(numbers(&second, "counted "), [more, fired, fired + more]);
    let export = |said: &str| said.lines().find(|line| line.contains("HITMILL_KEY=")).map(str::to_owned);
    assert_eq!(export(&first), export(&second), "the same merchant with the same keys");
    assert_eq!(std::fs::read_dir(directory.join("queues")).unwrap().count(), 0);
}
