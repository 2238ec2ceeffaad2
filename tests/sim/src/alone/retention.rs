use eventlog::EventLog as _;
use eventlog::embedded::Settings;
use eventlog::embedded::doctor::Loss;
use model::Position;

use super::{
    P, RECORDS, SETTINGS, append, disk, end, examine, in_runtime, life, open, platter, read, record, text,
};

/// Before this record nothing is needed any more: three segments may go.
const FLOOR: u64 = 9;

/// Ends the process, and with it the power if asked, after the first call that retention makes to the disk, after its second, and
/// so on. What it has deleted must not look like damage, and what it keeps must be there. Gives the number of calls.
pub fn all_retentions(power: bool, round: u64) -> Result<u64, String> {
    let settings = Settings { retain_bytes: Some(1), ..SETTINGS };
    let mut after = 0;
    loop {
        after += 1;
        let wrong = |what: String| format!("a retention that ended after call {after}: {what}");
        let (platter, server) = (platter(round << 32 | after), life("server"));
        let whole = in_runtime(async {
            let log = open(disk(&platter, &server), &settings)?;
            append(&log, RECORDS).await?;
            server.ends_after(server.calls() + after);
            Ok(log.release(P, Position::of_entry(FLOOR)).await.is_ok())
        })?;
        end(&platter, &server, power);
        let doctor = life("doctor");
        let found = examine(&platter, &doctor).map_err(wrong)?;
        if let Some(finding) = found.findings.iter().find(|finding| finding.loss != Loss::TornTail) {
            return Err(wrong(format!("{finding:?}")));
        }
        drop(found);
        in_runtime(async {
            let log = open(disk(&platter, &doctor), &settings)?;
            let first = log.first(P).await.map_err(text)?.entry;
            if first > FLOOR {
                return Err(format!("it begins with record {first}"));
            }
            for entry in first..RECORDS {
                if read(&log, entry).await? != record(entry) {
                    return Err(format!("record {entry} is another one"));
                }
            }
            Ok(())
        })
        .map_err(wrong)?;
        if whole {
            return Ok(after);
        }
    }
}
