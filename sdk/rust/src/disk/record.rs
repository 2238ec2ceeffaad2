use bytes::Bytes;
use prost::Message;

/// One record of a file: its length and the CRC-32C of its bytes, 4 little-endian bytes each, then an encoded message.
///
/// ```text
/// [length u32][crc32c u32][message ...]
/// ```
pub(crate) fn write(message: &impl Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    // Growing a vector is all that this can do, so it cannot fail.
    message.encode_raw(out);
    let (head, body) = out[start..].split_at_mut(HEAD);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
}

const HEAD: usize = 8;

/// Takes the next whole record off `bytes`; `None` at the end, and where a record is torn or damaged.
pub(crate) fn read<M: Message + Default>(bytes: &mut Bytes) -> Option<M> {
    let (head, _) = bytes.split_first_chunk::<HEAD>()?;
    let [a, b, c, d, crc @ ..] = *head;
    // Nothing that is written is empty, and the checksum of nothing is 0: zeros would look like records.
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok().filter(|length| *length > 0)?;
    let end = HEAD.checked_add(length).filter(|end| *end <= bytes.len())?;
    let body = bytes.slice(HEAD..end);
    if crc32c::crc32c(&body) != u32::from_le_bytes(crc) {
        return None;
    }
    let message = M::decode(body).ok()?;
    *bytes = bytes.slice(end..);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(texts: &[&str]) -> Bytes {
        let mut out = Vec::new();
        for text in texts {
            write(&(*text).to_owned(), &mut out);
        }
        out.into()
    }

    fn all(mut bytes: Bytes) -> (Vec<String>, usize) {
        let texts = std::iter::from_fn(|| read(&mut bytes)).collect();
        (texts, bytes.len())
    }

    #[test]
    fn a_tail_torn_anywhere_costs_only_the_last_record() {
        let whole = encoded(&["first", "second"]);
        let first = encoded(&["first"]).len();
        assert_eq!(all(whole.clone()), (vec!["first".into(), "second".into()], 0));
        for cut in first..whole.len() {
            assert_eq!(all(whole.slice(..cut)), (vec!["first".into()], cut - first));
        }
    }

    /// Where a loss of power took the bytes of a file and left its length, there are zeros. A length of 0 with the checksum 0
    /// would be right: what came behind the hole would be taken as if nothing was missing.
    #[test]
    fn zeros_are_no_record() {
        let first = encoded(&["first"]);
        for hole in 1..100 {
            let with_hole = [&first[..], &vec![0; hole], &first].concat();
            assert_eq!(all(with_hole.into()), (vec!["first".into()], hole + first.len()));
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_record_is_seen() {
        let whole = encoded(&["first", "second"]);
        let first = encoded(&["first"]).len();
        for bit in first * 8..whole.len() * 8 {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(all(bytes.into()).0, ["first"], "bit {bit}");
        }
    }
}
