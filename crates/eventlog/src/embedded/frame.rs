//! One record on disk.
//!
//! ```text
//!  0  magic         4 bytes
//!  4  head crc      u32, crc32c of bytes 8 to 48, seeded with the crc of the segment's header
//!  8  payload crc   u32, crc32c of the stored payload
//! 12  stored length u32
//! 16  raw length    u32
//! 20  codec         u8 (0 raw, 1 lz4 block), then 3 zero bytes
//! 24  appended at   i64, milliseconds
//! 32  entry         u64, the record's number
//! 40  group         u64, the first entry of the flush that this record was part of
//! 48  payload
//! ```
//!
//! All numbers are little-endian. The head has its own checksum, so that frames can be walked without reading their
//! payloads. Its seed makes a frame valid in its own segment only: neither a recycled disk block nor a record whose
//! bytes imitate a frame is ever taken for one, but where the header is lost. When a frame of a group was written, every entry below `group` was
//! durable already: that is how recovery tells a torn tail from damage.

use std::sync::LazyLock;

use bytes::{Buf, BufMut, Bytes};
use lz4_flex::block;
use model::Timestamp;

use crate::MAX_RECORD_BYTES;

/// Bytes of a frame before its payload.
pub(super) const HEAD_BYTES: usize = 48;
/// What every frame starts with.
pub(super) const MAGIC: [u8; 4] = [0xf7, b'h', b'i', 0x1e];

const CHECKED_FROM: usize = 8;

/// A crc is a chain of steps, one for each byte, and each can be taken back: its top byte says which entry of the crc's table was
/// added, and the index of that which byte was shifted out. The table is what the crc makes of one zero.
static STEPS: LazyLock<[(u32, u32); 256]> = LazyLock::new(|| {
    let mut steps = [(0, 0); 256];
    for index in 0..=0xff {
        let entry = !crc32c::crc32c_append(!index, &[0]);
        steps[(entry >> 24) as usize] = (index, entry);
    }
    steps
});

/// How a payload is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Raw = 0,
    Lz4 = 1,
}

/// What a frame says before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) payload_crc: u32,
    pub(super) stored: u32,
    pub(super) raw: u32,
    pub(super) codec: Codec,
    pub(super) appended_at: Timestamp,
    pub(super) entry: u64,
    pub(super) group: u64,
}

impl Head {
    /// Bytes of the frame as a whole.
    pub(super) fn frame_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.stored)
    }

    /// The head at the start of `bytes`, or what is wrong with it.
    pub(super) fn parse(bytes: &[u8], seed: u32) -> Result<Self, &'static str> {
        let Some(mut head) = bytes.get(..HEAD_BYTES) else {
            return Err("the head of the record is cut off");
        };
        if head[..MAGIC.len()] != MAGIC {
            return Err("no record starts here");
        }
        let crc = crc32c::crc32c_append(seed, &head[CHECKED_FROM..]);
        head.advance(MAGIC.len());
        if head.get_u32_le() != crc {
            return Err("the checksum of the record's head does not fit");
        }
        let payload_crc = head.get_u32_le();
        let (stored, raw) = (head.get_u32_le(), head.get_u32_le());
        let codec = match head.get_u32_le() {
            0 => Codec::Raw,
            1 => Codec::Lz4,
            _ => return Err("its codec is unknown to this version"),
        };
        if raw as usize > MAX_RECORD_BYTES || stored > raw {
            return Err("its length is not possible");
        }
        let appended_at = Timestamp(head.get_i64_le());
        Ok(Self {
            payload_crc,
            stored,
            raw,
            codec,
            appended_at,
            entry: head.get_u64_le(),
            group: head.get_u64_le(),
        })
    }

    /// The seed with which the head at the start of `bytes` was written, if it is one.
    pub(super) fn seed(bytes: &[u8]) -> Option<u32> {
        let head = bytes.get(..HEAD_BYTES)?;
        let crc = u32::from_le_bytes(head[MAGIC.len()..CHECKED_FROM].try_into().ok()?);
        let steps = &*STEPS;
        let mut state = !crc;
        for &byte in head[CHECKED_FROM..].iter().rev() {
            let (index, entry) = steps[(state >> 24) as usize];
            state = (state ^ entry) << 8 | (index ^ u32::from(byte));
        }
        Some(!state)
    }

    /// Whether `payload` is what was written.
    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        crc32c::crc32c(payload) == self.payload_crc
    }

    /// The record as it was appended.
    pub(super) fn unpack(&self, payload: &[u8]) -> Result<Bytes, &'static str> {
        if !self.fits(payload) {
            return Err("the checksum of the record does not fit");
        }
        match self.codec {
            Codec::Raw => Ok(Bytes::copy_from_slice(payload)),
            Codec::Lz4 => match block::decompress(payload, self.raw as usize) {
                Ok(record) if record.len() == self.raw as usize => Ok(record.into()),
                _ => Err("the record does not decompress to its length"),
            },
        }
    }

    fn to_bytes(self, seed: u32) -> [u8; HEAD_BYTES] {
        let mut out = [0; HEAD_BYTES];
        let mut rest = &mut out[CHECKED_FROM..];
        rest.put_u32_le(self.payload_crc);
        rest.put_u32_le(self.stored);
        rest.put_u32_le(self.raw);
        rest.put_u32_le(self.codec as u32);
        rest.put_i64_le(self.appended_at.0);
        rest.put_u64_le(self.entry);
        rest.put_u64_le(self.group);
        let crc = crc32c::crc32c_append(seed, &out[CHECKED_FROM..]);
        out[..MAGIC.len()].copy_from_slice(&MAGIC);
        out[MAGIC.len()..CHECKED_FROM].copy_from_slice(&crc.to_le_bytes());
        out
    }
}

/// Where and when a record goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) entry: u64,
    pub(super) group: u64,
    pub(super) appended_at: Timestamp,
}

/// Packs frames one behind the other, to be written with one call. Its memory is used again and again.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    // Longer than `used`: what is behind was paid for (zeroed) once and waits for the next frame.
    buffer: Vec<u8>,
    used: usize,
}

impl Encoder {
    /// The frames packed since the last [`Encoder::clear`].
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.used]
    }

    /// Forgets the frames.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// Adds the frame of `record`, compressed when that saves bytes.
    pub(super) fn push(&mut self, seed: u32, stamp: Stamp, record: &[u8]) {
        let start = self.used + HEAD_BYTES;
        let room = start + block::get_maximum_output_size(record.len());
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let (codec, stored) = match block::compress_into(record, &mut self.buffer[start..room]) {
            Ok(packed) if packed < record.len() => (Codec::Lz4, packed),
            _ => {
                self.buffer[start..start + record.len()].copy_from_slice(record);
                (Codec::Raw, record.len())
            }
        };
        let head = Head {
            payload_crc: crc32c::crc32c(&self.buffer[start..start + stored]),
            stored: stored as u32,
            raw: record.len() as u32,
            codec,
            appended_at: stamp.appended_at,
            entry: stamp.entry,
            group: stamp.group,
        };
        self.buffer[self.used..start].copy_from_slice(&head.to_bytes(seed));
        self.used = start + stored;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(seed: u32, record: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.push(seed, Stamp { entry: 7, group: 5, appended_at: Timestamp(-3) }, record);
        encoder.bytes().to_vec()
    }

    proptest! {
        #[test]
        fn a_record_comes_back(seed: u32, record in proptest::collection::vec(any::<u8>(), 0..300), times in 1usize..20) {
            let record = record.repeat(times);
            let frame = packed(seed, &record);
            let head = Head::parse(&frame, seed).unwrap();
            prop_assert_eq!((head.entry, head.group, head.appended_at), (7, 5, Timestamp(-3)));
            prop_assert_eq!(head.frame_bytes(), frame.len() as u64);
            prop_assert_eq!(Head::seed(&frame), Some(seed));
            prop_assert!(frame.len() <= HEAD_BYTES + record.len(), "never larger than raw");
            prop_assert_eq!(head.unpack(&frame[HEAD_BYTES..]).unwrap(), record);
        }

        #[test]
        fn any_flipped_bit_is_seen(bit in 0usize..(HEAD_BYTES + 100) * 8) {
            // Bytes that do not compress: a xorshift sequence.
            let mut x = 1u32;
            let record: Vec<u8> = std::iter::repeat_with(|| {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                x as u8
            }).take(100).collect();
            let mut frame = packed(9, &record);
            prop_assert_eq!(frame.len(), HEAD_BYTES + 100);
            frame[bit / 8] ^= 1 << (bit % 8);
            let seen = Head::parse(&frame, 9).and_then(|head| head.unpack(&frame[HEAD_BYTES..]));
            prop_assert!(seen.is_err());
        }
    }

    #[test]
    fn a_frame_is_valid_in_its_own_segment_only() {
        let frame = packed(1, b"hit");
        assert!(Head::parse(&frame, 1).is_ok());
        assert_eq!(Head::parse(&frame, 2), Err("the checksum of the record's head does not fit"));
    }
}
