use std::io::{self, BufRead};

/// Bytes of a line; Apache takes requests of at most 8 KiB a header.
pub(super) const LINE_BYTES: usize = 64 * 1024;

/// Where a log comes from, and so whether its last line may be still growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, to which somebody may be writing: only a newline ends a line.
    File,
    /// Something that is read once: its end is the end of its last line too.
    Stream,
}

/// The lines of a log, one at a time: memory stays the same for files of any size.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    source: Source,
    buffer: Vec<u8>,
    number: u64,
    bytes: u64,
    too_long: bool,
    ended: bool,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// What is in it, without its end; not more than a line may have.
    pub text: &'a [u8],
    /// It had more than that.
    pub too_long: bool,
    /// It has its end: a line without is perhaps still being written, and not whole.
    pub ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`.
    pub fn new(reader: R, source: Source) -> Self {
        Self { reader, source, buffer: Vec::new(), number: 0, bytes: 0, too_long: false, ended: true }
    }

    /// Bytes read until now.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line, or nothing at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let is_one = self.read()?;
        Ok(is_one.then(|| self.line()))
    }

    fn line(&self) -> Line<'_> {
        let text = self.buffer.strip_suffix(b"\r").unwrap_or(&self.buffer);
        Line { number: self.number, text, too_long: self.too_long, ended: self.ended }
    }

    /// Reads a line into the buffer; says whether there was one.
    fn read(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let mut length = 0;
        self.ended = false;
        while !self.ended {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let (text, read) = end.map_or((chunk, chunk.len()), |end| (&chunk[..end], end + 1));
            let room = LINE_BYTES - self.buffer.len();
            self.buffer.extend_from_slice(&text[..text.len().min(room)]);
            length += text.len();
            self.ended = end.is_some();
            self.reader.consume(read);
            self.bytes += read as u64;
        }
        self.too_long = length > LINE_BYTES;
        let is_one = length > 0 || self.ended;
        self.ended = self.ended || self.source == Source::Stream;
        self.number += u64::from(is_one);
        Ok(is_one)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8], buffer: usize, source: Source) -> Vec<(u64, usize, bool, bool)> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, text), source);
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push((line.number, line.text.len(), line.too_long, line.ended));
        }
        assert_eq!(lines.bytes(), text.len() as u64);
        all
    }

    #[test]
    fn lines_have_numbers_and_ends() {
        for buffer in [1, 3, 100] {
            for (source, ended) in [(Source::File, false), (Source::Stream, true)] {
                assert_eq!(lines(b"", buffer, source), []);
                assert_eq!(lines(b"a\n", buffer, source), [(1, 1, false, true)]);
                assert_eq!(
                    lines(b"ab\r\n\nc", buffer, source),
                    [(1, 2, false, true), (2, 0, false, true), (3, 1, false, ended)]
                );
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
        let text =
            [vec![b'x'; LINE_BYTES], vec![b'\n'], vec![b'y'; 3 * LINE_BYTES], b"\nz\n".to_vec()].concat();
        assert_eq!(
            lines(&text, 4_096, Source::File),
            [(1, LINE_BYTES, false, true), (2, LINE_BYTES, true, true), (3, 1, false, true)]
        );
    }
}
