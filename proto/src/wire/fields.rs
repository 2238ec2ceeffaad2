use thiserror::Error;

/// Bytes that are not what the contract says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Not a protobuf message.
    #[error("the bytes are not a protobuf message")]
    NotProtobuf,
    /// A known field has another type than the contract gives it.
    #[error("field {0} has the wrong wire type")]
    WireType(u32),
    /// A text field is not UTF-8.
    #[error("field {0} is not UTF-8")]
    NotUtf8(u32),
    /// A batch is compressed in a way that is not known, or does not decompress.
    #[error("the packed hits do not decompress within {limit} bytes", limit = model::limits::BATCH_BYTES)]
    NotPacked,
    /// A batch has both plain and packed hits.
    #[error("a batch has hits or packed hits, not both")]
    BothHits,
}

/// One field of a message: its number and its value.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The number that the .proto file gives it.
    pub number: u32,
    value: Value<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Field<'a> {
    /// The value of an integer field.
    pub fn varint(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(n) => Ok(n),
            _ => Err(Malformed::WireType(self.number)),
        }
    }

    /// The value of an int64 field.
    pub fn int64(&self) -> Result<i64, Malformed> {
        self.varint().map(|n| n as i64)
    }

    /// The value of a uint32 field; larger values are cut as protobuf does.
    pub fn uint32(&self) -> Result<u32, Malformed> {
        self.varint().map(|n| n as u32)
    }

    /// The value of a double field.
    pub fn double(&self) -> Result<f64, Malformed> {
        match self.value {
            Value::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(Malformed::WireType(self.number)),
        }
    }

    /// The value of a bytes or message field.
    pub fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::WireType(self.number)),
        }
    }

    /// The value of a string field.
    pub fn text(&self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed::NotUtf8(self.number))
    }
}

/// The fields of an encoded message, in the order in which they were written.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            // The tenth byte has one bit left to give: prost refuses more too.
            if i == 9 && *byte > 1 {
                return None;
            }
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<Field<'a>> {
        let key = u32::try_from(self.varint()?).ok()?;
        let number = Some(key >> 3).filter(|n| *n > 0)?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.take(8)?.try_into().ok()?),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            5 => {
                self.take(4)?;
                Value::Fixed32
            }
            _ => return None,
        };
        Some(Field { number, value })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or(Malformed::NotProtobuf))
    }
}
