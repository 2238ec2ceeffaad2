use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Disk;

/// Asking costs a call to the system, and a disk does not fill up in less.
const KEPT: Duration = Duration::from_millis(100);

/// What of a disk is kept free: whoever stops in time can go on reading, and by itself when there is space again. A disk
/// that is full to the last byte fails in the middle of things.
pub struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    bytes: u64,
    /// The last look, and when it was.
    seen: Mutex<Option<(Instant, u64)>>,
}

impl Reserve {
    /// Keeps `bytes` of the file system that `path` is on free; without it `most`, but no more than one part in `share`.
    pub fn new(disk: Arc<dyn Disk>, path: &Path, bytes: Option<u64>, most: u64, share: u64) -> Result<Self> {
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => most.min(disk.space(path)?.total / share.max(1)),
        };
        Ok(Self { disk, path: path.to_owned(), bytes, seen: Mutex::default() })
    }

    /// Fails with [`ErrorKind::StorageFull`] if less is left. A disk that does not say how much is left is taken to have it.
    pub fn check(&self) -> Result<()> {
        match self.left() {
            Some(left) if left < self.bytes => {
                let what = format!("{} are left on the disk and {} are kept free", mb(left), mb(self.bytes));
                Err(Error::new(ErrorKind::StorageFull, what))
            }
            _ => Ok(()),
        }
    }

    fn left(&self) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = seen.filter(|(at, _)| self.disk.waits() && at.elapsed() < KEPT);
        let left = match recent {
            Some((_, left)) => left,
            None => self.disk.space(&self.path).ok()?.free,
        };
        if recent.is_none() {
            *seen = Some((Instant::now(), left));
        }
        Some(left)
    }
}

impl fmt::Debug for Reserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::System;

    #[test]
    fn a_disk_with_less_than_is_kept_free_is_full() {
        let dir = tempfile::tempdir().unwrap();
        let space = System.space(dir.path()).unwrap();
        assert!(0 < space.free && space.free <= space.total);
        let reserve = |bytes| Reserve::new(Arc::new(System), dir.path(), bytes, 1, 1).unwrap();
        assert!(reserve(None).check().is_ok());
        assert!(reserve(Some(0)).check().is_ok());
        let refused = reserve(Some(u64::MAX)).check().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
        assert!(
            refused.to_string().ends_with(" MB are left on the disk and 18446744073709.6 MB are kept free")
        );
    }

    #[test]
    fn a_small_disk_keeps_its_share_and_a_large_one_the_most() {
        let dir = tempfile::tempdir().unwrap();
        let total = System.space(dir.path()).unwrap().total;
        let kept = |most, share| Reserve::new(Arc::new(System), dir.path(), None, most, share).unwrap().bytes;
        assert_eq!(kept(u64::MAX, 20), total / 20);
        assert_eq!(kept(1_000, 20), 1_000);
    }
}
