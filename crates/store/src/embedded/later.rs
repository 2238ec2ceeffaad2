//! What can still be read behind damage in the journals of a store.

use std::fs;
use std::io;

use super::batch::{Batch, Item, Reader, START};
use super::journal::Walked;
use crate::Write;

/// In this keyspace fjall keeps which others there are.
const OF_KEYSPACES: u64 = 0;

/// Which values are looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The first bytes of their keys. The keyspace that says the format has no such key.
    pub(super) families: &'a [u8],
    /// The number of the first commit that the store does not have.
    pub(super) from: u64,
}

/// What of it was written behind the damage.
#[derive(Default)]
pub(super) struct Later {
    /// In the order in which it was written.
    pub(super) writes: Vec<Write>,
    /// The number of the last commit of which anything is known.
    pub(super) last: u64,
    /// Whether there may have been other writes of it, which cannot be read.
    pub(super) more: bool,
    /// Whether something that cannot be read is behind the last commit that is known.
    pub(super) torn: bool,
}

impl Later {
    /// Takes up what is in a journal from an offset on.
    pub(super) fn read(&mut self, journal: &Walked, from: u64, wanted: Wanted<'_>) -> io::Result<()> {
        // Nothing that comes behind it was torn.
        self.more |= std::mem::take(&mut self.torn);
        let bytes = fs::read(&journal.path)?;
        // A batch ends with the name of the format, and what is behind the last one is zeros.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let mut rest = bytes.get(from as usize..used).unwrap_or_default();
        while !rest.is_empty() {
            match read(rest, wanted) {
                Some(Read { batch: Batch { seqno, broken: None }, writes, bytes }) => {
                    // A number that does not rise is damaged itself; the true one is that of a new commit if the one before is.
                    let damaged = seqno <= self.last;
                    if seqno >= wanted.from || damaged && self.last + 1 >= wanted.from {
                        self.writes.extend(writes);
                    } else {
                        // fjall skips it too: what the tables have is newer.
                        self.more |= damaged && !writes.is_empty();
                    }
                    self.last = self.last.max(seqno);
                    rest = &rest[bytes..];
                }
                broken => {
                    let next = (1..rest.len()).find(|&at| is_whole(&rest[at..]));
                    let (gap, behind) = rest.split_at(next.unwrap_or(rest.len()));
                    match broken {
                        // One batch of which the lengths fit is damaged, and nothing else: its keys say what it wrote. Where several
                        // such keys are written at once, one that is damaged itself hides nothing.
                        Some(Read { batch, writes, bytes }) if bytes == gap.len() => {
                            self.last = self.last.max(batch.seqno);
                            self.more |= !writes.is_empty();
                        }
                        _ if behind.is_empty() => self.torn = true,
                        _ => self.more = true,
                    }
                    rest = behind;
                }
            }
        }
        Ok(())
    }
}

struct Read {
    batch: Batch,
    writes: Vec<Write>,
    /// How long it is.
    bytes: usize,
}

/// The batch at the start, if the lengths in it fit.
fn read(bytes: &[u8], wanted: Wanted<'_>) -> Option<Read> {
    let mut writes = Vec::new();
    let mut each = |Item { keyspace, kind, key, value }: Item<'_>| {
        let is_wanted = key.first().is_some_and(|family| wanted.families.contains(family));
        if keyspace != OF_KEYSPACES && is_wanted {
            let (key, value) = (key.to_vec().into(), value.to_vec().into());
            writes.push(if kind == 0 { Write::Put(key, value) } else { Write::Delete(key) });
        }
    };
    let mut reader = Reader::new(bytes, bytes.len() as u64);
    let batch = reader.batch(&mut each).ok()?;
    Some(Read { batch, writes, bytes: bytes.len() - reader.left as usize })
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.first() == Some(&START) && Reader::new(bytes, bytes.len() as u64).whole(&mut |_| {}).is_ok()
}
