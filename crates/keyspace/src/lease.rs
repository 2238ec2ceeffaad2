//! Who works on which partition. Every process that folds is a member and shows that it lives by a beat that rises; a
//! partition belongs to the member that its lease names.
//!
//! ```text
//! key    0x16 │ 1 │ member u64
//! value  version 1 │ beat varint │ leaving 0 or 1
//! key    0x16 │ 2 │ partition u16
//! value  version 1 │ epoch varint │ owner: 0, or 1 and member u64
//! ```
//!
//! A lease is only ever changed on condition that it still is what was seen, and whoever takes it raises its epoch: so a
//! member that finds its own name and its own epoch has had the partition all the time.

use std::fmt;
use std::ops::Range;

use aggregate::codec::{Malformed, Reader, put_varint};
use bytes::Bytes;
use model::Partition;

use crate::key::{KeyBuilder, part};

pub(crate) const FAMILY: u8 = 0x16;
const VERSION: u8 = 1;
const MEMBERS: u8 = 1;
const LEASES: u8 = 2;

/// One start of a process that folds: random, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a member says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Rises while it lives.
    pub beat: u64,
    /// Whether it is handing over what it has.
    pub leaving: bool,
}

/// Who has a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// How often it was taken.
    pub epoch: u64,
    /// The member that has it; none once it was handed over.
    pub owner: Option<MemberId>,
}

/// One record of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A member.
    Member(MemberId, Member),
    /// The lease of a partition.
    Lease(Partition, Lease),
}

/// The key of a member.
pub fn member_key(member: MemberId) -> Bytes {
    KeyBuilder::family(FAMILY).u8(MEMBERS).u64(member.0).build()
}

/// The key of a partition's lease.
pub fn lease_key(partition: Partition) -> Bytes {
    KeyBuilder::family(FAMILY).u8(LEASES).u16(partition.0).build()
}

/// The keys of all members and all leases.
pub fn range() -> Range<Bytes> {
    KeyBuilder::all(FAMILY)
}

impl Entry {
    /// A key of [`range`] with its value.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Self, Malformed> {
        match (key.get(1), key.len()) {
            (Some(&MEMBERS), 10) => {
                let member = part(key, 2).map(u64::from_be_bytes).ok_or(Malformed::Short)?;
                Ok(Self::Member(MemberId(member), Member::decode(value)?))
            }
            (Some(&LEASES), 4) => {
                let partition = part(key, 2).map(u16::from_be_bytes).ok_or(Malformed::Short)?;
                Ok(Self::Lease(Partition(partition), Lease::decode(value)?))
            }
            (kind, _) => Err(Malformed::Unknown {
                what: "kind of a key of leases",
                found: kind.copied().unwrap_or(0).into(),
            }),
        }
    }
}

impl Member {
    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.beat);
        out.push(self.leaving.into());
        out.into()
    }

    fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = versioned(value, "version of a member")?;
        let member = Self { beat: reader.varint()?, leaving: reader.byte()? != 0 };
        reader.end()?;
        Ok(member)
    }
}

impl Lease {
    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.epoch);
        out.push(self.owner.is_some().into());
        out.extend(self.owner.iter().flat_map(|owner| owner.0.to_be_bytes()));
        out.into()
    }

    fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = versioned(value, "version of a lease")?;
        let epoch = reader.varint()?;
        let owner = match reader.byte()? {
            0 => None,
            _ => Some(MemberId(u64::from_be_bytes(reader.array()?))),
        };
        reader.end()?;
        Ok(Self { epoch, owner })
    }
}

fn versioned<'a>(value: &'a [u8], what: &'static str) -> Result<Reader<'a>, Malformed> {
    let mut reader = Reader::new(value);
    match reader.byte()? {
        VERSION => Ok(reader),
        found => Err(Malformed::Unknown { what, found: found.into() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_are_their_keys_and_bytes(
            id: u64, beat: u64, leaving: bool, p: u16, epoch: u64, owner: Option<u64>
        ) {
            let (id, member) = (MemberId(id), Member { beat, leaving });
            let read = Entry::decode(&member_key(id), &member.encode());
            prop_assert_eq!(read, Ok(Entry::Member(id, member)));
            let (partition, lease) = (Partition(p), Lease { epoch, owner: owner.map(MemberId) });
            let read = Entry::decode(&lease_key(partition), &lease.encode());
            prop_assert_eq!(read, Ok(Entry::Lease(partition, lease)));
            prop_assert!(range().contains(&member_key(id)) && range().contains(&lease_key(partition)));
        }

        #[test]
        fn keys_sort_as_what_they_stand_for(a: u64, b: u64, p: u16, q: u16) {
            let (members, leases) = ([a, b].map(MemberId), [p, q].map(Partition));
            prop_assert_eq!(member_key(members[0]).cmp(&member_key(members[1])), a.cmp(&b));
            prop_assert_eq!(lease_key(leases[0]).cmp(&lease_key(leases[1])), p.cmp(&q));
            prop_assert!(member_key(members[0]) < lease_key(leases[0]), "one scan has the members first");
        }
    }

    #[test]
    fn the_layout_stays() {
        assert_eq!(&*member_key(MemberId(258)), [0x16, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(&*lease_key(Partition(258)), [0x16, 2, 1, 2]);
        assert_eq!(&*Member { beat: 300, leaving: true }.encode(), [1, 0xac, 2, 1]);
        assert_eq!(&*Lease { epoch: 3, owner: None }.encode(), [1, 3, 0]);
        assert_eq!(
            &*Lease { epoch: 3, owner: Some(MemberId(7)) }.encode(),
            [1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 7]
        );
        assert!(Entry::decode(&[0x16, 9, 0, 0], &[1, 0, 0]).is_err(), "a kind of a later version");
    }
}
