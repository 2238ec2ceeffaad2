use std::fmt;

/// How an accepted hit ended. Every accepted hit has exactly one fate, counted per merchant and hour of receipt:
/// accepted = counted + duplicate + filtered + dead-lettered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It is in the cells.
    Counted,
    /// The same (client, epoch, seq) had come before.
    Duplicate,
    /// A rule of the merchant keeps it out of the cells.
    Filtered,
    /// It was admitted but cannot be folded; its record in the log still holds it.
    DeadLettered,
}

impl Fate {
    /// Every fate, in the order of their persisted numbers.
    pub const ALL: [Self; 4] = [Self::Counted, Self::Duplicate, Self::Filtered, Self::DeadLettered];

    /// The name in audits and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Duplicate => "duplicate",
            Self::Filtered => "filtered",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// Why a hit was refused at admission. A refused hit is not accepted: the client hears of it with the ack, and the
/// merchant sees it counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Refusal {
    /// Its bytes are not a hit.
    Malformed = 1,
    /// Larger than a hit may be.
    TooLarge = 2,
    /// No name, or one that breaks the naming rule.
    BadName = 3,
    /// A parameter's name or value is too long, or there are too many.
    BadParam = 4,
    /// A currency that is no ISO 4217 code, or an amount without one where it is required.
    BadMoney = 5,
    /// Older than the live lane takes; import history with an admin key.
    TooOld = 6,
    /// From the future, beyond any clock's error.
    InFuture = 7,
    /// A string that is not UTF-8 or too long for its field.
    BadText = 8,
    /// The merchant's quota of hits was used up.
    OverQuota = 9,
    /// An item without id and name, or with a text, a price or a quantity beyond its limit; or too many items.
    BadItem = 10,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::TooLarge,
        Self::BadName,
        Self::BadParam,
        Self::BadMoney,
        Self::TooOld,
        Self::InFuture,
        Self::BadText,
        Self::OverQuota,
        Self::BadItem,
    ];

    /// The name in audits, metrics and refusals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::BadName => "bad_name",
            Self::BadParam => "bad_param",
            Self::BadMoney => "bad_money",
            Self::TooOld => "too_old",
            Self::InFuture => "in_future",
            Self::BadText => "bad_text",
            Self::OverQuota => "over_quota",
            Self::BadItem => "bad_item",
        }
    }

    /// The persisted number, from 1.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The inverse of [`Refusal::number`].
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.number() == number)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
