use std::io;

use disk::File;

/// Reads a file forwards with few calls: what was read ahead is kept and handed out in borrowed pieces.
#[derive(Debug)]
pub(super) struct Window<'a> {
    file: &'a dyn File,
    /// Nothing at or after this offset is read: it may be in the middle of being written.
    limit: u64,
    /// How much to read at once, at least.
    ahead: usize,
    start: u64,
    buffer: Vec<u8>,
    filled: usize,
}

impl<'a> Window<'a> {
    /// Looks at the first `limit` bytes of a file.
    pub(super) fn new(file: &'a dyn File, limit: u64, ahead: usize) -> Self {
        Self { file, limit, ahead, start: 0, buffer: Vec::new(), filled: 0 }
    }

    /// The bytes at `offset`: `len` of them, or fewer at the limit.
    pub(super) fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let len = len.min(usize::try_from(self.limit.saturating_sub(offset)).unwrap_or(usize::MAX));
        let end = self.start + self.filled as u64;
        let inside = offset >= self.start && offset <= end;
        if !inside {
            (self.start, self.filled) = (offset, 0);
        } else if offset + len as u64 > end {
            // What is left moves to the front, and the file is read on behind it.
            self.buffer.copy_within((offset - self.start) as usize..self.filled, 0);
            self.filled = (end - offset) as usize;
            self.start = offset;
        }
        let skip = (offset - self.start) as usize;
        if skip + len > self.filled {
            self.fill(skip + len)?;
        }
        // A file that is shorter than its limit gives what it has.
        Ok(&self.buffer[skip.min(self.filled)..(skip + len).min(self.filled)])
    }

    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let left = usize::try_from(self.limit.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let target = wanted.max(self.ahead).min(left);
        if self.buffer.len() < target {
            self.buffer.resize(target, 0);
        }
        while self.filled < target {
            match self.file.read_at(&mut self.buffer[self.filled..target], self.start + self.filled as u64) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_piece_is_the_files(
            pieces in proptest::collection::vec((0u64..1100, 0usize..300), 1..20), ahead in 1usize..200, limit in 0u64..1200
        ) {
            let bytes: Vec<u8> = (0..1000u32).map(|n| (n * 7 % 251) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let mut window = Window::new(&file, limit, ahead);
            let visible = &bytes[..bytes.len().min(limit as usize)];
            for (offset, len) in pieces {
                let from = visible.len().min(offset as usize);
                let to = visible.len().min(offset as usize + len);
                prop_assert_eq!(window.at(offset, len).unwrap(), &visible[from..to]);
            }
        }
    }
}
