use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message};

use super::{Fields, Malformed};

macro_rules! raw_message {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub Bytes);

        // Decoding hands the bytes on and encoding gives them back: the message is never opened here.
        impl Message for $name {
            fn encode_raw(&self, buf: &mut impl BufMut) {
                buf.put_slice(&self.0);
            }

            fn merge_field(
                &mut self,
                _tag: u32,
                _wire_type: WireType,
                _buf: &mut impl Buf,
                _ctx: DecodeContext,
            ) -> Result<(), DecodeError> {
                Ok(())
            }

            fn encoded_len(&self) -> usize {
                self.0.len()
            }

            fn clear(&mut self) {
                self.0.clear();
            }

            fn decode(mut buf: impl Buf) -> Result<Self, DecodeError> {
                Ok(Self(buf.copy_to_bytes(buf.remaining())))
            }
        }
    };
}

raw_message!(
    /// An encoded `ClientFrame`: open it with [`RawClientFrame::open`].
    RawClientFrame
);
raw_message!(
    /// An encoded `SendRequest`: open it with [`RawSendRequest::open`].
    RawSendRequest
);

/// What a client frame holds.
#[derive(Clone, Debug)]
pub enum FrameRef {
    /// An encoded `Setup`.
    Setup(Bytes),
    /// Encoded `Batch`es.
    Batches(Vec<Bytes>),
}

const SETUP: u32 = 1;
const BATCH: u32 = 2;
const BATCHES: u32 = 3;

impl RawClientFrame {
    /// Finds what the frame holds, sharing its bytes.
    pub fn open(&self) -> Result<FrameRef, Malformed> {
        let mut found = Err(Malformed::NotProtobuf);
        for field in Fields::of(&self.0) {
            let field = field?;
            match field.number {
                SETUP => found = Ok(FrameRef::Setup(self.0.slice_ref(field.bytes()?))),
                BATCH => found = Ok(FrameRef::Batches(vec![self.0.slice_ref(field.bytes()?)])),
                BATCHES => found = Ok(FrameRef::Batches(batches(&self.0, field.bytes()?, 1)?)),
                _ => {}
            }
        }
        found
    }
}

impl RawSendRequest {
    /// The encoded `Setup`, empty if there is none, and the encoded `Batch`es, sharing the request's bytes.
    pub fn open(&self) -> Result<(Bytes, Vec<Bytes>), Malformed> {
        let mut setup = Bytes::new();
        for field in Fields::of(&self.0) {
            let field = field?;
            if field.number == SETUP {
                setup = self.0.slice_ref(field.bytes()?);
            }
        }
        Ok((setup, batches(&self.0, &self.0, 2)?))
    }
}

fn batches(whole: &Bytes, message: &[u8], number: u32) -> Result<Vec<Bytes>, Malformed> {
    let mut found = Vec::new();
    for field in Fields::of(message) {
        let field = field?;
        if field.number == number {
            found.push(whole.slice_ref(field.bytes()?));
        }
    }
    Ok(found)
}
