use hitmill::access_log::{Counting, Lines, Source, take};
use prost::Message;

/// A web server's log. Every byte of it is in one of its lines, and what is made of a line depends on that line alone; its
/// hit is one that the server could read.
pub fn import(data: &[u8]) {
    for source in [Source::File, Source::Stream] {
        let (mut lines, mut count) = (Lines::new(data, source), 0);
        while let Ok(Some(line)) = lines.next_line() {
            count += 1;
            assert_eq!(line.number, count);
            for counting in [Counting::Pages, Counting::All] {
                let taken = take(line, counting);
                assert_eq!(taken, take(line, counting), "the same line twice");
                if let Ok(hit) = taken {
                    let again = proto::v1::Hit::decode(&*hit.encode_to_vec());
                    assert_eq!(again, Ok(hit));
                }
            }
        }
        assert_eq!(lines.bytes(), data.len() as u64, "it ends at the end");
    }
}
