use std::fs;
use std::mem;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clock::Clock;
use eventlog::embedded::{EmbeddedLog, doctor as logs};
use host::platform::{FORMAT_FILE, Installation, Says};
use keyspace::fault::{self, Fault};
use keyspace::record;
use model::{Partition, Timestamp};
use serde::Serialize;
use store::embedded::{EmbeddedStore, doctor as stores};

use super::examined::{self, Held};
use super::finding::{LOSE_MERCHANTS, LOSE_NUMBERS, PUT_BACK};
use super::folded::Folded;
use super::remade::{self, Remade};
use super::seen::Seen;
use super::{Agreed, Places};

/// What a repair did.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Done {
    did: Vec<String>,
    /// Where what was damaged is, as it was.
    kept: Vec<PathBuf>,
}

impl Done {
    fn say(&mut self, line: String) {
        eprintln!("{line}");
        self.did.push(line);
    }

    fn keep(&mut self, what: &str, path: PathBuf) {
        eprintln!("{what} is kept in {}", path.display());
        self.kept.push(path);
    }
}

/// Repairs what is damaged, or nothing. Merchants, and numbers that cannot be had again, are lost only if that is `agreed`.
///
/// Until the end all is as it was, but for segments of the log, each of which is replaced in one step; then the store is, in one
/// step, too.
pub(super) async fn repair(places: &Places, mut held: Held, agreed: Agreed) -> anyhow::Result<Done> {
    let clock = Clock::system();
    let aside = aside(&places.data, &clock);
    let mut done = Done::default();
    owned(&places.data)?;
    if held.strangers().is_some() {
        bail!("{PUT_BACK}");
    }
    let partitions = usize::from(held.folded.partitions());
    if held.log.as_ref().is_some_and(|log| partitions > log.partitions.len()) {
        bail!(
            "{partitions} partitions were folded, and the log has fewer: it is not the log that was folded, put that one back"
        );
    }
    let replaced = new_store(places, &mut held, agreed, &clock, &mut done).await?;
    if let Some(path) = places.log.as_ref().filter(|_| held.log.is_none()) {
        held.log = Some(empty_log(path, places.partitions.max(held.folded.partitions()), &clock)?);
        done.say("an empty log was made".to_owned());
    }
    if let Some(log) = held.log.take() {
        repair_log(&log, &held.folded, &aside, &clock, &mut done)?;
    }
    if let Some(Remade { repaired, opened, installation, said, .. }) = replaced {
        let kept = aside.join("store");
        drop(opened);
        // Where the identity changes a kill leaves a log that says nothing, and not one that says something else than the store.
        // Where it stays, what the log says is what tells an old copy.
        if held.log_of.as_ref().is_some_and(|log| *log.id != *installation) {
            forget_installation(places)?;
        }
        repaired.install(&kept)?;
        note_installation(places, &installation, 0)?;
        said.into_iter().for_each(|line| done.say(line));
        done.keep("the store as it was", kept);
    }
    if held.says != Says::Ours {
        host::platform::say(&places.data)?;
        done.say(format!("{FORMAT_FILE} was written anew"));
    }
    let left = examined::examine(places)?;
    if left.findings.iter().any(|finding| finding.damage) {
        bail!("something is still damaged: run `hitmill doctor` again");
    }
    Ok(done)
}

/// Makes what has to take the place of the store, if anything has to.
async fn new_store(
    places: &Places,
    held: &mut Held,
    agreed: Agreed,
    clock: &Clock,
    done: &mut Done,
) -> anyhow::Result<Option<Remade>> {
    const OR: &str = "if they may go, or bring back a copy";
    if held.store_is_unused()
        && let Some(path) = &places.store
    {
        if !agreed.merchants {
            bail!("all merchants, keys and data streams are gone: say `{LOSE_MERCHANTS}` {OR}");
        }
        // Whoever had it open to look at it.
        held.store = None;
        let store = EmbeddedStore::open(path, Default::default())?;
        forget_installation(places)?;
        let installation = remade::settle(&store, &held.seen, &Seen::default(), clock).await?;
        note_installation(places, &installation, held.seen.version)?;
        done.say("a store without merchants was made".to_owned());
        return Ok(None);
    }
    let history = held.numbers_without_hits().filter(|_| !agreed.numbers);
    // Of a log that is missing there is nothing to fold.
    let none = held.log_is_missing.then_some(&[][..]);
    let extents = held.log.as_ref().map_or(none, |log| Some(&log.partitions[..]));
    let Some(store) = held.store.take() else { return Ok(None) };
    let loses = !store.kept || store.findings.iter().any(|found| found.loss == stores::Loss::Kept);
    let loses_commits = store.findings.iter().any(|found| found.loss.is_of_commits());
    let damaged = store.findings.iter().any(|found| found.loss.is_damage());
    if !damaged && held.newer().is_none() && !begins_later(extents, &held.folded) {
        return Ok(None);
    }
    // No version is given again, either.
    let noted = held.log_of.as_ref().map_or(0, |log| log.version);
    held.seen.version = held.seen.version.max(noted);
    let mut remade = Remade::of(store, &held.folded, &held.seen, clock).await?;
    if (loses || remade.version < noted) && !agreed.merchants {
        let lost = match &remade.unknown[..] {
            _ if remade.kept && remade.version < noted => format!(
                "what changes {} to {noted} did to merchants, keys and data streams",
                remade.version + 1
            ),
            _ if !remade.kept => "all merchants, keys and data streams, which cannot be read".to_owned(),
            [] => "what was changed of merchants, keys and data streams in what cannot be read".to_owned(),
            unknown => format!(
                "what was changed of merchants, keys and data streams in what cannot be read, among it {}",
                remade::listed(unknown)
            ),
        };
        bail!("a repair loses {lost}: say `{LOSE_MERCHANTS}` {OR}");
    }
    let anew = remade.repaired.taken_over.is_some() || begins_later(extents, &remade.folded);
    if anew || held.log_is_missing && loses_commits {
        // Numbers of merchants that nobody knows are of no use.
        if let Some(history) = history.filter(|_| remade.kept) {
            let why = match held.log_is_missing {
                true => "a repair of the store",
                false => "all of the log has to be folded again, which",
            };
            bail!("{why} loses {history}: say `{LOSE_NUMBERS}` {OR}");
        }
    }
    if anew {
        remade.begin_again(extents).await?;
    }
    held.folded = mem::take(&mut remade.folded);
    Ok(Some(remade))
}

/// Has the log say whose it is: where the store has lost that it is a new installation.
fn note_installation(places: &Places, id: &str, version: u64) -> anyhow::Result<()> {
    let installation = Installation { id: id.to_owned(), version };
    let log = places.log.as_deref().filter(|log| log.is_dir());
    log.map_or(Ok(()), |log| installation.note(log)).context("note whose the log is")
}

fn forget_installation(places: &Places) -> anyhow::Result<()> {
    let log = places.log.as_deref().filter(|log| log.is_dir());
    log.map_or(Ok(()), Installation::forget).context("forget whose the log is")
}

/// A log without records, looked at.
fn empty_log(path: &Path, partitions: u16, clock: &Clock) -> anyhow::Result<logs::Examined> {
    let clock = clock.clone();
    let settings = eventlog::embedded::Settings { partitions, ..Default::default() };
    drop(EmbeddedLog::open(path, &settings, move || clock.now())?);
    Ok(logs::examine(path, partitions, &|_| None)?)
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

fn repair_log(
    log: &logs::Examined,
    folded: &Folded,
    aside: &Path,
    clock: &Clock,
    done: &mut Done,
) -> anyhow::Result<()> {
    let of = |n| folded.read_from(Partition(n)).unwrap_or_default()..folded.before(Partition(n));
    let folded: Vec<_> = (0..log.partitions.len() as u16).map(of).collect();
    let remedy =
        logs::Remedy { aside: &aside.join("log"), filler: record::LOST, folded: &folded, now: clock.now() };
    let rewritten = log.repair(&|record| fault::of_record(record).map(what), &remedy)?;
    if !rewritten.is_empty() {
        done.say(format!("the log was repaired; segments written anew: {}", rewritten.len()));
    }
    rewritten.into_iter().for_each(|path| done.keep("what was damaged", path));
    Ok(())
}

/// What is wrong. Nothing of a later version is repaired, so it says no more than this.
pub(super) fn what(fault: Fault) -> String {
    match fault {
        Fault::Damaged(what) | Fault::Later(what) => what,
    }
}

/// A folder that is not there yet.
fn aside(data: &Path, clock: &Clock) -> PathBuf {
    // To the second first, so that all names are equally long and sort by time.
    let now = clock.now();
    let time: String = Timestamp(now.0 / 1_000 * 1_000).to_string();
    let time: String = time.chars().filter(char::is_ascii_digit).collect();
    data.join(format!("damaged-{time}{:03}", now.0.rem_euclid(1_000)))
}
