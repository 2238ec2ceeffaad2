use std::io::Result;
use std::path::{Path, PathBuf};

use ::disk::{Disk as Device, File, Mode};
use bytes::Bytes;

use super::record;
use crate::core::Pos;
use crate::core::queue::Entry;

/// What one file of the queue directory says, one after the other. Files are `NNNNNNNNNNNN.hits`, read in the order of
/// their numbers.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Record {
    #[prost(uint64, tag = "1")]
    pub(crate) epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) seq: u64,
    /// Of a hit: when it was queued.
    #[prost(int64, tag = "3")]
    pub(crate) time_ms: i64,
    /// The hit at this place.
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) hit: Bytes,
    /// Not 0 if this is no hit, but says that the server knows what became of everything up to this place, and that
    /// the next hit has at least this seq in the epoch `next_epoch`.
    #[prost(uint64, tag = "5")]
    pub(crate) next_seq: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) next_epoch: u64,
}

impl Record {
    /// A queued hit.
    pub(crate) fn hit(entry: &Entry) -> Self {
        let Pos { epoch, seq } = entry.at;
        Self { epoch, seq, time_ms: entry.time_ms, hit: entry.hit.clone(), next_seq: 0, next_epoch: 0 }
    }

    /// The server knows what became of everything up to `told`, and the next hit gets `next`.
    pub(crate) fn told(told: Pos, next: Pos) -> Self {
        Self {
            epoch: told.epoch,
            seq: told.seq,
            next_seq: next.seq,
            next_epoch: next.epoch,
            ..Self::default()
        }
    }

    /// Whether it is a hit.
    pub(crate) fn is_hit(&self) -> bool {
        self.next_seq == 0
    }

    /// The place it is about.
    pub(crate) fn at(&self) -> Pos {
        Pos { epoch: self.epoch, seq: self.seq }
    }
}

/// A file of the queue directory.
#[derive(Debug)]
pub(crate) struct Segment {
    path: PathBuf,
    /// The last hit in it.
    pub(crate) last: Pos,
}

impl Segment {
    /// The file of this number.
    pub(crate) fn new(directory: &Path, number: u64) -> Self {
        Self { path: directory.join(format!("{number:012}.hits")), last: Pos::default() }
    }

    /// The numbers of the files that exist, in order.
    pub(crate) fn numbers(device: &dyn Device, directory: &Path) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for name in device.list(directory)? {
            let number = name.to_str().and_then(|name| name.strip_suffix(".hits")?.parse::<u64>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Its whole records, and whether bytes were left that are none.
    pub(crate) fn read(&mut self, device: &dyn Device) -> Result<(Vec<Record>, bool)> {
        let mut bytes = Bytes::from(::disk::read(device, &self.path)?);
        let records: Vec<Record> = std::iter::from_fn(|| record::read(&mut bytes)).collect();
        self.last = records.iter().filter(|r| r.is_hit()).map(Record::at).max().unwrap_or_default();
        Ok((records, !bytes.is_empty()))
    }

    /// Deletes the file.
    pub(crate) fn delete(&self, device: &dyn Device) -> Result<()> {
        device.remove(&self.path)
    }
}

/// The file that is written.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Which it is.
    pub(crate) segment: Segment,
    file: Box<dyn File>,
    len: u64,
}

impl Tail {
    /// Starts a new file.
    pub(crate) fn create(device: &dyn Device, segment: Segment) -> Result<Self> {
        let file = device.open(&segment.path, Mode::Create)?;
        Ok(Self { segment, file, len: 0 })
    }

    /// Appends records, all of them or, if that fails, none.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<()> {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record::write(record, &mut bytes));
        // Always at the end of what is whole: an earlier write may have stopped half way.
        if let Err(error) = self.file.write_all_at(&bytes, self.len) {
            self.file.set_len(self.len)?;
            return Err(error);
        }
        self.len += bytes.len() as u64;
        let hits = records.iter().filter(|record| record.is_hit());
        self.segment.last = hits.map(Record::at).fold(self.segment.last, Pos::max);
        Ok(())
    }

    /// Its length.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}
