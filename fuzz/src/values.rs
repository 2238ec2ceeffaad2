use std::fmt::Debug;

use keyspace::cell::Cell;
use keyspace::checkpoint::Checkpoint;
use keyspace::config::counters::Counters;
use keyspace::fate::Fates;
use keyspace::folded;
use keyspace::lease::{self, Entry};
use keyspace::progress::Progress;
use keyspace::record;
use keyspace::touched::Touched;
use keyspace::visitor::Bucket;
use model::Partition;

/// A stored value, of the family that the first byte chooses: what can be read is written and read again as itself.
pub fn values(data: &[u8]) {
    let Some((family, value)) = data.split_first() else { return };
    match family % 10 {
        // Slots that count nothing are not written: what is written once is written the same again.
        0 => law(value, |v| Some(Cell::decode(v).ok()?.encode()), |cell| cell.to_vec()),
        1 => law(value, |v| Checkpoint::decode(v).ok(), |checkpoint| checkpoint.encode().to_vec()),
        2 => law(value, |v| Fates::decode(v).ok(), |fates| fates.encode().to_vec()),
        3 => law(value, |v| folded::decode_newest(v).ok(), |newest| folded::encode_newest(*newest).to_vec()),
        4 => law(value, |v| Progress::decode(v).ok(), |progress| progress.encode().to_vec()),
        5 => law(value, |v| Touched::decode(v).ok(), |touched| touched.encode().to_vec()),
        6 => law(value, |v| Bucket::decode(v).ok(), |bucket| bucket.encode().to_vec()),
        7 => law(value, Counters::decode, |counters| counters.encode().to_vec()),
        8 => {
            for key in [lease::lease_key(Partition(7)), lease::member_key(lease::MemberId(7))] {
                law(value, |v| Entry::decode(&key, v).ok(), encode_entry);
            }
        }
        _ => record_law(value),
    }
}

fn law<T: PartialEq + Debug>(
    value: &[u8],
    decode: impl Fn(&[u8]) -> Option<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    let Some(read) = decode(value) else { return };
    let written = encode(&read);
    let again = decode(&written);
    assert!(again.as_ref() == Some(&read), "{read:?} was written, {again:?} read");
    assert!(again.is_some_and(|again| encode(&again) == written), "the bytes of {read:?} differ");
}

fn encode_entry(entry: &Entry) -> Vec<u8> {
    match entry {
        Entry::Member(_, member) => member.encode().to_vec(),
        Entry::Lease(_, lease) => lease.encode().to_vec(),
    }
}

/// A record ends, with no more entries than it has bytes, and gives as many refused hits as it says.
fn record_law(value: &[u8]) {
    let Ok(entries) = record::read(value) else { return };
    let mut count = 0;
    for entry in entries {
        count += 1;
        assert!(count <= value.len(), "more entries than bytes");
        if let Ok(record::Entry::Batch(batch)) = entry {
            assert!(batch.refused.iter().count() == batch.refused.len(), "{:?}", batch.refused);
        }
    }
}
