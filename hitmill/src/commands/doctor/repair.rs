use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clock::Clock;
use eventlog::embedded::doctor::Remedy;
use keyspace::{fault, record};
use model::{Partition, Position};
use rollup_svc::rewind::{self, Place};
use store::embedded::doctor as stores;

use super::Places;
use super::examined::{self, Examined, Folded};
use crate::settings::Settings;

/// Repairs what is damaged: the store first, since the log has to fit what it says.
pub(super) async fn repair(settings: &Settings, places: &Places, examined: Examined) -> anyhow::Result<()> {
    let clock = Clock::system();
    let aside = aside(&places.data, &clock);
    let (mut moved, mut folded, mut anew) = (Vec::new(), Folded::new(), false);
    if let Some(path) = &places.store {
        let repaired = stores::repair(path, &aside, &fault::of_value, &fault::CONFIGURATION).context(
            "the store cannot be repaired, since its merchants and keys cannot be read: bring back a copy of it, or move it away and begin with none",
        )?;
        if let Some(values) = repaired.taken_over {
            eprintln!("the store was made anew with the {values} values of its configuration");
            anew = true;
        } else if !repaired.aside.is_empty() {
            eprintln!("the store was cut back to what it was before the damage");
        }
        moved.extend(repaired.aside);
        folded = examined::look_at_store(path)?.1;
    }
    if let Some(log) = &examined.held {
        let folded: Vec<u64> = (0..log.partitions.len() as u16)
            .map(|partition| folded.get(&Partition(partition)).copied().unwrap_or_default())
            .collect();
        let remedy =
            Remedy { aside: &aside.join("log"), filler: record::EMPTY, folded: &folded, now: clock.now() };
        let rewritten = log.repair(&fault::of_record, &remedy)?;
        if !rewritten.is_empty() {
            eprintln!("the log was repaired; segments written anew: {}", rewritten.len());
        }
        moved.extend(rewritten);
    }
    drop(examined);
    if places.log.is_some() && places.store.is_some() && begin_again(settings, &clock, anew).await? {
        eprintln!("all of the log is folded again when the server starts");
    }
    for path in moved {
        eprintln!("what was damaged is kept in {}", path.display());
    }
    let left = examined::examine(places)?;
    if left.findings.iter().any(|finding| finding.damage) {
        bail!("something is still damaged: run `hitmill doctor` again");
    }
    eprintln!("nothing is damaged any more");
    Ok(())
}

/// Sends every partition to the start of the log, as `hitmill topic rewind` does: if the store is new, or so old now that
/// the log does not go back to where it was.
async fn begin_again(settings: &Settings, clock: &Clock, anew: bool) -> anyhow::Result<bool> {
    let platform = host::platform::open(&settings.host.data, settings.backends(), clock.clone()).await?;
    let places = rewind::places(&*platform.store, &*platform.log).await?;
    let too_old = |place: &Place| {
        let read_from = place.checkpoint.map_or(Position::START, |checkpoint| checkpoint.read_from);
        read_from < place.first
    };
    if !anew && !places.iter().any(too_old) {
        return Ok(false);
    }
    rewind::begin(&*platform.store, &places).await?;
    platform.store.sync().await?;
    Ok(true)
}

/// A folder that is not there yet.
fn aside(data: &Path, clock: &Clock) -> PathBuf {
    let time: String = clock.now().to_string().chars().filter(char::is_ascii_digit).collect();
    data.join(format!("damaged-{time}"))
}
