//! One life of a process, from its start to its end, which comes in the middle of some call to the disk or the store.

use std::io;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::trace::Trace;

/// One life of a process.
#[derive(Debug)]
pub(crate) struct Life {
    /// Whose it is.
    name: String,
    dead: AtomicBool,
    /// Calls to the disk and the store so far.
    calls: AtomicU64,
    /// The call after which it ends.
    last: AtomicU64,
    pub(crate) trace: Arc<Trace>,
}

/// What unwinds the tasks of a process that has ended.
struct Ended;

impl Life {
    /// A life without end.
    pub(crate) fn new(name: &str, trace: &Arc<Trace>) -> Arc<Self> {
        let (dead, calls, last) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Arc::new(Self { name: name.to_owned(), dead, calls, last, trace: Arc::clone(trace) })
    }

    /// It will end after this many calls to the disk and the store, counted from its start.
    pub(crate) fn ends_after(&self, calls: u64) {
        self.last.store(calls, Ordering::SeqCst);
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Ends it from outside.
    pub(crate) fn end(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    /// Ends it from inside.
    pub(crate) fn die(&self) -> ! {
        self.end();
        panic::resume_unwind(Box::new(Ended))
    }

    /// To be called before and after a call whose caller can wait: the dead never hear of what became of it.
    pub(crate) async fn hear(&self) {
        if self.is_over() {
            std::future::pending::<()>().await;
        }
    }

    /// The same for a call that cannot wait.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.is_over() { Err(io::Error::other("the process has ended")) } else { Ok(()) }
    }

    /// To be called when something was done: it may have been the last that this process did.
    pub(crate) fn done(&self, what: impl FnOnce() -> String) {
        self.trace.add(|| format!("{}: {}", self.name, what()));
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if calls >= self.last.load(Ordering::SeqCst) {
            self.trace.add(|| format!("{} ends after call {calls}", self.name));
            self.end();
        }
    }
}
