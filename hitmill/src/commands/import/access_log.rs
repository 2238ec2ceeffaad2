use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use model::{DataStreamId, MerchantId};

use super::courier::Courier;
use super::greeting::Greeting;
use super::importer::Importer;
use super::progress::Progress;
use super::rejects::Rejects;
use super::state::{self, Identity, State};
use crate::cli::Global;
use crate::client::Client;
use hitmill::access_log::{Counting, Lines, Source, fingerprint};

const READ_BYTES: usize = 256 * 1024;

/// Import a web server's log in common or combined format, as Apache and nginx write it.
///
/// Page views become hits named page_view, at the time at which they were: assets, feeds, redirects, errors and all
/// methods but GET are left out and counted. A visitor is an address and user agent together; the address itself is not
/// sent. Lines that cannot be read are shown, counted and kept in a file.
///
/// A log is known by its first line that can be read, and a hit by the number of its line. So the same log can be
/// imported again: what is there already is not counted twice, of a log that has grown the new lines are added, and after
/// a crash the same command goes on where it was. A log whose first line was cut away by rotation is another log.
///
/// The last line of a file that does not end with a newline is left for the next import: it may be still being written.
/// Standard input is taken to its end, and packed logs are read by way of it:
/// zcat access.log.gz | hitmill import access-log - --merchant 7
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill import access-log /var/log/nginx/access.log --merchant 7
  hitmill import access-log access.log --merchant 7 --all --data-stream 3

Exit code 0 if hits were sent, even if some lines could not be read; 1 if nothing could be sent.")]
pub(crate) struct AccessLog {
    /// The log; `-` reads standard input.
    file: PathBuf,
    /// Whose hits these are.
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    /// Count every request as a hit named `request`, with its method, status and bytes. Beside the page views, if those
    /// are imported too.
    #[arg(long)]
    all: bool,
    /// The data stream that the hits are shown under; the merchant's first one if not given.
    #[arg(long, value_name = "ID")]
    data_stream: Option<DataStreamId>,
    /// Where to write the lines that cannot be read; FILE's name with `.rejects` in the current directory if not given.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Where to remember how far the import came; hitmill's directory in $XDG_STATE_HOME or ~/.local/state if not given.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Send everything again, whatever is remembered. Still nothing is counted twice.
    #[arg(long)]
    restart: bool,
    /// Return only when queries give the new numbers.
    #[arg(long)]
    wait: bool,
}

impl AccessLog {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let started = Instant::now();
        let (log, bytes) =
            open(&self.file).with_context(|| format!("failed to open {}", self.file.display()))?;
        let (known_by, log) =
            fingerprint(log).with_context(|| format!("failed to read {}", self.file.display()))?;
        let mut lines = Lines::new(log, if bytes.is_some() { Source::File } else { Source::Stream });
        let client_id = format!("access-log:{}:{known_by:016x}", self.counting().name());
        let client = Client::connect(global).await?;
        let data_stream = self.data_stream.map_or(0, |id| id.0);
        let greeting = Greeting::hear(&client, self.merchant, data_stream).await?;

        let instance_id = greeting.instance_id.clone();
        let identity = Identity { instance_id, merchant_id: self.merchant.0, client_id };
        let directory = self.state.clone().unwrap_or_else(state::default_directory);
        let state = State::open(&directory, identity, self.restart, started);
        if state.line() > 0 {
            eprintln!("going on after line {}: an earlier import came so far", state.line());
        }
        let rejects = Rejects::new(self.rejects_path(), state.line() > 0);
        let courier = Courier::new(global, self.merchant, data_stream)?;
        let mut importer = Importer::new(self.counting(), courier, rejects, state);
        let mut progress = Progress::start(bytes);
        while let Some(line) =
            lines.next_line().with_context(|| format!("failed to read {}", self.file.display()))?
        {
            importer.line(line).await?;
            progress.line(lines.bytes());
        }
        let mut report = importer.finish().await?;
        progress.finish();
        let waited = if self.wait { greeting.wait_for_numbers(&client, self.merchant).await } else { Ok(()) };
        report.seconds = started.elapsed().as_secs_f64();
        // Also if the server went away since: what it has acknowledged stays.
        report.print(global.format)?;
        waited?;
        if !self.wait && report.accepted > 0 {
            eprintln!("queries give the new numbers in a moment: each answer says up to when it is complete");
        }
        report.check()
    }

    fn counting(&self) -> Counting {
        if self.all { Counting::All } else { Counting::Pages }
    }

    fn rejects_path(&self) -> PathBuf {
        self.rejects.clone().unwrap_or_else(|| {
            let name = if is_stdin(&self.file) { None } else { self.file.file_name() };
            let mut name = name.unwrap_or("stdin".as_ref()).to_owned();
            name.push(".rejects");
            name.into()
        })
    }
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// The log, and how many bytes it has if it is a file.
fn open(file: &Path) -> io::Result<(Box<dyn BufRead>, Option<u64>)> {
    if is_stdin(file) {
        return Ok((Box::new(BufReader::with_capacity(READ_BYTES, io::stdin())), None));
    }
    let opened = File::open(file)?;
    let about = opened.metadata()?;
    let bytes = about.is_file().then_some(about.len());
    Ok((Box::new(BufReader::with_capacity(READ_BYTES, opened)), bytes))
}
