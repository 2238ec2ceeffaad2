use bytes::{BufMut, Bytes};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use proto::v1;
use tonic::Status;
use tonic::codec::{self, DecodeBuf, EncodeBuf};

/// A `ClientFrame`.
#[derive(Clone, Debug)]
pub(super) enum Outbound {
    /// The first one.
    Setup(Box<v1::Setup>),
    /// An encoded message `Batches`.
    Batches(Bytes),
}

const SETUP: u32 = 1;
const BATCHES: u32 = 3;
/// Bytes of a key and a length.
const AROUND: usize = 11;

/// Writes frames that are encoded already straight into the connection's buffer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FrameCodec;

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
        let (number, encoded) = match frame {
            Outbound::Setup(setup) => (SETUP, setup.encode_to_vec().into()),
            Outbound::Batches(batches) => (BATCHES, batches),
        };
        out.reserve(encoded.len() + AROUND);
        encode_key(number, WireType::LengthDelimited, out);
        encode_varint(encoded.len() as u64, out);
        out.put_slice(&encoded);
        Ok(())
    }
}

impl codec::Decoder for FrameCodec {
    type Item = v1::ServerFrame;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<v1::ServerFrame>, Status> {
        let frame = v1::ServerFrame::decode(bytes);
        frame
            .map(Some)
            .map_err(|error| Status::internal(format!("the server sent what is not a frame: {error}")))
    }
}
