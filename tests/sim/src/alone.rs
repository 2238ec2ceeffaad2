//! The log by itself, on a disk whose power is cut or whose process ends after every single call: what its doctor repairs, and
//! what retention deletes.

mod damage;
mod repair;
mod retention;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use eventlog::EventLog;
use eventlog::embedded::doctor::{Examined, examine_on};
use eventlog::embedded::{EmbeddedLog, Settings};
use model::{Partition, Position, Timestamp};
use parking_lot::Mutex;

pub use self::repair::all_repairs;
pub use self::retention::all_retentions;

use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::life::Life;
use crate::platter::Platter;
use crate::trace::Trace;

const LOG: &str = "/log";
const P: Partition = Partition(0);
const RECORDS: u64 = 12;
/// Three records, of a head and 100 bytes each, fill a segment.
const SETTINGS: Settings = Settings {
    partitions: 1,
    segment_bytes: 450,
    tail_bytes: 0,
    max_queued_bytes: 1 << 20,
    retain_age_ms: None,
    retain_bytes: None,
    reserve_bytes: None,
};

type Shared = Arc<Mutex<Platter>>;

/// An empty disk.
fn platter(seed: u64) -> Shared {
    Arc::new(Mutex::new(Platter::new(Dice::new(seed, "disk"))))
}

fn life(name: &str) -> Arc<Life> {
    Life::new(name, &Arc::new(Trace::new(false)))
}

fn disk(platter: &Shared, life: &Arc<Life>) -> Arc<SimDisk> {
    Arc::new(SimDisk { platter: Arc::clone(platter), life: Arc::clone(life) })
}

/// The end of a process, or with it of the power.
fn end(platter: &Shared, life: &Life, power: bool) {
    life.end();
    if power { platter.lock().cut() } else { platter.lock().settle() }
}

fn open(disk: Arc<SimDisk>, settings: &Settings) -> Result<EmbeddedLog, String> {
    EmbeddedLog::open_on(disk, LOG, settings, || Timestamp(1_000)).map_err(text)
}

fn examine(platter: &Shared, life: &Arc<Life>) -> Result<Examined, String> {
    examine_on(disk(platter, life), Path::new(LOG), 1, &|_| None).map_err(text)
}

fn record(entry: u64) -> Bytes {
    let mut dice = Dice::new(entry, "bytes that do not compress");
    std::iter::repeat_with(|| dice.next() as u8).take(100).collect()
}

/// Appends records until there are so many.
async fn append(log: &EmbeddedLog, records: u64) -> Result<(), String> {
    let end = log.end(P).await.map_err(text)?.entry;
    for entry in end..records {
        log.append(P, record(entry)).await.map_err(text)?;
    }
    Ok(())
}

async fn read(log: &EmbeddedLog, entry: u64) -> Result<Bytes, String> {
    let chunk = log.read(P, Position::of_entry(entry), 1).await.map_err(text)?;
    chunk
        .entries
        .into_iter()
        .next()
        .map(|found| found.record)
        .ok_or_else(|| format!("there is no record {entry}"))
}

fn segment(first: u64) -> PathBuf {
    Path::new(LOG).join(format!("p00000/{first:020}.log"))
}

fn in_runtime<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::runtime::Builder::new_current_thread().build().map_err(text)?.block_on(work)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
