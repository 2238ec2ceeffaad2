/// What an operator tunes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Settings {
    /// How many partitions a new log gets. A log that is there must be opened with its own number.
    pub partitions: u16,
    /// A segment that has reached this size is sealed, and a new one made.
    pub segment_bytes: u64,
    /// Released records that are older may be deleted; all are kept if neither this nor `retain_bytes` is set.
    pub retain_age_ms: Option<i64>,
    /// Released records beyond this many bytes of files, an equal share for each partition, may be deleted.
    pub retain_bytes: Option<u64>,
    /// Bytes of the disk that are kept free: an append that finds less is refused. Not set: 512 MiB, but no more than a tenth
    /// of the disk. More than the store keeps free, so that what is in the log can be folded when no more is taken.
    pub reserve_bytes: Option<u64>,
    /// Bytes of records that may wait to be written, in all partitions together; an append beyond waits for room.
    pub max_queued_bytes: usize,
    /// Bytes of the latest records that each partition keeps in memory, for the readers that keep up.
    pub tail_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            partitions: 4,
            segment_bytes: 256 * 1024 * 1024,
            retain_age_ms: None,
            retain_bytes: None,
            reserve_bytes: None,
            max_queued_bytes: 64 * 1024 * 1024,
            tail_bytes: 16 * 1024 * 1024,
        }
    }
}
