use aggregate::codec::{Malformed, Reader, put_signed, put_varint};
use model::Timestamp;

/// The purchase that counts for a transaction: the first one of all that name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Event time of the purchase.
    pub at: Timestamp,
    /// Its order among hits at that time.
    pub order: u64,
    /// Whose it is.
    pub actor: u64,
}

impl Transaction {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_signed(out, self.at.0.into());
        put_varint(out, self.order);
        out.extend_from_slice(&self.actor.to_be_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let at = Timestamp(reader.signed()? as i64);
        let order = reader.varint()?;
        Ok(Self { at, order, actor: u64::from_be_bytes(reader.array()?) })
    }
}
