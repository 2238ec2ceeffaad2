//! Frames and batches, put together from hits that are already encoded.

use bytes::{BufMut, Bytes};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use proto::v1::{self, Codec};
use tonic::Status;
use tonic::codec::{self, DecodeBuf, EncodeBuf};

use crate::core::queue::Batch;

/// Field numbers of the contract: `ClientFrame.setup` and `.batches`, `Batches.batches`, `Batch.sent_at_ms` and `.hits`,
/// `Hit.skipped`.
mod field {
    pub(super) const SETUP: u32 = 1;
    pub(super) const BATCHES: u32 = 3;
    pub(super) const BATCHES_BATCH: u32 = 1;
    pub(super) const SENT_AT: u32 = 4;
    pub(super) const HITS: u32 = 8;
    pub(super) const SKIPPED: u32 = 11;
}

/// Compresses only batches from this size on: below, the frame costs more than it saves.
const WORTH_PACKING: usize = 256;
/// The level of zstd with the best return per time.
const ZSTD_LEVEL: i32 = 1;

/// The encoded `Batch` of some queued hits, without its time.
///
/// Seqs are counted from `first_seq`: each hit adds its `skipped` to the count, takes the count as its own seq, and then
/// adds one.
pub(crate) fn batch(batch: &Batch, codec: Codec) -> Bytes {
    let mut hits = Vec::with_capacity(batch.hits.iter().map(|(_, hit)| hit.len() + 12).sum());
    for (skipped, hit) in &batch.hits {
        // A field may stand anywhere in a message, so that of the skipped ones is put behind the others.
        let extra = if *skipped == 0 { 0 } else { varint_field_len(field::SKIPPED, u64::from(*skipped)) };
        encode_key(field::HITS, WireType::LengthDelimited, &mut hits);
        encode_varint((hit.len() + extra) as u64, &mut hits);
        hits.put_slice(hit);
        if *skipped > 0 {
            varint_field(field::SKIPPED, u64::from(*skipped), &mut hits);
        }
    }
    head_and_hits(
        &v1::Batch { epoch: batch.epoch, first_seq: batch.first_seq, ..v1::Batch::default() },
        &hits,
        codec,
    )
}

/// The encoded batch of `head`, which has no hits, and hits that are encoded as `Hits`.
pub(crate) fn head_and_hits(head: &v1::Batch, hits: &[u8], codec: Codec) -> Bytes {
    let packed = if hits.len() < WORTH_PACKING { None } else { pack(hits, codec) };
    if let Some(packed) = packed.filter(|packed| packed.len() < hits.len()) {
        return v1::Batch { codec: codec.into(), packed, ..head.clone() }.encode_to_vec().into();
    }
    // The hits of a Batch have the same field number as those of Hits, so the one is a part of the other.
    let mut encoded = Vec::with_capacity(head.encoded_len() + hits.len());
    head.encode_raw(&mut encoded);
    encoded.put_slice(hits);
    encoded.into()
}

fn pack(hits: &[u8], codec: Codec) -> Option<Bytes> {
    match codec {
        Codec::Unspecified => None,
        Codec::Lz4 => Some(lz4_flex::block::compress_prepend_size(hits).into()),
        // Without memory for the compressor, the hits go as they are.
        Codec::Zstd => zstd::bulk::compress(hits, ZSTD_LEVEL).ok().map(Bytes::from),
    }
}

/// What the driver sends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outbound {
    /// The first frame of a stream.
    Setup(Box<v1::Setup>),
    /// Encoded batches, and when this attempt to send them is made, unless their times are taken as they are.
    Batches { batches: Vec<Bytes>, sent_at_ms: Option<i64> },
}

impl Outbound {
    fn encoded_len(&self) -> usize {
        match self {
            Self::Setup(setup) => 1 + len_of_delimited(setup.encoded_len()),
            Self::Batches { .. } => 1 + len_of_delimited(self.inner_len()),
        }
    }

    fn inner_len(&self) -> usize {
        match self {
            Self::Setup(setup) => setup.encoded_len(),
            Self::Batches { batches, sent_at_ms } => {
                let stamp = stamp_len(*sent_at_ms);
                batches.iter().map(|batch| 1 + len_of_delimited(batch.len() + stamp)).sum()
            }
        }
    }

    /// Writes the encoded `ClientFrame`.
    pub(crate) fn encode(&self, out: &mut impl BufMut) {
        let number = if matches!(self, Self::Setup(_)) { field::SETUP } else { field::BATCHES };
        encode_key(number, WireType::LengthDelimited, out);
        encode_varint(self.inner_len() as u64, out);
        match self {
            Self::Setup(setup) => setup.encode_raw(out),
            Self::Batches { batches, sent_at_ms } => {
                let stamp = stamp_len(*sent_at_ms);
                for batch in batches {
                    encode_key(field::BATCHES_BATCH, WireType::LengthDelimited, out);
                    encode_varint((batch.len() + stamp) as u64, out);
                    out.put_slice(batch);
                    if let Some(ms) = sent_at_ms {
                        varint_field(field::SENT_AT, *ms as u64, out);
                    }
                }
            }
        }
    }
}

fn stamp_len(sent_at_ms: Option<i64>) -> usize {
    sent_at_ms.map_or(0, |ms| varint_field_len(field::SENT_AT, ms as u64))
}

fn varint_field(number: u32, value: u64, out: &mut impl BufMut) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value, out);
}

fn varint_field_len(number: u32, value: u64) -> usize {
    key_len(number) + encoded_len_varint(value)
}

fn len_of_delimited(len: usize) -> usize {
    encoded_len_varint(len as u64) + len
}

/// Frames out, messages in. Writes straight into the connection's buffer: a hit is copied once on its way out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameCodec;

impl codec::Codec for FrameCodec {
    type Encode = Outbound;
    type Decode = v1::ServerFrame;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl codec::Encoder for FrameCodec {
    type Item = Outbound;
    type Error = Status;

    fn encode(&mut self, frame: Outbound, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(frame.encoded_len());
        frame.encode(out);
        Ok(())
    }
}

impl codec::Decoder for FrameCodec {
    type Item = v1::ServerFrame;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<v1::ServerFrame>, Status> {
        v1::ServerFrame::decode(bytes)
            .map(Some)
            .map_err(|error| Status::internal(format!("the server sent what is not a frame: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::client_frame::Frame;
    use proto::wire::{BatchRef, HitRef};

    use super::*;
    use crate::core::Pos;

    fn hit(name: &str) -> v1::Hit {
        v1::Hit { name: name.into(), url: "https://shop.example/a".repeat(4), ..v1::Hit::default() }
    }

    fn queued() -> Batch {
        let hit = |name| Bytes::from(hit(name).encode_to_vec());
        let hits = vec![(2, hit("a")), (0, hit("b")), (300, hit("c"))];
        Batch { epoch: 7, first_seq: 5, hits, last: Pos::default() }
    }

    /// What the generated code makes of a frame.
    fn decoded(frame: &Outbound) -> v1::ClientFrame {
        let mut out = Vec::new();
        frame.encode(&mut out);
        assert_eq!(out.len(), frame.encoded_len());
        v1::ClientFrame::decode(out.as_slice()).unwrap()
    }

    #[test]
    fn the_generated_code_reads_what_is_written_here() {
        let encoded = batch(&queued(), Codec::Unspecified);
        let frame = Outbound::Batches {
            batches: vec![encoded.clone(), encoded],
            sent_at_ms: Some(1_700_000_000_000),
        };
        let skipping = |name, skipped| v1::Hit { skipped, ..hit(name) };
        let expected = v1::Batch {
            epoch: 7,
            first_seq: 5,
            sent_at_ms: 1_700_000_000_000,
            hits: vec![skipping("a", 2), skipping("b", 0), skipping("c", 300)],
            ..v1::Batch::default()
        };
        let expected = Frame::Batches(v1::Batches { batches: vec![expected.clone(), expected] });
        assert_eq!(decoded(&frame).frame, Some(expected));
    }

    #[test]
    fn setup_is_the_frame_that_the_contract_says() {
        let setup = v1::Setup { key: "k".into(), epoch: 9, ..v1::Setup::default() };
        let frame = decoded(&Outbound::Setup(Box::new(setup.clone()))).frame;
        assert_eq!(frame, Some(Frame::Setup(setup)));
    }

    #[test]
    fn the_servers_reader_unpacks_both_codecs_to_the_same_hits() {
        for codec in [Codec::Unspecified, Codec::Lz4, Codec::Zstd] {
            let encoded = batch(&queued(), codec);
            let read = BatchRef::parse(&encoded).unwrap();
            let mut scratch = Vec::new();
            let names: Vec<_> = read
                .hits(&mut scratch)
                .unwrap()
                .map(|hit| HitRef::parse(hit.unwrap()).map(|hit| (hit.name.to_owned(), hit.skipped)).unwrap())
                .collect();
            assert_eq!(names, [("a".into(), 2), ("b".into(), 0), ("c".into(), 300)], "{codec:?}");
            let packed = v1::Batch::decode(encoded).unwrap().codec();
            assert_eq!(packed, codec);
        }
    }
}
