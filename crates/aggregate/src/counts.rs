use crate::Merge;
use crate::codec::{Malformed, Reader, put_signed};

/// Counts that add up. Signed, because a session that a late hit joins to another is taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All hits.
    pub hits: i64,
    /// Hits named `page_view` or `screen_view`.
    pub page_views: i64,
    /// Sessions that began.
    pub sessions: i64,
    /// Visitors seen for the first time.
    pub new_visitors: i64,
    /// Hits named `purchase`.
    pub purchases: i64,
}

impl Merge for Counts {
    const IDENTITY: Self = Self { hits: 0, page_views: 0, sessions: 0, new_visitors: 0, purchases: 0 };

    fn merge(&mut self, other: &Self) {
        // Wrapping keeps the law even where a sum leaves 64 bits; no real count comes near it.
        self.hits = self.hits.wrapping_add(other.hits);
        self.page_views = self.page_views.wrapping_add(other.page_views);
        self.sessions = self.sessions.wrapping_add(other.sessions);
        self.new_visitors = self.new_visitors.wrapping_add(other.new_visitors);
        self.purchases = self.purchases.wrapping_add(other.purchases);
    }
}

impl Counts {
    /// Whether every count is zero.
    pub fn is_zero(&self) -> bool {
        *self == Self::IDENTITY
    }

    fn fields(&mut self) -> [&mut i64; 5] {
        [
            &mut self.hits,
            &mut self.page_views,
            &mut self.sessions,
            &mut self.new_visitors,
            &mut self.purchases,
        ]
    }

    /// Appends a byte that says which counts are not zero, then those.
    pub fn encode(mut self, out: &mut Vec<u8>) {
        let at = out.len();
        out.push(0);
        for (bit, n) in self.fields().into_iter().enumerate() {
            if *n != 0 {
                out[at] |= 1 << bit;
                put_signed(out, i128::from(*n));
            }
        }
    }

    /// The inverse of [`Counts::encode`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut counts = Self::default();
        let present = reader.byte()?;
        if present >= 1 << counts.fields().len() {
            return Err(Malformed::Unknown { what: "a set of counts", found: present.into() });
        }
        for (bit, n) in counts.fields().into_iter().enumerate() {
            if present & 1 << bit != 0 {
                *n = reader.signed()? as i64;
            }
        }
        Ok(counts)
    }
}
