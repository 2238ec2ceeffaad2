//! A damaged log is described, record by record, and repaired so that every record that can be read keeps its position.

use std::fs;
use std::path::{Path, PathBuf};
use std::slice;

use eventlog::embedded::Settings;
use eventlog::embedded::doctor::{Examined, Finding, Loss, Remedy, examine};
use eventlog::{EventLog, Result};
use model::Timestamp;
use proptest::prelude::*;

use super::{a_file_each, append, copy, forget_mark, noise, one_file, open, read_from, segment, written};

const FILLER: &[u8] = b"lost";

fn sound(_: &[u8]) -> Option<String> {
    None
}

fn look(log: &Path) -> Examined {
    examine(log, 0, &sound).unwrap()
}

/// Repairs it, with the store having folded up to `folded`, and gives the files that went aside.
fn repair(log: &Path, aside: &Path, folded: u64) -> Vec<PathBuf> {
    let folded = folded..folded;
    let remedy = Remedy { aside, filler: FILLER, folded: slice::from_ref(&folded), now: Timestamp(5_000) };
    look(log).repair(&sound, &remedy).unwrap()
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

/// The first record of each that are lost, and the one behind them.
fn lost(findings: &[Finding]) -> Vec<(u64, u64)> {
    let lost = |finding: &Finding| match &finding.loss {
        Loss::Records(records) => Some((records.start, records.end)),
        Loss::From(first) => Some((*first, u64::MAX)),
        _ => None,
    };
    findings.iter().filter_map(lost).collect()
}

async fn records(log: &Path, settings: &Settings) -> Result<Vec<bytes::Bytes>> {
    read_from(&open(log, settings)?, 0).await
}

#[tokio::test]
async fn a_whole_log_has_no_findings() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &a_file_each(), &[noise(1, 60), noise(2, 60)]).await;
    let examined = look(home.path());
    assert_eq!(examined.findings, []);
    let [extent] = &examined.partitions[..] else { panic!("{examined:?}") };
    // Each file has a header of 36 bytes, and a record its head of 48 and, since noise does not compress, itself.
    assert_eq!((extent.segments, extent.bytes, extent.records.clone()), (2, 2 * (36 + 48 + 60), 0..2));
}

#[tokio::test]
async fn nobody_else_may_have_it_open() {
    let home = tempfile::tempdir().unwrap();
    let _open = open(home.path(), &one_file()).unwrap();
    let error = examine(home.path(), 0, &sound).unwrap_err();
    assert!(error.to_string().contains("is in use by another hitmill"), "{error}");
}

#[tokio::test]
async fn one_record_is_lost_and_the_others_keep_their_places() {
    let home = tempfile::tempdir().unwrap();
    let written_records = [noise(1, 60), noise(2, 70), noise(3, 80)];
    written(home.path(), &one_file(), &written_records).await;
    let file = segment(home.path(), 0);
    let second = 36 + 48 + 60;
    // In its payload, in its head, and in its length: then the next record has to be searched for.
    for at in [second + 48 + 5, second + 40, second + 12] {
        let copies = tempfile::tempdir().unwrap();
        let (log, aside) = (copies.path().join("log"), copies.path().join("aside"));
        copy(home.path(), &log);
        change(&segment(&log, 0), |bytes| bytes[at] ^= 4);

        let Examined { findings, .. } = look(&log);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!((finding.offset, &finding.loss), (second as u64, &Loss::Records(1..2)), "{finding:?}");
        assert_eq!(finding.file, segment(&log, 0));
        assert_eq!(finding.appended, (Some(Timestamp(1_000)), Some(Timestamp(1_000))));

        let damaged = fs::read(segment(&log, 0)).unwrap();
        let moved = repair(&log, &aside, 0);
        assert_eq!(moved, [aside.join("p00000/00000000000000000000.log")]);
        assert_eq!(fs::read(&moved[0]).unwrap(), damaged, "kept as it was");
        assert_eq!(look(&log).findings, []);
        let expected = [&written_records[0][..], FILLER, &written_records[2][..]];
        assert_eq!(records(&log, &one_file()).await.unwrap(), expected);
        assert_eq!(append(&open(&log, &one_file()).unwrap(), "more").await, 3);
    }
    assert!(file.exists());
}

#[tokio::test]
async fn a_torn_tail_is_no_loss() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &one_file(), &[noise(1, 60), noise(2, 60)]).await;
    change(&segment(home.path(), 0), |bytes| bytes.truncate(bytes.len() - 7));
    forget_mark(home.path());
    let Examined { findings, .. } = look(home.path());
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.offset, &finding.loss), (36 + 48 + 60, &Loss::TornTail));
    assert_eq!(repair(home.path(), &home.path().join("aside"), 1), [] as [PathBuf; 0]);
    assert_eq!(records(home.path(), &one_file()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_segment_that_is_gone_or_has_no_header() {
    let home = tempfile::tempdir().unwrap();
    let written_records: Vec<_> = (0..4).map(|n| noise(n, 60)).collect();
    written(home.path(), &a_file_each(), &written_records).await;
    let gone = |log: &Path| fs::remove_file(segment(log, 1)).unwrap();
    let short = |log: &Path| change(&segment(log, 1), |bytes| bytes.truncate(20));
    for damage in [&gone as &dyn Fn(&Path), &short] {
        let copies = tempfile::tempdir().unwrap();
        let log = copies.path().join("log");
        copy(home.path(), &log);
        damage(&log);
        assert_eq!(lost(&look(&log).findings), [(1, 2)]);
        repair(&log, &copies.path().join("aside"), 0);
        let found = records(&log, &a_file_each()).await.unwrap();
        assert_eq!(found[1], FILLER);
        assert_eq!(
            (&found[0], &found[2..]),
            (&written_records[0].clone().into(), &to_bytes(&written_records[2..])[..])
        );
    }
    // A header that changed is written anew; nothing is lost with it.
    for at in [3, 9, 20, 26, 33] {
        let copies = tempfile::tempdir().unwrap();
        let log = copies.path().join("log");
        copy(home.path(), &log);
        change(&segment(&log, 1), |bytes| bytes[at] ^= 1);
        assert_eq!(lost(&look(&log).findings), [(1, 1)]);
        repair(&log, &copies.path().join("aside"), 0);
        assert_eq!(records(&log, &a_file_each()).await.unwrap(), to_bytes(&written_records), "byte {at}");
    }
}

fn to_bytes(records: &[Vec<u8>]) -> Vec<bytes::Bytes> {
    records.iter().cloned().map(Into::into).collect()
}

#[tokio::test]
async fn records_that_were_folded_are_not_given_to_others() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &a_file_each(), &[noise(1, 60), noise(2, 60), noise(3, 60)]).await;
    // An older copy of the disk: what was folded from the third record is in the store, the record is gone.
    fs::remove_file(segment(home.path(), 2)).unwrap();
    repair(home.path(), &home.path().join("aside"), 3);
    let log = open(home.path(), &a_file_each()).unwrap();
    assert_eq!(append(&log, "new").await, 3, "the worker reads from the fourth on");
    assert_eq!(read_from(&log, 2).await.unwrap(), [FILLER, b"new"]);
}

/// Also if one of their directories is gone.
#[tokio::test]
async fn the_number_of_partitions_is_found_again() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { partitions: 3, ..one_file() };
    written(home.path(), &settings, &[noise(1, 60)]).await;
    fs::remove_file(home.path().join("meta")).unwrap();
    fs::remove_dir_all(home.path().join("p00001")).unwrap();
    let examined = look(home.path());
    assert_eq!(examined.partitions.len(), 3);
    let losses: Vec<_> = examined.findings.iter().map(|finding| finding.loss.clone()).collect();
    assert_eq!(losses, [Loss::Meta, Loss::From(0)]);
    drop(examined);
    repair(home.path(), &home.path().join("aside"), 0);
    assert_eq!(look(home.path()).findings, []);
    assert_eq!(records(home.path(), &settings).await.unwrap(), [noise(1, 60)]);

    // Of the last one only others know.
    fs::remove_file(home.path().join("meta")).unwrap();
    fs::remove_dir_all(home.path().join("p00002")).unwrap();
    assert_eq!(look(home.path()).partitions.len(), 2);
    assert_eq!(examine(home.path(), 3, &sound).unwrap().partitions.len(), 3);
}

/// A bad page over the header and the first records: the others say themselves what the header's checksum was.
#[tokio::test]
async fn a_segment_without_header_is_read_from_its_frames() {
    let home = tempfile::tempdir().unwrap();
    let written_records: Vec<_> = (0..4).map(|n| noise(n, 60)).collect();
    written(home.path(), &one_file(), &written_records).await;
    change(&segment(home.path(), 0), |bytes| bytes[..100].fill(0));
    assert_eq!(lost(&look(home.path()).findings), [(0, 0), (0, 1)]);
    repair(home.path(), &home.path().join("aside"), 0);
    let mut expected = to_bytes(&written_records);
    expected[0] = FILLER.into();
    assert_eq!(records(home.path(), &one_file()).await.unwrap(), expected);
}

/// What retention has not deleted, and what was acknowledged last, is missed.
#[tokio::test]
async fn the_first_and_the_last_segment_are_missed() {
    let home = tempfile::tempdir().unwrap();
    let written_records: Vec<_> = (0..4).map(|n| noise(n, 60)).collect();
    written(home.path(), &a_file_each(), &written_records).await;
    fs::remove_file(segment(home.path(), 0)).unwrap();
    fs::remove_file(segment(home.path(), 3)).unwrap();
    let Examined { findings, partitions, .. } = look(home.path());
    let losses: Vec<_> = findings.iter().map(|finding| finding.loss.clone()).collect();
    assert_eq!((losses, partitions[0].records.clone()), (vec![Loss::Before(1), Loss::Records(3..4)], 1..4));
    repair(home.path(), &home.path().join("aside"), 0);
    assert_eq!(look(home.path()).findings, []);
    let log = open(home.path(), &a_file_each()).unwrap();
    let expected: [&[u8]; 3] = [&written_records[1], &written_records[2], FILLER];
    assert_eq!(read_from(&log, 1).await.unwrap(), expected);
}

/// With all segments gone, it goes on where it was, and with nothing for those who have not read that far.
#[tokio::test]
async fn a_partition_without_segments_goes_on_where_it_was() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &one_file(), &[noise(1, 60), noise(2, 60), noise(3, 60)]).await;
    fs::remove_file(segment(home.path(), 0)).unwrap();
    let examined = look(home.path());
    assert_eq!(examined.findings[0].loss, Loss::From(0));
    drop(examined);
    // Its worker reads from the second on; something of the third is folded.
    let aside = home.path().join("aside");
    let remedy =
        Remedy { aside: &aside, filler: FILLER, folded: slice::from_ref(&(1..2)), now: Timestamp(5_000) };
    look(home.path()).repair(&sound, &remedy).unwrap();
    assert_eq!(look(home.path()).findings, []);
    let log = open(home.path(), &one_file()).unwrap();
    assert_eq!(log.first(super::P).await.unwrap().entry, 1);
    assert_eq!(read_from(&log, 1).await.unwrap(), [FILLER, FILLER]);
    assert_eq!(append(&log, "new").await, 3);
}

/// A log of before there was a mark, or one of which the mark was lost, which retention had trimmed.
#[tokio::test]
async fn without_a_mark_nobody_misses_the_first_segment() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &a_file_each(), &[noise(1, 60), noise(2, 60)]).await;
    fs::remove_file(segment(home.path(), 0)).unwrap();
    forget_mark(home.path());
    assert_eq!(look(home.path()).findings, []);
    append(&open(home.path(), &a_file_each()).unwrap(), "more").await;
    assert_eq!(look(home.path()).findings, []);
}

/// Until it is repaired, whatever is appended meanwhile.
#[tokio::test]
async fn the_first_segment_is_missed_for_ever() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &a_file_each(), &[noise(1, 60), noise(2, 60)]).await;
    fs::remove_file(segment(home.path(), 0)).unwrap();
    append(&open(home.path(), &a_file_each()).unwrap(), "more").await;
    assert_eq!(look(home.path()).findings[0].loss, Loss::Before(1));
    repair(home.path(), &home.path().join("aside"), 0);
    assert_eq!(look(home.path()).findings, []);
}

#[tokio::test]
async fn a_later_format_is_no_damage() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &one_file(), &[noise(1, 60)]).await;
    change(&segment(home.path(), 0), |bytes| {
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..32]);
        bytes[32..36].copy_from_slice(&crc.to_le_bytes());
    });
    let error = examine(home.path(), 0, &sound).unwrap_err();
    assert!(error.to_string().ends_with("is of format 2: this version reads format 1"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_understood_is_lost_too() {
    let home = tempfile::tempdir().unwrap();
    written(home.path(), &one_file(), &[b"good".to_vec(), b"bad".to_vec(), b"good".to_vec()]).await;
    let judge = |record: &[u8]| (record == b"bad").then(|| "it is bad".to_owned());
    let examined = examine(home.path(), 0, &judge).unwrap();
    let [Finding { loss: Loss::Records(records), what, .. }] = &examined.findings[..] else {
        panic!("{examined:?}")
    };
    assert_eq!((records.clone(), &what[..]), (1..2, "it is bad"));
    let aside = home.path().join("aside");
    examined
        .repair(&judge, &Remedy { aside: &aside, filler: b"good", folded: &[], now: Timestamp(0) })
        .unwrap();
    drop(examined);
    assert_eq!(read_from(&open(home.path(), &one_file()).unwrap(), 0).await.unwrap(), ["good"; 3]);
}

/// What befalls a file.
#[derive(Clone, Debug)]
enum Blow {
    Flip(usize, u8),
    Zero(usize, usize),
    Cut(usize),
    Gone,
}

fn blow() -> impl Strategy<Value = (usize, Blow)> {
    let blow = prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, bit)| Blow::Flip(at, bit)),
        2 => (any::<usize>(), 1usize..400).prop_map(|(at, len)| Blow::Zero(at, len)),
        1 => any::<usize>().prop_map(Blow::Cut),
        1 => Just(Blow::Gone),
    ];
    (any::<usize>(), blow)
}

fn strike(files: &[PathBuf], (which, blow): &(usize, Blow)) {
    let file = &files[which % files.len()];
    if !file.exists() {
        return;
    }
    match *blow {
        Blow::Gone => fs::remove_file(file).unwrap(),
        Blow::Cut(at) => change(file, |bytes| bytes.truncate(at % (bytes.len() + 1))),
        Blow::Flip(at, bit) => change(file, |bytes| {
            if let Some(at) = at.checked_rem(bytes.len()) {
                bytes[at] ^= 1 << (bit % 8);
            }
        }),
        Blow::Zero(at, len) => change(file, |bytes| {
            if let Some(at) = at.checked_rem(bytes.len()) {
                let end = (at + len).min(bytes.len());
                bytes[at..end].fill(0);
            }
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However it is damaged: what is found lost is a filler afterwards, every other record is where it was, and there are
    /// as many as the store knows of.
    #[test]
    fn any_damage(
        lengths in proptest::collection::vec(0usize..200, 2..24),
        segment_bytes in 1u64..1500,
        blows in proptest::collection::vec(blow(), 1..4),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let home = tempfile::tempdir().unwrap();
            let (log, aside) = (home.path().join("log"), home.path().join("aside"));
            let settings = Settings { segment_bytes, ..one_file() };
            let before: Vec<_> = lengths.iter().enumerate().map(|(n, len)| noise(n as u8, *len)).collect();
            written(&log, &settings, &before).await;
            let mut files: Vec<_> = fs::read_dir(log.join("p00000")).unwrap().map(|file| file.unwrap().path()).collect();
            files.sort();
            blows.iter().for_each(|blow| strike(&files, blow));

            let examined = look(&log);
            let findings = examined.findings.clone();
            let end = examined.partitions[0].records.end;
            drop(examined);
            let folded = before.len() as u64;
            repair(&log, &aside, folded);
            assert_eq!(look(&log).findings, [], "after {findings:?}");

            let lost = lost(&findings);
            let log = open(&log, &settings).unwrap();
            let first = log.first(super::P).await.unwrap().entry;
            let after = read_from(&log, first).await.unwrap();
            assert_eq!(first + after.len() as u64, folded);
            for (entry, record) in (first..).zip(&after) {
                let gone = entry >= end || lost.iter().any(|&(from, to)| (from..to).contains(&entry));
                let expected = if gone { FILLER } else { &before[entry as usize][..] };
                assert_eq!(record, expected, "record {entry}, {findings:?}");
            }
        });
    }
}
