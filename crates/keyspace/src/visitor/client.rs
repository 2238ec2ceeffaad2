use aggregate::codec::{Malformed, Reader, put_varint};
use smallvec::SmallVec;

/// Which hits of a client came already: the newest epochs, in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The epochs. Nearly every client has one, there are millions of clients, and each hit looks its own up.
    pub epochs: SmallVec<[Epoch; 1]>,
}

/// Which seqs of an epoch came already: all up to `high` that are in no gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epoch {
    /// The epoch.
    pub epoch: u64,
    /// The highest seq that came.
    pub high: u64,
    /// Seqs below `high` that have not come, as first and last, rising.
    pub gaps: Vec<(u64, u64)>,
}

impl Client {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.epochs.len() as u64);
        for epoch in &self.epochs {
            put_varint(out, epoch.epoch);
            put_varint(out, epoch.high);
            put_varint(out, epoch.gaps.len() as u64);
            for (from, to) in &epoch.gaps {
                put_varint(out, *from);
                put_varint(out, to - from);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut client = Self::default();
        for _ in 0..reader.count()? {
            let mut epoch = Epoch { epoch: reader.varint()?, high: reader.varint()?, gaps: Vec::new() };
            for _ in 0..reader.count()? {
                let from = reader.varint()?;
                epoch.gaps.push((from, from.saturating_add(reader.varint()?)));
            }
            client.epochs.push(epoch);
        }
        Ok(client)
    }
}
