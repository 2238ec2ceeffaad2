//! The repair of a damaged log, which ends after every single one of its calls to the disk and is begun again.

use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use ::disk::Disk;
use bytes::Bytes;
use eventlog::EventLog;
use eventlog::embedded::doctor::{Remedy, examine_on};
use eventlog::embedded::{EmbeddedLog, Settings};
use model::{Partition, Position, Timestamp};
use parking_lot::Mutex;

use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::life::Life;
use crate::platter::Platter;
use crate::trace::Trace;

const LOG: &str = "/log";
const FILLER: &[u8] = b"lost";
const RECORDS: u64 = 12;
/// Those that are damaged: one within a segment, one with the header before it, and the last of all.
const LOST: [u64; 3] = [4, 6, 11];

/// Ends the repair after its first call, after its second, and so on, and cuts the power, too, if asked. Each time another one
/// must make of the log what one that is left alone makes of it, and what was damaged must have been kept. What the cuts lose
/// differs from round to round. Gives the number of calls.
pub fn all_repairs(power: bool, round: u64) -> Result<u64, String> {
    let mut after = 0;
    loop {
        after += 1;
        let (platter, damaged) = damaged_log(round << 32 | after)?;
        let life = Life::new("doctor", &Arc::new(Trace::new(false)));
        life.ends_after(after);
        let whole = repair(&platter, &life, "/aside-1").is_ok();
        if power {
            platter.lock().cut();
        } else {
            platter.lock().settle();
        }
        let wrong = |what: String| format!("a repair that ended after call {after}: {what}");
        let again = Life::new("doctor again", &life.trace);
        repair(&platter, &again, "/aside-2").map_err(wrong)?;
        check(&platter, &again, &damaged).map_err(wrong)?;
        if whole {
            return Ok(after);
        }
    }
}

type Shared = Arc<Mutex<Platter>>;
/// Files that are damaged, with what is in them.
type Damaged = Vec<(PathBuf, Vec<u8>)>;

fn disk(platter: &Shared, life: &Arc<Life>) -> Arc<SimDisk> {
    Arc::new(SimDisk { platter: Arc::clone(platter), life: Arc::clone(life) })
}

fn record(entry: u64) -> Bytes {
    let mut dice = Dice::new(entry, "bytes that do not compress");
    std::iter::repeat_with(|| dice.next() as u8).take(100).collect()
}

fn open(disk: Arc<SimDisk>) -> Result<EmbeddedLog, String> {
    // Three records, of a head and 100 bytes each, fill a segment.
    let settings = Settings { partitions: 1, segment_bytes: 450, tail_bytes: 0, ..Settings::default() };
    EmbeddedLog::open_on(disk, LOG, &settings, || Timestamp(1_000)).map_err(|error| error.to_string())
}

fn segment(first: u64) -> PathBuf {
    Path::new(LOG).join(format!("p00000/{first:020}.log"))
}

/// A disk with a log, and the files of it that are damaged.
fn damaged_log(seed: u64) -> Result<(Shared, Damaged), String> {
    let platter = Arc::new(Mutex::new(Platter::new(Dice::new(seed, "disk"))));
    let life = Life::new("server", &Arc::new(Trace::new(false)));
    in_runtime(async {
        let log = open(disk(&platter, &life))?;
        for entry in 0..RECORDS {
            log.append(Partition(0), record(entry)).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    })?;
    life.end();
    let frame = 48 + 100;
    let damage = [
        (3, 36 + frame + 60, vec![!record(4)[12]]),
        (6, 0, vec![0; 36 + frame]),
        (9, 36 + 2 * frame + 90, vec![!record(11)[42]]),
    ];
    let mut files = Vec::new();
    {
        // By now the system has written what was never synced, the mark that says how far the log was durable.
        let mut platter = platter.lock();
        let mark = platter.file(&Path::new(LOG).join("p00000/durable")).map_err(|error| error.to_string())?;
        platter.node(mark).sync();
    }
    for (first, at, bytes) in damage {
        let mut platter = platter.lock();
        let id = platter.file(&segment(first)).map_err(|error| error.to_string())?;
        let node = platter.node(id);
        node.write(at, &bytes);
        node.sync();
        files.push((segment(first), node.bytes.clone()));
    }
    Ok((platter, files))
}

fn repair(platter: &Shared, life: &Arc<Life>, aside: &str) -> Result<(), String> {
    let examined =
        examine_on(disk(platter, life), Path::new(LOG), 1, &|_| None).map_err(|error| error.to_string())?;
    let remedy = Remedy {
        aside: Path::new(aside),
        filler: FILLER,
        folded: slice::from_ref(&(5..5)),
        now: Timestamp(2_000),
    };
    examined.repair(&|_| None, &remedy).map(drop).map_err(|error| error.to_string())
}

fn check(platter: &Shared, life: &Arc<Life>, damaged: &[(PathBuf, Vec<u8>)]) -> Result<(), String> {
    let disk = disk(platter, life);
    let left = examine_on(Arc::clone(&disk) as Arc<dyn Disk>, Path::new(LOG), 1, &|_| None);
    let left = left.map_err(|error| error.to_string())?;
    if !left.findings.is_empty() {
        return Err(format!("{:?} is left", left.findings));
    }
    drop(left);
    for (file, bytes) in damaged {
        let name = Path::new("p00000").join(file.file_name().unwrap_or_default());
        let kept = ["/aside-1", "/aside-2"].map(|aside| ::disk::read(&*disk, &Path::new(aside).join(&name)));
        if !kept.into_iter().flatten().any(|kept| kept == *bytes) {
            return Err(format!("{} is not kept as it was", file.display()));
        }
    }
    in_runtime(async {
        let log = open(Arc::clone(&disk))?;
        for entry in 0..RECORDS {
            let chunk = log.read(Partition(0), Position::of_entry(entry), 1).await;
            let found = chunk.map_err(|error| error.to_string())?.entries.swap_remove(0).record;
            let expected = if LOST.contains(&entry) { Bytes::from(FILLER) } else { record(entry) };
            if found != expected {
                return Err(format!("record {entry} is {}", found.escape_ascii()));
            }
        }
        Ok(())
    })
}

fn in_runtime(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}
