//! `hitmill doctor`: reads all that is kept on this machine, says what is damaged and what is lost by it, and repairs it.

mod examined;
mod finding;
mod folded;
mod repair;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

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
  the store   is cut back to what it was before the damage, and folds again what the log has from there on; where that is
              not enough it is made anew with its merchants, keys and data streams, and all of the log is folded again
  what was damaged is kept, as it was, in a folder damaged-... of the data directory

A repair may be stopped at any time, also by a cut of the power: then it is begun again. It is refused if a later version of
hitmill wrote anything here; and without --lose-numbers if the log has to be folded again and no longer has all hits.

Exit codes: 0 nothing is damaged, or all of it was repaired; 1 something is damaged; 2 asked in a wrong way.")]
pub(crate) struct Doctor {
    /// Repair what is damaged.
    #[arg(long)]
    repair: bool,
    /// Repair also if that loses numbers whose hits retention has deleted from the log.
    #[arg(long, requires = "repair")]
    lose_numbers: bool,
    #[command(flatten)]
    sources: Sources,
}

const COLUMNS: [&str; 5] = ["part", "place", "what", "lost", "appended"];

impl Doctor {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let settings = self.sources.load()?.settings;
        host::telemetry::init_logs(&settings.host)?;
        let places = Places::of(&settings)?;
        let examined = examined::examine(&places)?;
        let damaged = examined.findings.iter().filter(|finding| finding.damage).count();
        match global.format {
            Format::Json => output::one(global.format, &[], &examined)?,
            Format::Table | Format::Csv if examined.findings.is_empty() => {}
            Format::Table | Format::Csv => output::list(global.format, &COLUMNS, &examined.findings)?,
        }
        eprint!("{}", examined.summary());
        if examined.later > 0 {
            bail!(
                "a later version of hitmill has used this directory: only that one can tell what is damaged"
            );
        }
        match (damaged, self.repair) {
            (0, _) => eprintln!("nothing is damaged"),
            (1, false) => {
                bail!("1 thing is damaged: `hitmill doctor --repair` repairs it, at the loss that is shown")
            }
            (n, false) => {
                bail!(
                    "{n} things are damaged: `hitmill doctor --repair` repairs them, at the loss that is shown"
                )
            }
            (_, true) => repair::repair(&places, examined.held, self.lose_numbers).await?,
        }
        Ok(())
    }
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
        for (place, name) in [(&log, "log"), (&store, "store")] {
            if place.as_ref().is_some_and(|place| !place.is_dir()) {
                bail!(Usage(format!(
                    "{} has no folder {name:?}: it is not the data directory of a hitmill that was ever started",
                    data.display()
                )));
            }
        }
        Ok(Self { data, log, partitions: settings.log.partitions, store })
    }
}
