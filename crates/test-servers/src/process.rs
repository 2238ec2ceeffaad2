//! One process of a server: started, watched, stopped by its id.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::keeper::Keeper;

/// How long a server may take until it is well. It takes seconds; minutes where many share a processor.
const PATIENCE: Duration = Duration::from_secs(300);

/// What to run, and where what it says goes.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(&'static str, String)>,
    /// The working folder.
    pub(crate) folder: PathBuf,
    pub(crate) log: PathBuf,
}

impl Launch {
    /// Starts it in the process group `group`, 0 for one of its own.
    pub(crate) fn spawn(&self, group: i32) -> Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log: File = log.with_context(|| format!("failed to open {}", self.log.display()))?;
        Command::new(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(group)
            .spawn()
            .with_context(|| format!("failed to start {}", self.program.display()))
    }
}

/// A server of a test: a process that can be killed and started again with the same arguments.
#[derive(Debug)]
pub(crate) struct Process {
    launch: Launch,
    group: i32,
    child: Option<Child>,
}

impl Process {
    pub(crate) fn start(launch: Launch, keeper: &Keeper) -> Result<Self> {
        let mut process = Self { launch, group: keeper.group(), child: None };
        process.start_again()?;
        Ok(process)
    }

    /// Starts it where it has been stopped or killed.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        if self.running() {
            bail!("{} is running: kill or stop it first", self.launch.program.display());
        }
        self.child = Some(self.launch.spawn(self.group)?);
        Ok(())
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(crate) fn running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.gone(PATIENCE).await
    }

    /// SIGTERM, and waits until it is gone.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        self.gone(PATIENCE).await
    }

    /// Sends a signal, if it still runs.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        // Not yet waited for, so the id is still its own.
        if self.running()
            && let Some(child) = &self.child
        {
            kill_process(Pid::from_child(child), signal)
                .with_context(|| format!("failed to signal process {}", child.id()))?;
        }
        Ok(())
    }

    /// Waits until `healthy` says so. A server that ends meanwhile, or never gets well, is an error with its last words.
    pub(crate) async fn wait_for(&mut self, healthy: impl AsyncFn() -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            if !self.running() {
                bail!("{} ended at its start; it said\n{}", self.launch.program.display(), self.last_words());
            }
            if healthy().await {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                let waited = PATIENCE.as_secs();
                let program = self.launch.program.display();
                bail!("{program} is not well after {waited} s; it said\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn last_words(&self) -> String {
        log_end(&self.launch.log)
    }

    /// How many bytes it has said, it and those before it.
    pub(crate) fn log_size(&self) -> u64 {
        fs::metadata(&self.launch.log).map_or(0, |log| log.len())
    }

    /// What it has said after that many bytes.
    pub(crate) fn log_from(&self, bytes: u64) -> String {
        let log = fs::read(&self.launch.log).unwrap_or_default();
        let from = usize::try_from(bytes).unwrap_or(usize::MAX).min(log.len());
        String::from_utf8_lossy(&log[from..]).into_owned()
    }

    async fn gone(&mut self, patience: Duration) -> Result<()> {
        let began = Instant::now();
        while self.running() {
            if began.elapsed() > patience {
                bail!(
                    "{} still runs {} s after it was told to end",
                    self.launch.program.display(),
                    patience.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.child = None;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself, which is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The end of a log file, for an error.
pub(crate) fn log_end(log: &Path) -> String {
    last_lines(&fs::read(log).unwrap_or_default(), 20)
}

/// The last `count` lines, long ones cut.
pub(crate) fn last_lines(text: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<String> =
        text.lines().map(|line| format!("  | {}", line.chars().take(300).collect::<String>())).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_are_the_last() {
        assert_eq!(last_lines(b"a\nb\nc\n", 2), "  | b\n  | c");
        assert_eq!(last_lines(b"", 2), "");
        assert_eq!(last_lines(&[b'x'; 400], 1).len(), 4 + 300);
    }
}
