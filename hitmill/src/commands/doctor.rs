//! `hitmill doctor`: reads all that is kept on this machine, says what is damaged and what is lost by it, and repairs it.

mod counted;
mod examined;
mod finding;
mod folded;
mod remade;
mod repair;
mod seen;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use eventlog::embedded::doctor as logs;
use keyspace::fault;

use self::examined::Examined;
use self::finding::{Finding, LOSE_MERCHANTS, LOSE_NUMBERS, PUT_BACK};
use crate::cli::Global;
use crate::failure::Usage;
use crate::output::{self, Format};
use crate::settings::{Settings, Sources};

/// Look through the data of this machine for damage, and repair it.
///
/// Reads every record of the log and every value of the store, and says what does not fit, where, and what is lost by it.
/// Stop the server first: its data directory belongs to one process. Nothing is changed; the store is looked at in a copy, which
/// takes space for its journals, some hundred megabytes.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill doctor
  hitmill doctor --data /var/lib/hitmill --format json
  hitmill doctor --repair

With --repair:
  the log     every record that can be read keeps its place; an empty one stands for each that is lost
  the store   is cut back to what it was before the damage, and folds again what the log has from there on; what later commits
              changed of merchants, keys and data streams is kept, as far as they can be read. Where that is not enough it is made
              anew with all merchants, keys and data streams, and all of the log is folded again
  what was damaged is kept, as it was, in a folder damaged-... of the data directory

A repair may be stopped at any time, also by a cut of the power: then it is begun again. It is refused if a later version of
hitmill wrote anything here; without --lose-numbers if the log has to be folded again and no longer has all hits; and without
--lose-merchants if a merchant, a key or a data stream may be gone. No id that somebody has hits under in the log is given out again.

Exit codes: 0 nothing is damaged, or all of it was repaired; 1 something is damaged; 2 asked in a wrong way.")]
pub(crate) struct Doctor {
    /// Repair what is damaged.
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    agreed: Agreed,
    #[command(flatten)]
    sources: Sources,
}

/// What a repair may lose.
#[derive(Clone, Copy, Debug, Args)]
struct Agreed {
    /// Repair also if that loses numbers whose hits retention has deleted from the log.
    #[arg(long = "lose-numbers", requires = "repair")]
    numbers: bool,
    /// Repair also if that loses merchants, keys or data streams.
    #[arg(long = "lose-merchants", requires = "repair")]
    merchants: bool,
}

impl Agreed {
    /// What has to be agreed to.
    fn needed(findings: &[Finding]) -> Vec<&'static str> {
        let any = |agreement: &str| findings.iter().any(|finding| finding.needs(agreement));
        [LOSE_MERCHANTS, LOSE_NUMBERS].into_iter().filter(|agreement| any(agreement)).collect()
    }
}

const COLUMNS: [&str; 5] = ["part", "place", "what", "lost", "appended"];

impl Doctor {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let settings = self.sources.load()?.settings;
        host::telemetry::init_logs(&settings.host)?;
        let places = Places::of(&settings)?;
        let mut examined = examined::examine(&places)?;
        let damaged = examined.findings.iter().filter(|finding| finding.damage).count();
        let held = examined.held.take();
        let strangers = held.as_ref().is_some_and(|held| held.strangers().is_some());
        let asked = self.repair && damaged > 0 && examined.later == 0;
        if global.format != Format::Json {
            show(global.format, &examined)?;
        }
        let outcome = match held.filter(|_| asked) {
            Some(held) => repair::repair(&places, held, self.agreed).await.map(Some),
            None => Ok(None),
        };
        if global.format == Format::Json {
            examined.repaired = outcome.as_ref().ok().cloned().flatten();
            show(global.format, &examined)?;
        }
        outcome?;
        if examined.later > 0 {
            bail!(
                "a later version of hitmill has used this directory: only that one can tell what is damaged"
            );
        }
        if strangers {
            bail!("{PUT_BACK}");
        }
        if damaged > 0 && !asked {
            let needs: String = examined.needs.iter().map(|agreement| format!(" {agreement}")).collect();
            let (things, them) = if damaged == 1 { ("thing is", "it") } else { ("things are", "them") };
            bail!(
                "{damaged} {things} damaged: `hitmill doctor --data {} --repair{needs}` repairs {them}, at the loss that is shown",
                places.data.display()
            );
        }
        eprintln!("nothing is damaged{}", if asked { " any more" } else { "" });
        Ok(())
    }
}

/// Shows what was found: for people one after the other, since what is lost takes a sentence.
fn show(format: Format, examined: &Examined) -> anyhow::Result<()> {
    match format {
        Format::Json => output::one(format, &[], examined)?,
        Format::Csv => output::list(format, &COLUMNS, &examined.findings)?,
        Format::Table => {
            for finding in &examined.findings {
                let known =
                    COLUMNS.into_iter().filter(|column| *column != "appended" || finding.appended.is_some());
                output::one(format, &known.collect::<Vec<_>>(), finding)?;
                println!();
            }
        }
    }
    eprint!("{}", examined.summary());
    Ok(())
}

/// Refuses what would need a log that is whole, where there is none on this machine or it is not. Reads it only if it is to be
/// `read`.
pub(super) fn check_log(settings: &Settings, read: bool) -> anyhow::Result<()> {
    if !settings.pulsar.url.is_empty() {
        return Ok(());
    }
    let places = Places::of(settings)?;
    let Some(log) = places.log.filter(|_| read) else { return Ok(()) };
    let judge = |record: &[u8]| fault::of_record(record).map(repair::what);
    let examined = logs::examine(&log, places.partitions, &judge)?;
    match examined.findings.iter().find(|finding| finding.loss != logs::Loss::TornTail) {
        None => Ok(()),
        Some(found) => bail!(
            "{} at offset {}: {}: `hitmill doctor --data {}` says what is lost, and can repair it",
            found.file.display(),
            found.offset,
            found.what,
            places.data.display()
        ),
    }
}

/// Whether a folder has what a log or a store has, or is empty.
fn is_ours(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let of_log = |name: &str| name == "meta" || name.len() == 6 && name.starts_with('p');
    let of_store = |name: &str| name == "keyspaces" || name.ends_with(".jnl");
    names.is_empty() || names.iter().any(|name| of_log(name) || of_store(name))
}

/// What is kept on this machine.
struct Places {
    data: PathBuf,
    /// Unless it is in Pulsar.
    log: Option<PathBuf>,
    /// How many partitions the log should have.
    partitions: u16,
    /// Unless it is in TiKV.
    store: Option<PathBuf>,
}

impl Places {
    fn of(settings: &Settings) -> anyhow::Result<Self> {
        let data = settings.host.data.clone();
        let here = |elsewhere: &str, name: &str| elsewhere.is_empty().then(|| data.join(name));
        let log = here(&settings.pulsar.url, "log");
        let store = here(&settings.tikv.endpoints, "store");
        if log.is_none() && store.is_none() {
            bail!(Usage(
                "the log is in Pulsar and the store in TiKV: there is nothing on this machine".to_owned()
            ));
        }
        match fs::read_dir(&data) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("failed to look into {}", data.display()));
            }
            _ => {}
        }
        // A folder of that name may be anybody's.
        let there = |place: &Option<PathBuf>| place.as_deref().is_some_and(is_ours);
        if !there(&log) && !there(&store) {
            bail!(Usage(format!(
                "{} has no folder \"log\" and no folder \"store\": it is not the data directory of a hitmill that was ever started",
                data.display()
            )));
        }
        Ok(Self { data, log, partitions: settings.log.partitions, store })
    }
}
