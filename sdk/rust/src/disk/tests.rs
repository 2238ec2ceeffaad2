use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const BOOT: Identity<'_> = Identity {
    client_id: None,
    boot_id: Some("boot-1"),
    new_id: &|| "generated".to_owned(),
    new_epoch: &|than| than.max(99) + 1,
};
const OTHER_BOOT: Identity<'_> = Identity { boot_id: Some("boot-2"), ..BOOT };

fn open(directory: &Path, identity: &Identity<'_>) -> std::result::Result<(Disk, Recovered), BuildError> {
    Disk::open(Arc::new(::disk::System), directory, identity)
}

fn pos(epoch: u64, seq: u64) -> Pos {
    Pos { epoch, seq }
}

fn entry(epoch: u64, seq: u64) -> Entry {
    let hit = Bytes::from(format!("hit {seq} {}", "x".repeat(1_000)));
    Entry { at: pos(epoch, seq), time_ms: 5, since: Duration::ZERO, hit }
}

/// New hits, and how far the server has acknowledged.
fn journal(epoch: u64, hits: std::ops::RangeInclusive<u64>, told: u64) -> Journal {
    Journal {
        wipe: false,
        told: pos(epoch, told),
        front: (told < *hits.end()).then(|| pos(epoch, told + 1)),
        next: pos(epoch, hits.end() + 1),
        hits: hits.map(|seq| entry(epoch, seq)).collect(),
        profile: Arc::new(Profile::default()),
    }
}

fn seqs(found: &Recovered) -> Vec<(u64, u64)> {
    found.hits.iter().map(|entry| (entry.at.epoch, entry.at.seq)).collect()
}

fn hit_files(dir: &TempDir) -> Vec<PathBuf> {
    Segment::numbers(&::disk::System, dir.path())
        .unwrap()
        .iter()
        .map(|n| dir.path().join(format!("{n:012}.hits")))
        .collect()
}

#[test]
fn a_new_directory_gets_a_client_and_an_epoch_which_stay() {
    let dir = TempDir::new().unwrap();
    let (disk, found) = open(dir.path(), &BOOT).unwrap();
    assert_eq!((found.client_id.as_str(), found.next, found.hits.len()), ("generated", pos(100, 1), 0));
    drop(disk);
    let (_, found) = open(dir.path(), &BOOT).unwrap();
    assert_eq!((found.client_id.as_str(), found.next), ("generated", pos(100, 1)));
}

#[test]
fn what_is_not_acknowledged_is_found_again_with_its_seqs() {
    let dir = TempDir::new().unwrap();
    let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
    disk.apply(&journal(100, 1..=3, 0)).unwrap();
    disk.apply(&journal(100, 4..=5, 2)).unwrap();
    drop(disk);
    let (_, found) = open(dir.path(), &BOOT).unwrap();
    assert_eq!(found.hits, [entry(100, 3), entry(100, 4), entry(100, 5)]);
    assert_eq!((found.next, found.told), (pos(100, 6), pos(100, 2)));
}

#[test]
fn a_journal_given_again_after_a_failure_is_found_once() {
    let dir = TempDir::new().unwrap();
    let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
    disk.apply(&journal(100, 1..=2, 0)).unwrap();
    disk.apply(&journal(100, 1..=3, 0)).unwrap();
    drop(disk);
    let (_, found) = open(dir.path(), &BOOT).unwrap();
    assert_eq!(seqs(&found), [(100, 1), (100, 2), (100, 3)]);
}

#[test]
fn after_the_machine_was_started_again_new_hits_get_a_new_epoch() {
    let dir = TempDir::new().unwrap();
    let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
    disk.apply(&journal(100, 1..=2, 0)).unwrap();
    drop(disk);
    let (disk, found) = open(dir.path(), &OTHER_BOOT).unwrap();
    assert_eq!((seqs(&found), found.next), (vec![(100, 1), (100, 2)], pos(101, 1)));
    drop(disk);
    let (_, found) = open(dir.path(), &Identity { boot_id: None, ..BOOT }).unwrap();
    assert_eq!(found.next, pos(102, 1));
}

#[test]
fn a_tail_torn_anywhere_is_cut_and_the_seqs_that_it_may_have_had_are_not_given_again() {
    let dir = TempDir::new().unwrap();
    let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
    disk.apply(&journal(100, 1..=3, 0)).unwrap();
    let whole = fs::read(hit_files(&dir).pop().unwrap()).unwrap();
    drop(disk);
    for (cut, kept) in [(1, 3), (13, 3), (15, 2), (900, 2)] {
        let dir = TempDir::new().unwrap();
        drop(open(dir.path(), &BOOT).unwrap());
        fs::write(hit_files(&dir).pop().unwrap(), &whole[..whole.len() - cut]).unwrap();
        let (_, found) = open(dir.path(), &BOOT).unwrap();
        // The last record, of 14 bytes, says how far the server is; before it are the three hits.
        assert_eq!(
            seqs(&found),
            (1..=kept).map(|seq| (100, seq)).collect::<Vec<_>>(),
            "{cut} bytes torn off"
        );
        assert_eq!(found.next, pos(101, 1));
    }
}

#[test]
fn files_go_when_their_hits_are_acknowledged_and_the_seq_goes_on() {
    let dir = TempDir::new().unwrap();
    let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
    for round in 0..10 {
        disk.apply(&journal(100, round * 300 + 1..=round * 300 + 300, 0)).unwrap();
    }
    assert_eq!(hit_files(&dir).len(), 3);
    disk.apply(&Journal { hits: vec![], front: None, ..journal(100, 1..=3_000, 3_000) }).unwrap();
    assert_eq!(hit_files(&dir).len(), 1);
    drop(disk);
    let (_, found) = open(dir.path(), &BOOT).unwrap();
    assert_eq!((seqs(&found), found.next), (vec![], pos(100, 3_001)));
}

/// The file of a hit stays until that hit is acknowledged, also where it is the last one in it.
#[test]
fn no_file_goes_before_its_last_hit_is_acknowledged() {
    let dir = TempDir::new().unwrap();
    let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
    // A kilobyte each: more than a file of a mebibyte takes.
    let rolled = (1..2_000).find(|&seq| {
        disk.apply(&journal(100, seq..=seq, 0)).unwrap();
        hit_files(&dir).len() == 2
    });
    let last = rolled.unwrap() - 1; // of the first file
    disk.apply(&journal(100, last + 2..=last + 2, last - 1)).unwrap();
    drop(disk);
    let (mut disk, found) = open(dir.path(), &BOOT).unwrap();
    assert_eq!(seqs(&found), [(100, last), (100, last + 1), (100, last + 2)]);
    let files = hit_files(&dir).len();
    disk.apply(&journal(100, last + 3..=last + 3, last)).unwrap();
    assert_eq!(hit_files(&dir).len(), files - 1, "now it may go");
}

#[test]
fn a_wipe_leaves_no_hit_in_the_directory() {
    let dir = TempDir::new().unwrap();
    let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
    disk.apply(&journal(100, 1..=3, 0)).unwrap();
    let profile = Arc::new(Profile { opted_out: true, user_id: "u".into(), visitor_id: "v".into() });
    let wipe = Journal { wipe: true, hits: vec![], front: None, profile, ..journal(100, 1..=3, 0) };
    disk.apply(&wipe).unwrap();
    drop(disk);
    let bytes: Vec<u8> = hit_files(&dir).iter().flat_map(|path| fs::read(path).unwrap()).collect();
    assert!(!bytes.windows(5).any(|window| window == b"hit 1"));
    let (_, found) = open(dir.path(), &BOOT).unwrap();
    assert_eq!((found.hits.len(), found.next, found.profile), (0, pos(100, 4), (*wipe.profile).clone()));
}

#[test]
fn a_directory_in_use_or_of_another_client_is_refused() {
    let dir = TempDir::new().unwrap();
    let (disk, _) = open(dir.path(), &Identity { client_id: Some("a"), ..BOOT }).unwrap();
    let error = open(dir.path(), &BOOT).unwrap_err();
    assert!(matches!(error, BuildError::QueueInUse { .. }), "{error}");
    drop(disk);
    let error = open(dir.path(), &Identity { client_id: Some("b"), ..BOOT }).unwrap_err();
    assert!(error.to_string().contains("belongs to client \"a\", not \"b\""), "{error}");
    let (_, found) = open(dir.path(), &BOOT).unwrap();
    assert_eq!(found.client_id, "a");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever bytes of the files change: hits that are found are those that were written, in their order, and no seq that a
    /// hit has had is given to another one.
    #[test]
    fn nothing_is_made_up_of_damage(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1u8.., 1usize..40), 1..5),
        acknowledged in 0u64..6,
    ) {
        let dir = TempDir::new().unwrap();
        let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
        disk.apply(&journal(100, 1..=3, 0)).unwrap();
        drop(disk);
        let (mut disk, _) = open(dir.path(), &BOOT).unwrap();
        disk.apply(&journal(100, 4..=6, acknowledged)).unwrap();
        drop(disk);
        let files = [vec![dir.path().join("client")], hit_files(&dir)].concat();
        for (file, at, change, length) in damage {
            let file = &files[file.index(files.len())];
            let mut bytes = fs::read(file).unwrap();
            let from = at.index(bytes.len());
            bytes.iter_mut().skip(from).take(length).for_each(|byte| *byte ^= change);
            fs::write(file, bytes).unwrap();
        }
        // If all is lost, the epoch is by the clock, which has gone on.
        let later = Identity { new_epoch: &|than| than.max(199) + 1, ..BOOT };
        let (_, found) = open(dir.path(), &later).unwrap();
        let mut written = (1..=6).map(|seq| entry(100, seq));
        for hit in &found.hits {
            prop_assert!(written.any(|written| written == *hit), "{:?} was not written there", hit.at);
        }
        prop_assert!(found.next > pos(100, 6), "{:?} was given before", found.next);
    }
}
