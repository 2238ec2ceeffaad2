use model::Timestamp;

/// An instant as it is on the wire.
pub fn wire_time(at: Timestamp) -> prost_types::Timestamp {
    const MILLI_NANOS: i32 = 1_000_000;
    prost_types::Timestamp {
        seconds: at.0.div_euclid(1_000),
        nanos: at.0.rem_euclid(1_000) as i32 * MILLI_NANOS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanos_count_forward_also_before_1970() {
        let parts = |ms| (wire_time(Timestamp(ms)).seconds, wire_time(Timestamp(ms)).nanos);
        assert_eq!(parts(1_431_857_103_500), (1_431_857_103, 500_000_000));
        assert_eq!(parts(-1), (-1, 999_000_000));
    }
}
