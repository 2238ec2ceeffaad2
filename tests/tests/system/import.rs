//! `hitmill import access-log` against a reference program that shares no code with it: every number is the same, after
//! one import, after two, and after a crash in the middle of one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::binary::hitmill;
use super::books::{audited, hits_by_name, numbers};
use super::server::{Home, Server};
use super::site::{Site, parsed};

/// The real log: see data/README.md.
pub(super) const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/access.log");
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/access_log.py");

/// What the reference program makes of a log.
pub(super) struct Expected {
    pub(super) numbers: Value,
    pub(super) page_views: u64,
    readable: u64,
    unreadable: Vec<u64>,
}

impl Expected {
    pub(super) fn of(log: &Path) -> Self {
        let mut numbers = parsed(&Command::new("python3").arg(REFERENCE).arg(log).output().unwrap());
        let fields = numbers.as_object_mut().unwrap();
        let (readable, unreadable) =
            (fields.remove("readable").unwrap(), fields.remove("unreadable").unwrap());
        Self {
            page_views: fields["hits"].as_u64().unwrap(),
            readable: readable.as_u64().unwrap(),
            unreadable: serde_json::from_value(unreadable).unwrap(),
            numbers,
        }
    }
}

/// The command that imports a log, remembering in `home` how far it came.
pub(super) fn import(server: &Site, home: &Home, merchant: u64, log: &Path, more: &[&str]) -> Command {
    let mut command = server.hitmill(["import", "access-log"]);
    command.arg(log).args(["--merchant", &merchant.to_string(), "--wait", "--format", "json"]);
    command.arg("--state").arg(home.path("state")).arg("--rejects").arg(home.path("rejects")).args(more);
    command
}

/// Imports; it must do well.
pub(super) fn imported(server: &Site, home: &Home, merchant: u64, log: &Path, more: &[&str]) -> Value {
    parsed(&import(server, home, merchant, log, more).output().unwrap())
}

/// One number after the other, so that a failure shows which one.
pub(super) fn compare(actual: &Value, expected: &Value) {
    for (name, expected) in expected.as_object().unwrap() {
        assert_eq!(&actual[name], expected, "{name}");
    }
}

#[tokio::test]
async fn every_number_is_that_of_the_reference_after_one_import_and_after_two() {
    let (home, log) = (Home::new(), Path::new(LOG));
    let (server, expected) = (Server::start(&home), Expected::of(log));
    assert_eq!((expected.page_views, expected.readable), (2_874, 9_999), "the log is the one that we know");
    let merchant = server.merchant();

    let report = imported(&server, &home, merchant, log, &[]);
    assert_eq!(report["lines"], 10_000);
    assert_eq!(report["accepted"], expected.page_views);
    assert_eq!(report["unreadable"], 1);
    let left_out: u64 = report["left_out"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(left_out, expected.readable - expected.page_views);
    compare(&numbers(&server, merchant).await, &expected.numbers);
    assert_eq!(audited(&server, merchant).await, (expected.page_views, 0));

    let again = imported(&server, &home, merchant, log, &["--restart"]);
    assert_eq!(again["accepted"], expected.page_views, "all of it is sent once more");
    compare(&numbers(&server, merchant).await, &expected.numbers);
    assert_eq!(audited(&server, merchant).await, (expected.page_views, expected.page_views));

    let resumed = imported(&server, &home, merchant, log, &[]);
    assert_eq!(resumed["accepted"], 0, "it is known to be done: {resumed}");
    compare(&numbers(&server, merchant).await, &expected.numbers);
    server.stop();
}

#[tokio::test]
async fn the_line_that_is_cut_off_is_shown_and_kept() {
    let (home, log) = (Home::new(), Path::new(LOG));
    let (server, expected) = (Server::start(&home), Expected::of(log));
    let report = imported(&server, &home, server.merchant(), log, &[]);
    assert_eq!(expected.unreadable, [8_899]);
    let reason = "the line ends within the user agent";
    assert_eq!(report["unreadable_first"], json!([{ "line": 8_899, "reason": reason }]));
    let text = fs::read_to_string(log).unwrap();
    let line = text.lines().nth(8_898).unwrap();
    assert_eq!(report["rejects"].as_str().map(PathBuf::from), Some(home.path("rejects")));
    assert_eq!(fs::read_to_string(home.path("rejects")).unwrap(), format!("8899\t{reason}\t{line}\n"));
}

#[tokio::test]
async fn all_counts_every_readable_line() {
    let (home, log) = (Home::new(), Path::new(LOG));
    let (server, expected) = (Server::start(&home), Expected::of(log));
    let merchant = server.merchant();
    let report = imported(&server, &home, merchant, log, &["--all"]);
    assert_eq!((&report["accepted"], &report["left_out"]), (&json!(expected.readable), &json!({})));
    assert_eq!(hits_by_name(&server, merchant).await, [("request".to_owned(), expected.readable)].into());
    assert_eq!(audited(&server, merchant).await, (expected.readable, 0));
}

#[tokio::test]
async fn a_crash_in_the_middle_loses_nothing_and_counts_nothing_twice() {
    let (home, log) = (Home::new(), Path::new(LOG));
    let (server, expected) = (Server::start(&home), Expected::of(log));
    let merchant = server.merchant();
    let text = fs::read(log).unwrap();
    let (half, _) = text.split_at(text.len() / 2);

    // The import waits for more of its input, so it is in its middle for as long as we like.
    let mut importer = import(&server, &home, merchant, Path::new("-"), &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = importer.stdin.take().unwrap();
    input.write_all(half).unwrap();
    input.flush().unwrap();
    let started = Instant::now();
    let mut counted = 0;
    while counted == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing arrives");
        tokio::time::sleep(Duration::from_millis(20)).await;
        counted = hits_by_name(&server, merchant).await.get("page_view").copied().unwrap_or(0);
    }
    server.kill();
    importer.kill().unwrap();
    importer.wait().unwrap();
    drop(input);
    assert!(counted < expected.page_views, "the import was in its middle");

    let server = Server::start(&home);
    let report = imported(&server, &home, merchant, log, &[]);
    assert_eq!(report["unreadable"], 1);
    compare(&numbers(&server, merchant).await, &expected.numbers);
    assert_eq!(audited(&server, merchant).await.0, expected.page_views);
    // Without what the importer remembers of its first half it is the same.
    imported(&server, &home, merchant, log, &["--restart"]);
    compare(&numbers(&server, merchant).await, &expected.numbers);
    assert_eq!(audited(&server, merchant).await.0, expected.page_views);
}

/// All requests of the real log are of the sixth minute of their hour, which says little about sessions. Here the same
/// visitors come at all minutes, and the lines are no longer in the order of time.
#[tokio::test]
async fn sessions_and_visitors_of_a_log_that_is_not_in_order() {
    let home = Home::new();
    let server = Server::start(&home);
    let log = home.path("spread.log");
    let text = fs::read_to_string(LOG).unwrap();
    let spread = |(number, line): (usize, &str)| {
        // Behind `[17/May/2015:10:` are the minutes.
        let (before, after) = line.split_at(line.find("/2015:").unwrap() + 9);
        format!("{before}{:02}{}", number * 7 % 60, &after[2..])
    };
    let lines: Vec<String> = text.lines().enumerate().map(spread).collect();
    fs::write(&log, lines.join("\n") + "\n").unwrap();
    let expected = Expected::of(&log);
    assert_ne!(expected.numbers["sessions_by_hour"], expected.numbers["visitors_by_hour"]);
    let merchant = server.merchant();
    imported(&server, &home, merchant, &log, &[]);
    compare(&numbers(&server, merchant).await, &expected.numbers);
    assert_eq!(audited(&server, merchant).await, (expected.page_views, 0));
}

#[tokio::test]
async fn a_log_that_grows_is_imported_line_by_line() {
    let (home, whole) = (Home::new(), fs::read_to_string(LOG).unwrap());
    let server = Server::start(&home);
    let (merchant, log) = (server.merchant(), home.path("growing.log"));
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    // Cut behind the size, this page view looks like one in common format, without a referrer.
    let behind_size = lines[849].len() - lines[849].find(" \"http").unwrap();
    for (until, cut) in [(850, behind_size), (3_000, 60), (3_001, 0), (7_000, 1), (10_000, 0)] {
        // The last line is still being written when the import reads it.
        let text = lines[..until].concat();
        fs::write(&log, &text[..text.len() - cut]).unwrap();
        let report = imported(&server, &home, merchant, &log, &[]);
        assert_eq!((&report["lines"], &report["unended"]), (&json!(until), &json!(u64::from(cut > 0))));
        assert_eq!(hits_by_name(&server, merchant).await["page_view"], Expected::of(&log).page_views);
    }
    let expected = Expected::of(Path::new(LOG));
    compare(&numbers(&server, merchant).await, &expected.numbers);
    assert_eq!(audited(&server, merchant).await.0, expected.page_views);
}

#[tokio::test]
async fn history_neither_loses_hits_to_a_quota_nor_uses_it_up() {
    let home = Home::new();
    let server = Server::start(&home);
    let created = server.json(["merchant", "create", "a small one", "--hits-per-second", "1"]);
    let merchant = created["merchant_id"].as_u64().unwrap();
    let report = imported(&server, &home, merchant, Path::new(LOG), &["--all"]);
    assert_eq!((&report["accepted"], &report["refused"]), (&json!(9_999), &json!(0)));
    assert_eq!(hits_by_name(&server, merchant).await, [("request".to_owned(), 9_999)].into());
}

#[tokio::test]
async fn what_cannot_be_imported_says_why() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    let check = |merchant: u64, log: &Path, code: i32, expected: &str| {
        let output = import(&server, &home, merchant, log, &[]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    let rubbish = home.path("rubbish.log");
    fs::write(&rubbish, "this is\nno access log\n").unwrap();
    check(merchant, &rubbish, 1, "no line of it can be read");
    check(merchant, &home.path("missing.log"), 1, "missing.log");
    check(merchant + 1_000, Path::new(LOG), 1, &(merchant + 1_000).to_string());
}

/// A server that says it is ready after a rewind has folded the log again: whoever asks at once gets every number.
#[tokio::test]
async fn a_server_is_ready_when_what_was_folded_can_be_read() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    let expected = Expected::of(Path::new(LOG));
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    server.stop();
    for _ in 0..3 {
        let mut rewind = hitmill();
        rewind.args(["topic", "rewind", "--yes", "--data"]).arg(home.path("data"));
        assert!(rewind.output().unwrap().status.success());
        let server = Server::start(&home);
        compare(&numbers(&server, merchant).await, &expected.numbers);
        server.stop();
    }
}
