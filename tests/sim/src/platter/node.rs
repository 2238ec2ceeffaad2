use std::collections::BTreeMap;
use std::mem;

use crate::dice::Dice;

/// What a disk writes as a whole or not at all.
const SECTOR: usize = 512;

/// The bytes of a file.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// As the system shows them.
    pub(crate) bytes: Vec<u8>,
    /// As they were at the last sync.
    synced: Vec<u8>,
    /// What changed since then, in order.
    changes: Vec<Change>,
    /// A sync failed: nobody knows which of the changes the system still has.
    unsure: bool,
}

#[derive(Debug)]
enum Change {
    Written(usize, Vec<u8>),
    Resized(usize),
}

impl Node {
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(&mut self.bytes, offset, bytes);
        self.changes.push(Change::Written(offset, bytes.to_owned()));
    }

    pub(crate) fn resize(&mut self, len: usize) {
        self.bytes.resize(len, 0);
        self.changes.push(Change::Resized(len));
    }

    pub(crate) fn sync(&mut self) {
        for change in self.changes.drain(..) {
            match change {
                Change::Written(offset, bytes) => put(&mut self.synced, offset, &bytes),
                Change::Resized(len) => self.synced.resize(len, 0),
            }
        }
    }

    /// Some of the changes are on the disk, the others are dropped and will not be tried again.
    pub(crate) fn fail_to_sync(&mut self, dice: &mut Dice) {
        keep(&mut self.synced, mem::take(&mut self.changes), dice, 4);
        self.unsure = true;
    }

    /// The process that had it open has ended.
    pub(crate) fn settle(&mut self) {
        if mem::take(&mut self.unsure) {
            self.bytes = self.synced.clone();
        }
    }

    pub(crate) fn cut(&mut self, dice: &mut Dice, kept_of_8: u64) {
        keep(&mut self.synced, mem::take(&mut self.changes), dice, kept_of_8);
        self.bytes = self.synced.clone();
        self.unsure = false;
    }

    /// Flips a bit for good, and says which.
    pub(crate) fn flip(&mut self, dice: &mut Dice) -> Option<usize> {
        let bit = dice.below(self.synced.len() as u64 * 8) as usize;
        *self.synced.get_mut(bit / 8)? ^= 1 << (bit % 8);
        self.bytes = self.synced.clone();
        Some(bit)
    }
}

/// Takes over what of the changes had reached the disk: of about so many of eight sectors, what they were like after all
/// changes; of the others, what they were like at some time before.
fn keep(bytes: &mut Vec<u8>, changes: Vec<Change>, dice: &mut Dice, kept_of_8: u64) {
    let (all, mut reached) = (changes.len() as u64, BTreeMap::new());
    let mut reaches = |sector: usize, number: usize| {
        let last = reached.entry(sector).or_insert_with(|| {
            if dice.below(8) < kept_of_8 { all } else { dice.below(1 + all.min(kept_of_8 * all)) }
        });
        (number as u64) < *last
    };
    for (number, change) in changes.into_iter().enumerate() {
        match change {
            // The length is kept apart from the bytes.
            Change::Resized(len) if reaches(usize::MAX, number) => bytes.resize(len, 0),
            Change::Resized(_) => {}
            Change::Written(offset, written) => {
                let mut from = 0;
                while from < written.len() {
                    let to = written.len().min(from + SECTOR - (offset + from) % SECTOR);
                    if reaches((offset + from) / SECTOR, number) {
                        put(bytes, offset + from, &written[from..to]);
                    }
                    from = to;
                }
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}
