//! `hitmill doctor` on the data of a real server: what is damaged is named, repaired at the loss that is said, and the server
//! goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;
use store::Store as _;
use store::embedded::EmbeddedStore;

use super::binary::hitmill;
use super::books::audited;
use super::import::{Expected, LOG, imported};
use super::process::free_address;
use super::server::{Home, Server, up};

/// Hits of the real log.
const HITS: u64 = 2_874;

pub(super) fn doctor(home: &Home, arguments: &[&str]) -> Output {
    hitmill().arg("doctor").arg("--data").arg(home.path("data")).args(arguments).output().unwrap()
}

/// What it finds, as JSON, and its exit code.
pub(super) fn found(home: &Home) -> (Value, Option<i32>) {
    let output = doctor(home, &["--format", "json"]);
    (serde_json::from_slice(&output.stdout).expect("JSON"), output.status.code())
}

pub(super) fn repair(home: &Home) -> String {
    repair_with(home, &[])
}

/// The same, where something may be lost.
pub(super) fn repair_with(home: &Home, agreed: &[&str]) -> String {
    let output = doctor(home, &[&["--repair"], agreed].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let (left, code) = found(home);
    assert_eq!((&left["findings"], code), (&Value::Array(Vec::new()), Some(0)));
    said
}

/// The one partition that the merchant's hits are in: its segment, and where each record starts in it.
fn records(data: &Path) -> (PathBuf, Vec<usize>) {
    let segments = (0..4).map(|number| data.join(format!("log/p{number:05}/00000000000000000000.log")));
    let segment = segments.max_by_key(|segment| fs::metadata(segment).unwrap().len()).unwrap();
    let bytes = fs::read(&segment).unwrap();
    // A segment has a header of 36 bytes, a record a head of 48, and at 12 of it how long it is behind that.
    let mut starts = vec![36];
    loop {
        let at = starts[starts.len() - 1];
        let Some(length) = bytes.get(at + 12..at + 16) else { break };
        starts.push(at + 48 + u32::from_le_bytes(length.try_into().unwrap()) as usize);
    }
    starts.pop();
    (segment, starts)
}

pub(super) fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x20;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_log_and_store_are_described_and_repaired() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    let in_use = doctor(&home, &[]);
    assert_eq!(in_use.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&in_use.stderr).contains("is in use by another hitmill"));
    server.stop();
    let (whole, code) = found(&home);
    assert_eq!((&whole["findings"], code), (&Value::Array(Vec::new()), Some(0)));

    let data = home.path("data");
    let (segment, starts) = records(&data);
    assert!(starts.len() > 3, "the import is several records: {starts:?}");
    flip(&segment, starts[2] + 48 + 10);
    let (one, code) = found(&home);
    let finding = &one["findings"][0];
    assert_eq!(code, Some(1));
    assert_eq!(finding["place"], format!("{} at offset {}", segment.display(), starts[2]));
    assert_eq!(finding["what"], "record 2: the checksum of the record does not fit");
    assert!(finding["lost"].as_str().unwrap().contains("counted already"), "{one}");

    // And the store's journal, soon after its start: nearly nothing is folded that it still has.
    let journal = data.join("store/0.jnl");
    flip(&journal, 3_000);
    let (two, code) = found(&home);
    assert_eq!((two["findings"].as_array().unwrap().len(), code), (2, Some(1)));
    assert_eq!(two["findings"][0]["part"], "store");
    let said = refused(&home);
    assert!(said.contains("`hitmill doctor --data"), "{said}");

    let rewind = |data: &Path| {
        let rewound = hitmill().args(["topic", "rewind", "--yes", "--data"]).arg(data).output().unwrap();
        (rewound.status.code(), String::from_utf8_lossy(&rewound.stderr).into_owned())
    };
    let (code, said) = rewind(&data);
    assert!(
        code == Some(1) && said.contains("the checksum of the record does not fit: `hitmill doctor"),
        "{said}"
    );
    let (code, said) = rewind(&home.path("none"));
    assert!(code == Some(2) && said.contains("is not the data directory of a hitmill"), "{said}");
    assert!(!home.path("none").exists());

    killed_repairs(&data, &[]);
    let said = repair(&home);
    assert!(said.contains("the store was cut back to what it was before the damage"), "{said}");
    assert!(said.contains("the store as it was is kept in"), "{said}");
    assert!(said.contains("what was damaged is kept in"), "{said}");
    let server = Server::start(&home);
    let counted = settled(&server, merchant).await;
    assert!(counted > 0 && counted < HITS, "all but those of one record: {counted}");
    let audit = server.hitmill(["audit", "--merchant", &merchant.to_string()]).output().unwrap();
    let said = String::from_utf8_lossy(&audit.stderr);
    assert!(
        said.contains("records of the log that were lost and repaired, of this merchant or of others: 1"),
        "{said}"
    );
    let other = server.merchant();
    let audit = server.hitmill(["audit", "--merchant", &other.to_string()]).output().unwrap();
    let said = String::from_utf8_lossy(&audit.stderr);
    assert!(
        said.starts_with(&format!("nothing to audit: the log has no hit of merchant {other} that is folded")),
        "{said}"
    );
    server.stop();
}

/// What a server says that does not start.
pub(super) fn refused(home: &Home) -> String {
    let refused = up(&free_address(), &home.path("data")).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    said
}

/// A repair that is killed at any time is done by the next one.
pub(super) fn killed_repairs(damaged: &Path, agreed: &[&str]) {
    let whole = Home::new();
    copy(damaged, &whole.path("data"));
    let started = Instant::now();
    repair_with(&whole, agreed);
    let takes = started.elapsed();
    for part in 0..12 {
        let home = Home::new();
        copy(damaged, &home.path("data"));
        let repair_once = || {
            let mut doctor = hitmill();
            doctor.arg("doctor").arg("--data").arg(home.path("data")).arg("--repair").args(agreed);
            doctor.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut child = repair_once();
        std::thread::sleep(takes * part / 12);
        child.kill().unwrap();
        child.wait().unwrap();
        repair_once().wait().unwrap();
        let ((left, _), (expected, _)) = (found(&home), found(&whole));
        assert_eq!(
            (&left["findings"], &left["log"]),
            (&expected["findings"], &expected["log"]),
            "part {part}"
        );
        assert_eq!(left["store"]["values"], expected["store"]["values"], "part {part}");
        let beside = |name: &str| home.path("data").join(name).exists();
        assert!(!beside("store.doctor-new") && !beside("store.doctor-copy"), "part {part}");
    }
}

/// Copies a directory with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

/// The store's worker is behind the oldest record that the log still has: all that is there can be folded again, which loses the
/// numbers of what is gone.
#[tokio::test]
async fn numbers_are_lost_only_if_that_is_agreed_to() {
    let home = Home::new();
    let server = Server::start_with(&home, &[("HITMILL_LOG__SEGMENT_BYTES", "20000")]);
    let merchant = server.merchant();
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    // Before it has noted that the first segments need not be read again.
    server.kill();
    let data = home.path("data");
    let segments = |partition: u16| fs::read_dir(data.join(format!("log/p{partition:05}"))).unwrap().count();
    let partition = (0..4).max_by_key(|partition| segments(*partition)).unwrap();
    assert!(segments(partition) > 1, "the import is several segments");
    fs::remove_file(data.join(format!("log/p{partition:05}/00000000000000000000.log"))).unwrap();

    let (two, code) = found(&home);
    assert_eq!((two["findings"].as_array().unwrap().len(), code), (2, Some(1)), "{two}");
    let lost = two["findings"][0]["lost"].as_str().unwrap();
    assert!(lost.starts_with(&format!("records of partition {partition} before ")), "{lost}");
    let lost = two["findings"][1]["lost"].as_str().unwrap();
    assert!(lost.starts_with("the numbers from before 20"), "{lost}");
    assert!(
        lost.ends_with(", the hits of which the log no longer has; all that is there is folded again"),
        "{lost}"
    );

    let refused = doctor(&home, &["--repair"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("all of the log has to be folded again, which loses the numbers from before 20"),
        "{said}"
    );
    assert!(said.contains("say `--lose-numbers` if they may go"), "{said}");
    assert_eq!(found(&home).0["findings"], two["findings"], "nothing was changed");

    let agreed = doctor(&home, &["--repair", "--lose-numbers"]);
    assert!(agreed.status.success(), "{}", String::from_utf8_lossy(&agreed.stderr));
    let server = Server::start(&home);
    // The books of this hour are not whole any more, the numbers say what there is.
    let counted = super::books::hits_by_name(&server, merchant).await["page_view"];
    assert!(counted > 0 && counted < HITS, "all but those of the segment that is gone: {counted}");
    server.stop();
}

/// What a later version wrote is not damaged: nothing is repaired by one that does not know it.
#[tokio::test]
async fn a_later_version_has_used_the_directory() {
    let home = Home::new();
    Server::start(&home).stop();
    let store = EmbeddedStore::open(&home.path("data/store"), Default::default()).unwrap();
    let mut batch = store::Batch::durable();
    batch.put(vec![0x7f, 1], "of a family to come");
    store.commit(batch).await.unwrap();
    drop(store);
    let refused = doctor(&home, &["--repair"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("error: a later version of hitmill has used this directory"), "{said}");
    let table = String::from_utf8_lossy(&refused.stdout);
    assert!(
        table.contains("this version knows no family 0x7f: a later version of hitmill wrote it"),
        "{table}"
    );
    assert_eq!(found(&home).0["later"], 1, "nothing was changed");
}

/// Waits until the log is folded, and gives what is counted: by the cells, which must be what the log has.
pub(super) async fn settled(server: &Server, merchant: u64) -> u64 {
    let home = Home::new();
    let log = home.path("one.log");
    let line =
        "9.9.9.9 - - [01/Jun/2015:00:00:00 +0000] \"GET /new HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (X11)\"\n";
    fs::write(&log, line).unwrap();
    // It waits until this one hit is counted, and with it all before it.
    assert_eq!(imported(server, &home, merchant, &log, &[])["accepted"], 1);
    let (counted, duplicate) = audited(server, merchant).await;
    assert_eq!(duplicate, 0);
    counted - 1
}

/// Somebody puts back an old copy of the log: new hits would be taken for those that are counted already.
#[tokio::test]
async fn a_log_that_is_older_than_the_store() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    server.stop();
    let (data, old) = (home.path("data"), home.path("old"));
    copy(&data.join("log"), &old);
    let server = Server::start(&home);
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    server.stop();
    fs::remove_dir_all(data.join("log")).unwrap();
    fs::rename(&old, data.join("log")).unwrap();

    let (behind, code) = found(&home);
    assert_eq!(code, Some(1));
    let what = behind["findings"][0]["what"].as_str().unwrap();
    assert!(what.starts_with("it ends before record 0, and is folded up to before record "), "{what}");
    repair(&home);

    let server = Server::start(&home);
    let other = home.path("other.log");
    let text = String::from_utf8_lossy(&fs::read(LOG).unwrap()).replace("83.149.9.216", "83.149.9.217");
    fs::write(
        &other,
        text.lines().skip(5_000).take(1_000).map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    let more = Expected::of(&other).page_views;
    assert!(more > 100, "{more}");
    let accepted = imported(&server, &home, merchant, &other, &[])["accepted"].as_u64().unwrap();
    assert_eq!(accepted, more);
    let hits = super::books::hits_by_name(&server, merchant).await;
    assert_eq!(hits["page_view"], HITS + more, "the new ones are counted");
    server.stop();
}
