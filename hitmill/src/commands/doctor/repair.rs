use std::fs;
use std::mem;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clock::Clock;
use eventlog::embedded::doctor as logs;
use keyspace::fault::{self, Fault};
use keyspace::{config, record};
use model::{Generation, Partition, Position};
use rollup_svc::rewind::{self, Place};
use store::Store as _;
use store::embedded::{EmbeddedStore, doctor as stores};

use super::Places;
use super::examined::{self, Held};
use super::folded::{Folded, note_newest};

/// Repairs what is damaged, or nothing. Numbers that cannot be had again are lost only if that is `agreed`.
///
/// Until the end all is as it was, but for segments of the log, each of which is replaced in one step; then the store is, in one
/// step, too.
pub(super) async fn repair(places: &Places, held: Held, agreed: bool) -> anyhow::Result<()> {
    let clock = Clock::system();
    let aside = aside(&places.data, &clock);
    owned(&places.data)?;
    let history = held.numbers_without_hits().filter(|_| !agreed);
    let Held { log, store, mut folded } = held;
    let extents = log.as_ref().map(|log| &log.partitions[..]);
    if extents.is_some_and(|extents| usize::from(folded.partitions()) > extents.len()) {
        bail!(
            "{} partitions were folded, and the log has fewer: it is not the log that was folded, put that one back",
            folded.partitions()
        );
    }
    let mut remade = None;
    if let Some(store) = store
        && (store.findings.iter().any(|finding| finding.loss != stores::Loss::TornTail)
            || begins_later(extents, &folded))
    {
        let remade = remade.insert(remake(store, &folded).await?);
        if remade.repaired.taken_over.is_some() || begins_later(extents, &remade.folded) {
            if let Some(history) = history {
                bail!(
                    "all of the log has to be folded again, which loses {history}: say `--lose-numbers` if they may go, or bring back a copy"
                );
            }
            remade.begin_again(extents).await?;
        }
        folded = mem::take(&mut remade.folded);
    }
    if let Some(log) = log {
        repair_log(&log, &folded, &aside, &clock)?;
    }
    if let Some(Remade { repaired, opened, said, .. }) = remade {
        let kept = aside.join("store");
        drop(opened);
        repaired.install(&kept)?;
        said.iter().for_each(|line| eprintln!("{line}"));
        eprintln!("the store as it was is kept in {}", kept.display());
    }
    let left = examined::examine(places)?;
    if left.findings.iter().any(|finding| finding.damage) {
        bail!("something is still damaged: run `hitmill doctor` again");
    }
    eprintln!("nothing is damaged any more");
    Ok(())
}

/// What is written anew is the property of who repairs: the server must be able to use it.
fn owned(data: &Path) -> anyhow::Result<()> {
    let owner = fs::metadata(data).with_context(|| format!("look at {}", data.display()))?.uid();
    let own = rustix::process::geteuid().as_raw();
    if owner != own {
        bail!("{} belongs to user {owner}: repair it as that user, not as {own}", data.display());
    }
    Ok(())
}

/// Whether the worker of some partition would go on before the oldest record that its log has.
fn begins_later(extents: Option<&[logs::Extent]>, folded: &Folded) -> bool {
    let read_from = |extent: &logs::Extent| folded.read_from(extent.partition);
    let later = |extent| read_from(extent).is_some_and(|from| from < extent.records.start);
    extents.into_iter().flatten().any(later)
}

/// A store that takes the place of the one that is there.
struct Remade {
    repaired: stores::Repaired,
    opened: EmbeddedStore,
    folded: Folded,
    said: Vec<String>,
}

/// Makes a store that can be read to its end.
async fn remake(store: stores::Examined, before: &Folded) -> anyhow::Result<Remade> {
    let cut = store.findings.iter().any(|finding| finding.loss == stores::Loss::Commits);
    let repaired = match store.repair(&config::FAMILIES) {
        Err(error @ store::Error::Corrupt { .. }) => Err(error).context(
            "the store cannot be repaired, since its merchants and keys cannot be read: bring back a copy of it, or move it away and begin with none",
        )?,
        repaired => repaired?,
    };
    let opened = repaired.open()?;
    let mut said = Vec::new();
    if let Some(values) = repaired.taken_over {
        said.push(format!("the store was made anew with the {values} values of its configuration"));
        // No number of a generation that readers have seen may be given again.
        note_newest(&opened, before.newest.unwrap_or(Generation::FIRST)).await?;
    } else if cut {
        // Its identity is the first thing that a store is given.
        if opened.get(&config::instance::key()).await?.is_none() {
            bail!(
                "the store cannot be repaired, since it is damaged before its first merchant: bring back a copy of it"
            );
        }
        said.push("the store was cut back to what it was before the damage".to_owned());
    }
    let folded = Folded::of(&opened).await?;
    Ok(Remade { repaired, opened, folded, said })
}

impl Remade {
    /// Sends every partition to the start of the log, as `hitmill topic rewind` does.
    async fn begin_again(&mut self, extents: Option<&[logs::Extent]>) -> anyhow::Result<()> {
        let Some(extents) = extents else {
            let line = "the log is not on this machine: run `hitmill topic rewind` when the server is up";
            self.said.push(line.to_owned());
            return Ok(());
        };
        let place = |extent: &logs::Extent| Place {
            partition: extent.partition,
            checkpoint: None,
            first: Position::of_entry(extent.records.start),
        };
        rewind::begin(&self.opened, &extents.iter().map(place).collect::<Vec<_>>()).await?;
        self.said.push("all of the log is folded again when the server starts".to_owned());
        Ok(())
    }
}

fn repair_log(log: &logs::Examined, folded: &Folded, aside: &Path, clock: &Clock) -> anyhow::Result<()> {
    let of = |n| folded.read_from(Partition(n)).unwrap_or_default()..folded.before(Partition(n));
    let folded: Vec<_> = (0..log.partitions.len() as u16).map(of).collect();
    let remedy =
        logs::Remedy { aside: &aside.join("log"), filler: record::EMPTY, folded: &folded, now: clock.now() };
    let rewritten = log.repair(&|record| fault::of_record(record).map(what), &remedy)?;
    if !rewritten.is_empty() {
        eprintln!("the log was repaired; segments written anew: {}", rewritten.len());
    }
    for path in rewritten {
        eprintln!("what was damaged is kept in {}", path.display());
    }
    Ok(())
}

/// Nothing of a later version is repaired, so it says no more than this.
fn what(fault: Fault) -> String {
    match fault {
        Fault::Damaged(what) | Fault::Later(what) => what,
    }
}

/// A folder that is not there yet.
fn aside(data: &Path, clock: &Clock) -> PathBuf {
    let time: String = clock.now().to_string().chars().filter(char::is_ascii_digit).collect();
    data.join(format!("damaged-{time}"))
}
