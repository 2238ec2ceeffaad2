use xxhash_rust::xxh3::xxh3_64;

/// The hash of everything that is persisted or routed by hash: XXH3, 64 bits, seed 0. Its values are in the log, in
/// cells and in sketches, so it can never change.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_frozen() {
        // XXH3_64bits("") as the algorithm's own specification gives it.
        assert_eq!(super::stable_hash(b""), 0x2d06_8005_38d3_94c2);
    }
}
