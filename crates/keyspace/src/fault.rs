//! What is wrong with stored bytes whose checksums fit: for those who look for damage.

use model::Partition;

use crate::cell::{Cell, CellKey};
use crate::checkpoint::Checkpoint;
use crate::config::counters::Counters;
use crate::fate::Fates;
use crate::lease::Entry;
use crate::progress::Progress;
use crate::touched::Touched;
use crate::visitor::Bucket;
use crate::{Malformed, folded, progress, record};

/// The families of configuration, with which cells can be folded anew from the log: see [`crate::config`].
pub const CONFIGURATION: [u8; 8] = [0x01, 0x02, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25];

/// What is wrong with a stored value, if anything is. The messages of the configuration are not read, only their family is.
pub fn of_value(key: &[u8], value: &[u8]) -> Option<String> {
    let read = match key.first()? {
        0x10 if CellKey::decode(key).is_none() => return Some("its key is of no cell".to_owned()),
        0x10 => Cell::decode(value).map(drop),
        0x11 => Touched::decode(value).map(drop),
        0x12 => Progress::decode(value).map(drop),
        0x13 => Bucket::decode(value).map(drop),
        0x14 => Fates::decode(value).map(drop),
        0x15 => Checkpoint::decode(value).map(drop),
        0x16 => Entry::decode(key, value).map(drop),
        0x17 => folded::decode_newest(value).map(drop),
        0x24 if Counters::decode(value).is_none() => return Some("it is no counters".to_owned()),
        family if CONFIGURATION.contains(family) => Ok(()),
        family => return Some(format!("this version knows no family {family:#04x}")),
    };
    read.err().map(|why: Malformed| why.to_string())
}

/// What is wrong with a record of the log, if anything is.
pub fn of_record(record: &[u8]) -> Option<String> {
    let read = record::read(record).and_then(|mut entries| entries.try_for_each(|entry| entry.map(drop)));
    read.err().map(|why| why.to_string())
}

/// Of a value that says so: up to before which record of a partition the log is folded.
pub fn folded_before(key: &[u8], value: &[u8]) -> Option<(Partition, u64)> {
    match key.first()? {
        0x12 => {
            let applied = Progress::decode(value).ok()?.applied_through;
            Some((progress::partition_of(key)?, applied.entry + 1))
        }
        0x15 => {
            let partition = key.get(1..)?.try_into().ok().map(u16::from_be_bytes)?;
            Some((Partition(partition), Checkpoint::decode(value).ok()?.read_from.entry))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{Generation, MerchantId, Position, Timestamp};

    use super::*;
    use crate::checkpoint;
    use crate::visitor::Slots;

    #[test]
    fn what_is_folded_is_before_the_next_record() {
        let at = Position::of_entry(7);
        let checkpoint =
            Checkpoint { read_from: at, complete_until: Timestamp(1), generation: Generation::FIRST };
        let key = checkpoint::key(Partition(3));
        assert_eq!(folded_before(&key, &checkpoint.encode()), Some((Partition(3), 7)));

        let progress =
            Progress { applied_through: at, commits: 1, state_through: None, slots: Slots::default() };
        let key = progress::key(MerchantId(9), Generation::FIRST, Partition(3));
        assert_eq!(folded_before(&key, &progress.encode()), Some((Partition(3), 8)));
        assert_eq!(of_value(&key, &progress.encode()), None);
    }

    #[test]
    fn values_that_no_family_has() {
        assert_eq!(of_value(&[0x18, 1], &[1]).unwrap(), "this version knows no family 0x18");
        assert_eq!(of_value(&[0x15, 0, 0], &[9]).unwrap(), "version of a checkpoint 9 is not known");
        assert_eq!(of_value(&[0x10], &[1]).unwrap(), "its key is of no cell");
        assert_eq!(of_record(record::EMPTY), None);
        assert!(of_record(&[2]).is_some());
    }
}
