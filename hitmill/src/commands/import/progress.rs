use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

/// Without a terminal, a line is printed this often.
const EVERY: Duration = Duration::from_secs(5);
/// Asking for the time on every line would cost more than reading it.
const LOOK_EVERY: u64 = 256;

/// How far an import is, on standard error: a bar on a terminal, and a line now and then elsewhere.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total_bytes: Option<u64>,
    started: Instant,
    told: Instant,
    lines: u64,
}

impl Progress {
    /// Starts; `total_bytes` is known of files.
    pub(super) fn start(total_bytes: Option<u64>) -> Self {
        let now = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| bar(total_bytes));
        Self { bar, total_bytes, started: now, told: now, lines: 0 }
    }

    /// Another line was read; `bytes` in all.
    pub(super) fn line(&mut self, bytes: u64) {
        self.lines += 1;
        if self.lines.is_multiple_of(LOOK_EVERY) {
            self.tell(bytes);
        }
    }

    /// Leaves the terminal clean.
    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn tell(&mut self, bytes: u64) {
        let per_second = self.lines as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(format!("{} lines/s", HumanCount(per_second as u64)));
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            let of = self.total_bytes.map(|total| format!(" of {}", HumanBytes(total))).unwrap_or_default();
            let lines = HumanCount(self.lines);
            eprintln!("{lines} lines, {}{of}, {} lines/s", HumanBytes(bytes), HumanCount(per_second as u64));
        }
    }
}

fn bar(total_bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match total_bytes {
        Some(total) => {
            (ProgressBar::new(total), "{wide_bar} {bytes}/{total_bytes} {percent} %  {msg}  {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
