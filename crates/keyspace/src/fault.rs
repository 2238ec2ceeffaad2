//! What is wrong with stored bytes whose checksums fit: for those who look for damage.

use crate::cell::{Cell, CellKey};
use crate::checkpoint::Checkpoint;
use crate::config::counters::{self, Counters};
use crate::fate::Fates;
use crate::lease::Entry;
use crate::progress::Progress;
use crate::touched::Touched;
use crate::visitor::Bucket;
use crate::{Malformed, cell, checkpoint, config, fate, folded, lease, progress, record, touched, visitor};

/// What is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// They are not what was written, or what was written was wrong.
    Damaged(String),
    /// A version, tag or family that is not known here: a later version wrote them.
    Later(String),
}

impl From<Malformed> for Fault {
    fn from(why: Malformed) -> Self {
        match why {
            Malformed::Unknown { .. } => Self::Later(why.to_string()),
            Malformed::Short | Malformed::Long(_) | Malformed::Impossible(_) => {
                Self::Damaged(why.to_string())
            }
        }
    }
}

/// What is wrong with a stored value, if anything is. The messages of the configuration are not read, only their family is.
pub fn of_value(key: &[u8], value: &[u8]) -> Option<Fault> {
    let read = match *key.first()? {
        cell::FAMILY if CellKey::decode(key).is_none() => {
            return Some(Fault::Later("its key is of no cell".to_owned()));
        }
        cell::FAMILY => Cell::decode(value).map(drop),
        touched::FAMILY => Touched::decode(value).map(drop),
        progress::FAMILY => Progress::decode(value).map(drop),
        visitor::FAMILY => Bucket::decode(value).map(drop),
        fate::FAMILY => Fates::decode(value).map(drop),
        checkpoint::FAMILY => Checkpoint::decode(value).map(drop),
        lease::FAMILY => Entry::decode(key, value).map(drop),
        folded::NEWEST => folded::decode_newest(value).map(drop),
        counters::FAMILY if Counters::decode(value).is_none() => {
            return Some(Fault::Damaged("it is no counters".to_owned()));
        }
        family if config::FAMILIES.contains(&family) => Ok(()),
        family => return Some(Fault::Later(format!("this version knows no family {family:#04x}"))),
    };
    read.err().map(Fault::from)
}

/// What is wrong with a record of the log, if anything is.
pub fn of_record(record: &[u8]) -> Option<Fault> {
    let read = record::read(record).and_then(|mut entries| entries.try_for_each(|entry| entry.map(drop)));
    read.err().map(Fault::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_version_wrote_is_not_damaged() {
        let later = |what: &str| Some(Fault::Later(what.to_owned()));
        assert_eq!(of_value(&[0x18, 1], &[1]), later("this version knows no family 0x18"));
        assert_eq!(of_value(&[0x15, 0, 0], &[9]), later("version of a checkpoint 9 is not known"));
        assert_eq!(of_value(&[0x10], &[1]), later("its key is of no cell"));
        assert!(matches!(of_record(&[2]), Some(Fault::Later(_))));
    }

    #[test]
    fn what_is_damaged() {
        let damaged = |what: &str| Some(Fault::Damaged(what.to_owned()));
        assert_eq!(of_value(&[0x15, 0, 0], &[1, 0]), damaged("the value ends in its middle"));
        assert_eq!(of_value(&[0x17], &[1, 0, 0, 0, 1, 9]), damaged("the value has 1 bytes too many"));
        assert_eq!(of_value(&[0x17], &[1, 0, 0, 0, 1]), None);
        assert_eq!((of_record(record::LOST), of_record(&[1])), (None, None));
        assert!(matches!(of_record(&[1, 0, 0]), Some(Fault::Damaged(_))));
    }
}
