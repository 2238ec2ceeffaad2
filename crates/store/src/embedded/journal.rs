//! One journal of fjall, read by us before fjall reads it.
//!
//! fjall takes a journal up to what it cannot read and cuts off the rest, whatever that was, and fails at a checksum that does not
//! fit.
//!
//! It is batches, one after the other, and zeros to its end.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::batch::{Reader, Stop};

const PIECE: usize = 1 << 20;

/// A journal, as far as it can be read.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) path: PathBuf,
    pub(super) id: u64,
    /// Behind the last whole batch.
    pub(super) end: u64,
    /// The number of the last whole batch.
    pub(super) last: Option<u64>,
    /// The keyspaces that its whole batches write to.
    pub(super) keyspaces: BTreeSet<u64>,
    /// What is wrong with what follows it, if anything but zeros does.
    pub(super) broken: Option<String>,
}

impl Walked {
    /// Cuts it, or a copy of it, off behind its last whole batch, durably.
    pub(super) fn cut(&self, file: &Path) -> io::Result<()> {
        let file = File::options().write(true).open(file)?;
        file.set_len(self.end)?;
        file.sync_all()
    }
}

pub(super) fn walk(id: u64, path: PathBuf) -> io::Result<Walked> {
    let file = File::open(&path)?;
    let left = file.metadata()?.len();
    let mut reader = Reader::new(BufReader::with_capacity(PIECE, file), left);
    let (mut here, mut before) = ((0, None), (0, None));
    let mut keyspaces = BTreeSet::new();
    let what = loop {
        let mut written = BTreeSet::new();
        let batch = reader.whole(&mut |item| _ = written.insert(item.keyspace));
        if batch.is_ok() {
            keyspaces.append(&mut written);
        }
        match batch {
            // The checksum does not cover the number, and a wrong one would hide later commits. One of the two is wrong.
            Ok(seqno) if here.1.is_some_and(|last| seqno <= last) => {
                here = before;
                break "the numbers of two batches do not rise";
            }
            Ok(seqno) => (before, here) = (here, (left - reader.left, Some(seqno))),
            Err(Stop::Broken(what)) => break what,
            Err(Stop::Failed(error)) => return Err(error),
        }
    };
    let (end, last) = here;
    // fjall makes a journal long and fills it up: behind the last batch there are zeros.
    let broken = if only_zeros(reader.input.into_inner(), end)? { None } else { Some(what.to_owned()) };
    Ok(Walked { path, id, end, last, keyspaces, broken })
}

fn only_zeros(mut file: File, from: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(from))?;
    let (mut bytes, zeros) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(true),
            read if bytes[..read] != zeros[..read] => return Ok(false),
            _ => {}
        }
    }
}
