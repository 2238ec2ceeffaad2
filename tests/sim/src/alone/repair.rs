use std::path::Path;
use std::slice;
use std::sync::Arc;

use eventlog::EventLog as _;
use eventlog::embedded::doctor::Remedy;
use model::Timestamp;

use super::damage::{ALL, Damage, Damaged, FILLER};
use super::{P, SETTINGS, Shared, disk, end, examine, in_runtime, life, open, read, record, text};
use crate::life::Life;

/// Ends the repair of a log, for each way in which it is damaged, after its first call to the disk, after its second, and so on,
/// and cuts the power, too, if asked. Each time another repair must make of the log what one that is left alone makes of it, what was
/// damaged must have been kept, and a server that starts instead must read nothing wrong. What the cuts lose differs from round
/// to round. Gives the number of calls.
pub fn all_repairs(power: bool, round: u64) -> Result<u64, String> {
    let mut calls = 0;
    for damage in ALL {
        let mut after = 0;
        loop {
            after += 1;
            let wrong = |what: String| format!("{damage:?}, a repair that ended after call {after}: {what}");
            let whole = ended(damage, after, power, round).map_err(wrong)?;
            if whole {
                break;
            }
        }
        calls += after;
    }
    Ok(calls)
}

/// A repair that ends after some call; says whether it was done by then.
fn ended(damage: Damage, after: u64, power: bool, round: u64) -> Result<bool, String> {
    let (platter, damaged) = damage.make(round << 32 | after)?;
    let first = life("doctor");
    first.ends_after(after);
    let whole = repair(damage, &platter, &first, "/aside-1").is_ok();
    end(&platter, &first, power);
    if after.is_multiple_of(2) {
        start(damage, &platter)?;
    }
    let again = life("doctor again");
    repair(damage, &platter, &again, "/aside-2")?;
    check(damage, &platter, &again, &damaged)?;
    Ok(whole)
}

fn repair(damage: Damage, platter: &Shared, life: &Arc<Life>, aside: &str) -> Result<(), String> {
    let folded = damage.folded();
    let remedy = Remedy {
        aside: Path::new(aside),
        filler: FILLER,
        folded: slice::from_ref(&folded),
        now: Timestamp(2_000),
    };
    // What says how many partitions there are is written by itself.
    for _ in 0..2 {
        let examined = examine(platter, life)?;
        examined.repair(&|_| None, &remedy).map_err(text)?;
    }
    Ok(())
}

/// A server that starts on what the repair has left: it may refuse, and refuse to read a record, and reads no other one.
fn start(damage: Damage, platter: &Shared) -> Result<(), String> {
    let server = life("server");
    let read = in_runtime(async {
        let Ok(log) = open(disk(platter, &server), &SETTINGS) else { return Ok(()) };
        for entry in 0..log.end(P).await.map_err(text)?.entry {
            let found = read(&log, entry).await;
            if found.is_ok_and(|found| found != damage.expected(entry) && found != record(entry)) {
                return Err(format!("a server reads another record {entry}"));
            }
        }
        Ok(())
    });
    end(platter, &server, false);
    read
}

fn check(damage: Damage, platter: &Shared, life: &Arc<Life>, damaged: &Damaged) -> Result<(), String> {
    let left = examine(platter, life)?;
    if !left.findings.is_empty() {
        return Err(format!("{:?} is left", left.findings));
    }
    drop(left);
    let disk = disk(platter, life);
    for (file, bytes) in damaged {
        let name = Path::new("p00000").join(file.file_name().unwrap_or_default());
        let kept = ["/aside-1", "/aside-2"].map(|aside| ::disk::read(&*disk, &Path::new(aside).join(&name)));
        if !kept.into_iter().flatten().any(|kept| kept == *bytes) {
            return Err(format!("{} is not kept as it was", file.display()));
        }
    }
    in_runtime(async {
        let log = open(disk, &SETTINGS)?;
        let (records, _) = damage.left();
        let (first, end) = (log.first(P).await.map_err(text)?.entry, log.end(P).await.map_err(text)?.entry);
        if (first, end) != (records.start, records.end) {
            return Err(format!("it has records {first} to {end}"));
        }
        for entry in records {
            let found = read(&log, entry).await?;
            if found != damage.expected(entry) {
                return Err(format!("record {entry} is {}", found.escape_ascii()));
            }
        }
        Ok(())
    })
}
