//! From a value to its bucket, and from a bucket to the value that stands for it.
//!
//! A bucket is persisted, so a value must be in the same one on every machine and for ever. A logarithm does not give
//! that: the last bit of `ln` is up to the library of the platform, and values near a border would change sides. Here
//! the exponent of the float chooses a row of buckets, and the top 16 bits of its fraction are looked up in a table of whole
//! numbers: nothing is rounded, and a larger value is never in a lower bucket. Interpolation between powers of two would be
//! the same everywhere as well, but a linear one needs 44 % more buckets, and a cubic one a root to find a bucket's ends.

/// Buckets are numbered from `-LAST` to `LAST`, in the order of their values; 0 is zero.
pub(super) const LAST: i16 = OCTAVES * PER_OCTAVE as i16;
/// How many buckets there are.
pub(super) const ALL: usize = 2 * LAST as usize + 1;

/// Magnitudes from 2^-30 on are not zero.
const FIRST_EXPONENT: i16 = -30;
/// Up to 2^50.
const OCTAVES: i16 = 80;
/// 34 would not do: `(2^(1/34) - 1) / (2^(1/34) + 1)` is above 0.01.
const PER_OCTAVE: usize = 35;

const ONE: u32 = 1 << 16;
/// Where buckets begin and end between a power of two and the next, in parts of 65,536: `2^(k/35) - 1`, rounded.
const BORDERS: [u32; PER_OCTAVE + 1] = [
    0, 1311, 2648, 4012, 5403, 6822, 8269, 9745, 11251, 12787, 14353, 15951, 17581, 19244, 20939, 22669,
    24433, 26233, 28068, 29940, 31850, 33798, 35785, 37811, 39879, 41987, 44138, 46331, 48569, 50851, 53179,
    55554, 57975, 60446, 62966, ONE,
];
const _: () = {
    let mut k = 0;
    while k < PER_OCTAVE {
        let (low, high) = (ONE + BORDERS[k], ONE + BORDERS[k + 1]);
        assert!(low < high && 100 * (high - low) <= high + low, "no bucket is wider than VALUE_ERROR allows");
        k += 1;
    }
};

/// Bits of a fraction that choose where to look in the table.
const CELL_BITS: u32 = 6;
/// In which bucket each 64th of an octave begins. It is narrower than any bucket, so that it ends in this one or the next.
const BEGINS_IN: [u8; 1 << CELL_BITS] = {
    let (mut cells, mut cell, mut bucket) = ([0; 1 << CELL_BITS], 0, 0);
    while cell < cells.len() {
        while BORDERS[bucket + 1] <= (cell as u32) << (16 - CELL_BITS) {
            bucket += 1;
        }
        cells[cell] = bucket as u8;
        cell += 1;
    }
    cells
};

/// The bucket of a value that is finite.
pub(super) fn bucket(value: f64) -> i16 {
    let bits = value.abs().to_bits();
    let octave = (bits >> 52) as i16 - 1023 - FIRST_EXPONENT;
    let place = match octave {
        ..0 => 0,
        OCTAVES.. => LAST,
        _ => octave * PER_OCTAVE as i16 + place_in_octave((bits >> 36) as u16) + 1,
    };
    if value < 0.0 { -place } else { place }
}

fn place_in_octave(fraction: u16) -> i16 {
    let place = BEGINS_IN[usize::from(fraction >> (16 - CELL_BITS))];
    i16::from(place) + i16::from(u32::from(fraction) >= BORDERS[usize::from(place) + 1])
}

/// The value that stands for a bucket: where both ends of it are equally far, relative to themselves. The ends are `l` and
/// `h`, this is `2lh / (l + h)`, and they are `(h - l) / (h + l)` from it, which is at most 0.00991.
pub(super) fn middle(bucket: i16) -> f64 {
    let Some(place) = bucket.unsigned_abs().checked_sub(1) else { return 0.0 };
    let (octave, place) = (place / PER_OCTAVE as u16, usize::from(place) % PER_OCTAVE);
    let (low, high) = (f64::from(ONE + BORDERS[place]), f64::from(ONE + BORDERS[place + 1]));
    let scale = power_of_two(octave as i16 + FIRST_EXPONENT - 16);
    // The products are exact, the one quotient is rounded as IEEE 754 says.
    let middle = 2.0 * low * high / (low + high) * scale;
    if bucket < 0 { -middle } else { middle }
}

fn power_of_two(exponent: i16) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use model::stable_hash;
    use proptest::prelude::*;

    use super::*;
    use crate::VALUE_ERROR;

    /// The least value of a bucket of positive ones.
    fn low(bucket: i16) -> f64 {
        let (octave, place) = ((bucket - 1) / PER_OCTAVE as i16, (bucket - 1) as usize % PER_OCTAVE);
        f64::from(ONE + BORDERS[place]) * 2f64.powi((octave + FIRST_EXPONENT - 16).into())
    }

    /// Finite values whose magnitudes are told apart.
    fn value() -> impl Strategy<Value = f64> {
        (any::<bool>(), 1023 - 30..1023 + 50u64, 0..1u64 << 52).prop_map(|(negative, exponent, fraction)| {
            f64::from_bits(u64::from(negative) << 63 | exponent << 52 | fraction)
        })
    }

    fn near(value: f64) -> bool {
        (middle(bucket(value)) - value).abs() <= VALUE_ERROR * value.abs()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn every_value_is_near_to_what_stands_for_it(value in value()) {
            prop_assert!(near(value), "{value} is told as {}", middle(bucket(value)));
        }

        #[test]
        fn a_larger_value_is_never_in_a_lower_bucket(a in any::<f64>(), b in any::<f64>(), c in value(), d in value()) {
            for (a, b) in [(a, b), (c, d), (a, c), (c, c.next_up())] {
                if a.is_finite() && b.is_finite() {
                    let (small, large) = (a.min(b), a.max(b));
                    prop_assert!(bucket(small) <= bucket(large), "{small} {large}");
                    prop_assert_eq!(bucket(-a), -bucket(a));
                }
            }
        }
    }

    #[test]
    fn each_bucket_begins_where_the_one_before_it_ends() {
        assert_eq!((low(1), low(LAST + 1)), (1.0 / f64::from(1 << 30), (1u64 << 50) as f64));
        for at in 1..=LAST {
            assert_eq!((bucket(low(at).next_down()), bucket(low(at))), (at - 1, at));
            let last = low(at + 1).next_down();
            assert!(near(low(at)) && near(last) && near(-low(at)) && near(-last), "{at}");
            assert!(low(at) < middle(at) && middle(at) < last, "{at}");
            assert_eq!(middle(-at), -middle(at));
        }
    }

    #[test]
    fn borders_are_roots_of_two() {
        for (k, border) in BORDERS.into_iter().enumerate() {
            let exact = (2f64.powf(k as f64 / 35.0) - 1.0) * 65_536.0;
            assert!((exact - f64::from(border)).abs() < 0.5 + 1e-6, "{k}");
        }
        assert!(2f64.powf(1.0 / 34.0) > (1.0 + VALUE_ERROR) / (1.0 - VALUE_ERROR), "34 do not suffice");
    }

    #[test]
    fn buckets_are_frozen() {
        let smallest = 2f64.powi(-30);
        let cases = [
            (0.0, 0),
            (-0.0, 0),
            (f64::MIN_POSITIVE, 0),
            (smallest.next_down(), 0),
            (smallest, 1),
            (1.0, 30 * 35 + 1),
            (1.02, 30 * 35 + 1),   // 1310.72 of 65,536
            (1.0201, 30 * 35 + 2), // 1317.27
            (2.0, 31 * 35 + 1),
            (1.999, 31 * 35),
            (-2.0, -31 * 35 - 1),
            (2f64.powi(50).next_down(), 2_800),
            (2f64.powi(50), 2_800),
            (f64::MAX, 2_800),
            (f64::MIN, -2_800),
        ];
        for (value, expected) in cases {
            assert_eq!(bucket(value), expected, "{value}");
        }
        let all: Vec<u8> = (1..=LAST)
            .flat_map(|at| [low(at), middle(at)])
            .flat_map(|end| end.to_bits().to_be_bytes())
            .collect();
        assert_eq!(stable_hash(&all), 18_028_292_402_203_172_382);
    }
}
