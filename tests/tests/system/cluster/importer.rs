//! An import of the access log that lasts as long as we like.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::system::import::LOG;
use crate::system::site::parsed;

/// Lines that are given to it at a time, and how often: the log lasts for a good minute.
const LINES: usize = 8;
const EVERY: Duration = Duration::from_millis(50);

/// An import that is given the log bit by bit.
pub(super) struct Importer {
    child: Child,
    hurry: Arc<AtomicBool>,
    feeder: JoinHandle<()>,
}

impl Importer {
    /// Starts `command`, which reads its standard input.
    pub(super) fn start(mut command: Command) -> Self {
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = pipes.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let hurry = Arc::new(AtomicBool::new(false));
        let hurries = Arc::clone(&hurry);
        Self { child, hurry, feeder: thread::spawn(move || feed(input, &hurries)) }
    }

    /// Gives it the rest at once; it must do well. Gives what it reports.
    pub(super) fn finish(self) -> Value {
        self.hurry.store(true, Ordering::Relaxed);
        self.feeder.join().unwrap();
        parsed(&self.child.wait_with_output().unwrap())
    }
}

fn feed(mut input: ChildStdin, hurry: &AtomicBool) {
    let log = std::fs::read(LOG).unwrap();
    let lines: Vec<_> = log.split_inclusive(|byte| *byte == b'\n').collect();
    for lines in lines.chunks(LINES) {
        input.write_all(&lines.concat()).unwrap();
        if !hurry.load(Ordering::Relaxed) {
            thread::sleep(EVERY);
        }
    }
}
