//! Each run in a process of its own: tokio and others count some things for as long as a process lives, and what was counted
//! decides which of two ready branches is taken.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Plan, Report};

/// A run takes a second; on a busy machine some. One that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The plan of a seed.
    Seed(u64),
    /// Fixed work with one crash, after so many calls to disk and store; `power` says that the power is cut.
    Crash {
        /// `None` is without the crash.
        after: Option<u64>,
        /// Else only the process ends.
        power: bool,
    },
}

impl Task {
    /// Its plan.
    pub fn plan(self) -> Plan {
        match self {
            Self::Seed(seed) => Plan::of(seed),
            Self::Crash { after, power } => Plan::crash(after, power),
        }
    }

    /// Its arguments on the command line of this crate's program.
    pub fn arguments(self) -> Vec<String> {
        match self {
            Self::Seed(seed) => vec!["--seed".into(), seed.to_string()],
            Self::Crash { after, power } => {
                let mut arguments = vec!["--crash-after".into(), after.unwrap_or(0).to_string()];
                arguments.extend(power.then(|| "--power".into()));
                arguments
            }
        }
    }

    /// Runs it by the program.
    fn run(self, program: &Path) -> Result<Report, String> {
        let text = self.output(program).map_err(|error| format!("{}: {error}", program.display()))?;
        serde_json::from_str(&text).map_err(|_| {
            let how = self.arguments().join(" ");
            format!("{self:?} failed; again, with all that happened: simulation one {how} --trace\n{text}")
        })
    }

    /// What it says, if it says it in time.
    fn output(self, program: &Path) -> io::Result<String> {
        let mut command = Command::new(program);
        let command = command.arg("one").args(self.arguments()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let began = Instant::now();
        while child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Ok(format!("it does not end: {PATIENCE:?} were not enough"));
            }
            thread::sleep(Duration::from_millis(2));
        }
        let mut text = String::new();
        child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut text))?;
        if text.is_empty() {
            child.stderr.take().map_or(Ok(0), |mut stderr| stderr.read_to_string(&mut text))?;
        }
        Ok(text)
    }
}

/// Runs all of them, two side by side; stops after the first that fails.
pub fn run_all(program: &Path, tasks: &[Task]) -> Result<Vec<Report>, String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut reports = Vec::new();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::SeqCst)) {
            match task.run(program) {
                Ok(report) => reports.push(report),
                Err(error) => {
                    next.store(tasks.len(), Ordering::SeqCst);
                    return Err(error);
                }
            }
        }
        Ok(reports)
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        let mine = work();
        let other = other.join().unwrap_or_else(|_| Err("a thread of the runner panicked".into()));
        Ok([mine?, other?].concat())
    })
}

/// Fixed work that crashes after its first call to disk and store, after its second, and so on, to the last.
pub fn all_crash_points(program: &Path, power: bool) -> Result<Vec<Report>, String> {
    let whole = Task::Crash { after: None, power }.run(program)?;
    let tasks: Vec<_> =
        (1..=whole.first_calls).map(|after| Task::Crash { after: Some(after), power }).collect();
    run_all(program, &tasks)
}
