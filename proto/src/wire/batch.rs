use std::io::Read as _;

use model::limits;

use super::{ContextRef, Fields, Malformed};

const HITS: u32 = 8;
const CODEC_LZ4: u64 = 1;
const CODEC_ZSTD: u64 = 2;

/// A `Batch`, borrowed.
#[derive(Clone, Debug, Default)]
pub struct BatchRef<'a> {
    /// The client; empty is the one of the stream.
    pub client_id: &'a str,
    /// The epoch; 0 is the one of the stream.
    pub epoch: u64,
    /// Seq of the first hit.
    pub first_seq: u64,
    /// When this attempt was sent, by the client's clock.
    pub sent_at_ms: i64,
    /// Facts shared by all its hits.
    pub context: ContextRef<'a>,
    codec: u64,
    packed: &'a [u8],
    encoded: &'a [u8],
}

impl<'a> BatchRef<'a> {
    /// Reads an encoded `Batch`, all but its hits.
    pub fn parse(encoded: &'a [u8]) -> Result<Self, Malformed> {
        let mut batch = Self { encoded, ..Self::default() };
        let mut plain = false;
        for field in Fields::of(encoded) {
            let field = field?;
            match field.number {
                1 => batch.client_id = field.text()?,
                2 => batch.epoch = field.varint()?,
                3 => batch.first_seq = field.varint()?,
                4 => batch.sent_at_ms = field.int64()?,
                5 => batch.context.read(field.bytes()?)?,
                6 => batch.codec = field.varint()?,
                7 => batch.packed = field.bytes()?,
                HITS => plain = true,
                _ => {}
            }
        }
        if plain && !batch.packed.is_empty() { Err(Malformed::BothHits) } else { Ok(batch) }
    }

    /// Its encoded hits, in order; packed ones are decompressed into `scratch`, up to [`limits::BATCH_BYTES`].
    pub fn hits<'s>(&self, scratch: &'s mut Vec<u8>) -> Result<HitBytes<'s>, Malformed>
    where
        'a: 's,
    {
        if self.packed.is_empty() {
            return Ok(HitBytes(Fields::of(self.encoded)));
        }
        scratch.clear();
        match self.codec {
            CODEC_LZ4 => unpack_lz4(self.packed, scratch)?,
            CODEC_ZSTD => unpack_zstd(self.packed, scratch)?,
            _ => return Err(Malformed::NotPacked),
        }
        Ok(HitBytes(Fields::of(scratch)))
    }
}

fn unpack_lz4(packed: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (size, block) = packed.split_first_chunk().ok_or(Malformed::NotPacked)?;
    // The size is the sender's claim: it is held against the limit before a byte is reserved for it.
    let size = usize::try_from(u32::from_le_bytes(*size)).ok().filter(|size| *size <= limits::BATCH_BYTES);
    out.resize(size.ok_or(Malformed::NotPacked)?, 0);
    let written = lz4_flex::block::decompress_into(block, out).map_err(|_| Malformed::NotPacked)?;
    out.truncate(written);
    Ok(())
}

fn unpack_zstd(packed: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let reader = zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| Malformed::NotPacked)?;
    let read =
        reader.take(limits::BATCH_BYTES as u64 + 1).read_to_end(out).map_err(|_| Malformed::NotPacked)?;
    if read > limits::BATCH_BYTES { Err(Malformed::NotPacked) } else { Ok(()) }
}

/// The encoded hits of a batch, in order.
#[derive(Clone, Debug)]
pub struct HitBytes<'a>(Fields<'a>);

impl<'a> Iterator for HitBytes<'a> {
    type Item = Result<&'a [u8], Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.next()? {
                Ok(field) if field.number != HITS => {}
                field => return Some(field.and_then(|f| f.bytes())),
            }
        }
    }
}
