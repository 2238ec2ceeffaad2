use std::fmt;
use std::str::FromStr;

use crate::Invalid;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(s: &str) -> Result<Self, Invalid> {
                match s.parse() {
                    Ok(n) if n > 0 => Ok(Self(n)),
                    _ => Err(Invalid::new($what, s, "a whole number from 1")),
                }
            }
        }
    };
}

number_id!(
    /// The tenant, and the unit that reports are made for. Numbered from 1.
    MerchantId(u64), "merchant id"
);
number_id!(
    /// One source of hits of a merchant. Numbered from 1 within the whole system.
    DataStreamId(u32), "data stream id"
);
number_id!(
    /// One complete set of a merchant's cells, made under one version of rules.
    Generation(u32), "generation"
);

impl Generation {
    /// The generation that a merchant starts with.
    pub const FIRST: Self = Self(1);
}

/// One partition of the event log, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u16);

impl Partition {
    /// The partition of a client's hits. One client is always in one partition, in order. A merchant is spread over
    /// `spread` neighbouring partitions (1 keeps a small merchant's cells together).
    pub fn route(merchant: MerchantId, client_hash: u64, spread: u16, partitions: u16) -> Self {
        let partitions = u64::from(partitions.max(1));
        let spread = u64::from(spread).clamp(1, partitions);
        let home = crate::stable_hash(&merchant.0.to_be_bytes()) % partitions;
        Self(((home + client_hash % spread) % partitions) as u16)
    }

    /// All partitions that [`Partition::route`] can give for this merchant.
    pub fn of_merchant(merchant: MerchantId, spread: u16, partitions: u16) -> impl Iterator<Item = Self> {
        (0..u64::from(spread.clamp(1, partitions.max(1))))
            .map(move |step| Self::route(merchant, step, spread, partitions))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in one partition of the event log. Positions are totally ordered within a partition and mean nothing across
/// partitions. The embedded log numbers records from 0 in `entry`; Pulsar puts its ledger id into `ledger`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The major part: Pulsar's ledger; 0 in the embedded log.
    pub ledger: u64,
    /// The minor part: the record's number.
    pub entry: u64,
}

impl Position {
    /// Before every record.
    pub const START: Self = Self { ledger: 0, entry: 0 };

    /// A position of the embedded log.
    pub fn of_entry(entry: u64) -> Self {
        Self { ledger: 0, entry }
    }

    /// The lowest position above this one: where a reader goes on that has seen this record.
    pub fn next(self) -> Self {
        match self.entry.checked_add(1) {
            Some(entry) => Self { entry, ..self },
            None => Self { ledger: self.ledger + 1, entry: 0 },
        }
    }

    /// Big-endian bytes that sort as positions do.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.ledger.to_be_bytes());
        out[8..].copy_from_slice(&self.entry.to_be_bytes());
        out
    }

    /// The inverse of [`Position::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let n = u128::from_be_bytes(bytes);
        Self { ledger: (n >> 64) as u64, entry: n as u64 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ledger {
            0 => write!(f, "{}", self.entry),
            ledger => write!(f, "{ledger}:{}", self.entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn position_bytes_sort_as_positions(a: (u64, u64), b: (u64, u64)) {
            let a = Position { ledger: a.0, entry: a.1 };
            let b = Position { ledger: b.0, entry: b.1 };
            prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
            prop_assert_eq!(Position::from_bytes(a.to_bytes()), a);
            prop_assert!(a.next() > a || a.ledger == u64::MAX);
        }

        #[test]
        fn a_client_stays_within_its_merchants_partitions(
            merchant in 1u64.., client: u64, spread in 0u16..40, partitions in 1u16..32
        ) {
            let merchant = MerchantId(merchant);
            let route = Partition::route(merchant, client, spread, partitions);
            prop_assert!(route.0 < partitions);
            prop_assert!(Partition::of_merchant(merchant, spread, partitions).any(|p| p == route));
        }
    }

    #[test]
    fn an_id_is_a_whole_number_from_one() {
        assert_eq!("7".parse(), Ok(MerchantId(7)));
        let refused = "m7".parse::<MerchantId>().unwrap_err().to_string();
        assert_eq!(refused, "merchant id \"m7\" is not allowed: a whole number from 1");
        assert!("0".parse::<MerchantId>().is_err());
    }
}
