use std::time::Instant;

use model::stable_hash;
use proptest::prelude::*;

use super::*;
use crate::merge::law;

/// What is below is told as zero.
const SMALLEST: f64 = 1.0 / (1u32 << 30) as f64;

fn of(values: &[f64]) -> Quantiles {
    let mut quantiles = Quantiles::IDENTITY;
    values.iter().for_each(|value| quantiles.add(*value, 1));
    quantiles
}

fn encode(quantiles: &Quantiles) -> Vec<u8> {
    let mut out = Vec::new();
    quantiles.encode(&mut out);
    let mut reader = Reader::new(&out);
    assert_eq!(Quantiles::decode(&mut reader).as_ref(), Ok(quantiles));
    assert_eq!(reader.end(), Ok(()));
    out
}

/// Values of one distribution; each vector has one of its own.
fn values(most: usize) -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        Just((-5i32..=5).prop_map(f64::from).boxed()),
        Just((0i32..=50_000).prop_map(|cents| f64::from(cents) / 100.0).boxed()),
        Just((-20.0f64..34.0).prop_map(f64::exp).boxed()),
        Just((-1e6f64..1e6).boxed()),
        Just(Just(-17.25f64).boxed()),
        Just(prop_oneof![9 => 10.0f64..20.0, 1 => 1e9f64..1e12].boxed()),
        Just(prop_oneof![-1e-8f64..1e-8, Just(0.0), -1e15f64..1e15].boxed()),
    ];
    value.prop_flat_map(move |value| prop::collection::vec(value, 0..most))
}

/// Values, and how often each was added or taken back.
fn signed() -> impl Strategy<Value = Vec<(f64, i64)>> {
    let times = prop_oneof![6 => -2i64..=2, 1 => any::<i64>()];
    values(60).prop_flat_map(move |values| {
        let times = prop::collection::vec(times.clone(), values.len());
        (Just(values), times).prop_map(|(values, times)| values.into_iter().zip(times).collect())
    })
}

fn of_signed(added: &[(f64, i64)]) -> Quantiles {
    let mut quantiles = Quantiles::IDENTITY;
    added.iter().for_each(|(value, times)| quantiles.add(*value, *times));
    quantiles
}

proptest! {
    #[test]
    fn merging_keeps_the_law(a in signed(), b in signed(), c in signed()) {
        law::check([&of_signed(&a), &of_signed(&b), &of_signed(&c)], encode);
    }

    #[test]
    fn merged_parts_are_the_whole(a in values(400), b in values(400)) {
        for part in [&b[..], &b[..b.len().min(2)]] {
            let mut merged = of(&a);
            merged.merge(&of(part));
            prop_assert_eq!(encode(&merged), encode(&of(&[&a[..], part].concat())));
        }
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace(kept in signed(), gone in signed(), merged: bool) {
        let back: Vec<_> = gone.iter().map(|(value, times)| (*value, times.wrapping_neg())).collect();
        let mut quantiles = of_signed(&[&kept[..], &gone[..]].concat());
        if merged {
            quantiles.merge(&of_signed(&back));
        } else {
            back.iter().for_each(|(value, times)| quantiles.add(*value, *times));
        }
        prop_assert_eq!(encode(&quantiles), encode(&of_signed(&kept)));
        kept.iter().for_each(|(value, times)| quantiles.add(*value, times.wrapping_neg()));
        prop_assert!(quantiles.is_zero());
        prop_assert_eq!(encode(&quantiles), [0]);
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values_within_the_stated_error(mut values in values(1_500)) {
        let quantiles = of(&values);
        prop_assert_eq!(quantiles.count(), values.len() as i64);
        values.sort_by(f64::total_cmp);
        for (q, percent) in [(0.0, 0), (0.5, 50), (0.75, 75), (0.95, 95), (0.99, 99), (1.0, 100)] {
            let rank = (values.len() * percent).div_ceil(100).max(1);
            match (quantiles.quantile(q), values.get(rank - 1)) {
                (Some(told), Some(exact)) => {
                    let error = VALUE_ERROR * exact.abs() + if exact.abs() < SMALLEST { SMALLEST } else { 0.0 };
                    prop_assert!((told - exact).abs() <= error, "{told} for {exact} at {q}");
                }
                (told, exact) => prop_assert_eq!((told, exact), (None, None)),
            }
        }
    }

    #[test]
    fn rubbish_is_refused_or_read_but_never_panics(rubbish: Vec<u8>) {
        if let Ok(quantiles) = Quantiles::decode(&mut Reader::new(&rubbish)) {
            encode(&quantiles);
            quantiles.quantile(0.5);
        }
    }
}

#[test]
fn a_rank_is_counted_in_whole_numbers() {
    let values: Vec<_> = (0..100).map(|n| 1.1f64.powi(n)).collect();
    let quantiles = of(&values);
    for percent in 1..=100 {
        let told = quantiles.quantile(percent as f64 / 100.0).unwrap();
        let exact = values[percent - 1];
        assert!((told - exact).abs() <= VALUE_ERROR * exact, "{percent} %");
    }
    for (q, as_if) in [(-1.0, 0.0), (7.0, 1.0), (f64::NAN, 0.0), (0.0, 0.01)] {
        assert_eq!(quantiles.quantile(q), quantiles.quantile(as_if), "{q}");
    }
}

#[test]
fn what_is_owed_is_none() {
    let mut quantiles = Quantiles::IDENTITY;
    quantiles.add(5.0, -3);
    assert_eq!((quantiles.quantile(0.5), quantiles.count(), quantiles.is_zero()), (None, -3, false));
    quantiles.add(1_000.0, 1);
    let told = quantiles.quantile(0.0).unwrap();
    assert!((told - 1_000.0).abs() <= 10.0, "{told}");
}

#[test]
fn what_is_not_allowed_changes_nothing() {
    let mut quantiles = Quantiles::IDENTITY;
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(!Quantiles::allowed(value));
        quantiles.add(value, 1);
    }
    assert!(quantiles.is_zero());
    assert!([f64::MAX, -0.0, f64::MIN_POSITIVE].into_iter().all(Quantiles::allowed));
}

#[test]
fn bytes_are_frozen() {
    // The bucket of 1 is 1,051, so 3,851 are left out before it: 3,850 is 0x1e << 7 | 0x0a. Below 2 are 35 more.
    let cases: [(&[f64], &[u8]); 7] = [
        (&[], &[0]),
        (&[1.0], &[1, 6, 0x8a, 0x1e]),
        (&[0.0, 0.0], &[1, 10, 0xef, 0x15]),
        (&[1.0, 1.01, 1.0], &[1, 14, 0x8a, 0x1e]),
        (&[1.0, 1.03, 2.0], &[3, 6, 0x8a, 0x1e, 4, 6, 32]),
        (&[f64::MIN], &[1, 4]),
        (&[-1.0, f64::MAX], &[2, 6, 0xd4, 0x0d, 6, 0x89, 0x1e]),
    ];
    for (values, bytes) in cases {
        assert_eq!(encode(&of(values)), bytes, "{values:?}");
    }
    let mut owed = of(&[1.0]);
    owed.add(1.0, -2);
    assert_eq!(encode(&owed), [1, 1, 0x8a, 0x1e]);
    let bytes = encode(&of(&(0..100_000).map(|n| f64::from(n) * 0.37 - 3_000.0).collect::<Vec<_>>()));
    assert_eq!((bytes.len(), stable_hash(&bytes)), (1_100, 17_813_710_884_406_611_805));
}

#[test]
fn what_nobody_writes_is_refused() {
    let mut too_many = vec![0xe2, 0x2b]; // 5,602
    too_many.extend([2; 6_000]);
    let cases: [(&[u8], Malformed); 8] = [
        (&[], Malformed::Short),
        (&[2, 4], Malformed::Short),
        (&[1, 6], Malformed::Short),
        (&[1, 0], Malformed::Impossible("a bucket without values")),
        (&[1, 2, 7], Malformed::Impossible("a bucket without values")),
        (&[1, 6, 0xe0, 0x2b], Malformed::Impossible("a bucket above the last")),
        (
            &[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 4],
            Malformed::Impossible("a count above 64 bits"),
        ),
        (&too_many, Malformed::Impossible("more buckets than there are")),
    ];
    for (bytes, refused) in cases {
        assert_eq!(Quantiles::decode(&mut Reader::new(bytes)), Err(refused), "{bytes:?}");
    }
    // The last bucket may be there, and so may all.
    assert_eq!(Quantiles::decode(&mut Reader::new(&[1, 6, 0xdf, 0x2b])), Ok(of(&[f64::MAX])));
    let mut all = vec![0xe1, 0x2b];
    all.extend([4; 5_601]);
    assert_eq!(Quantiles::decode(&mut Reader::new(&all)).map(|all| all.count()), Ok(5_601));
}

/// `n` values of the log-normal distribution of load times whose median is 1.2 s: with σ = 0.8 one in a hundred is above 7.7 s.
fn load_times(n: usize) -> Vec<f64> {
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..n).map(|_| 1_200.0 * (0.8 * normal()).exp()).collect()
}

/// Nanoseconds that one of `n` takes, the best of some tries: other work on the machine only makes it longer.
fn nanos(n: usize, work: impl Fn()) -> u128 {
    let tries = (0..20).map(|_| {
        let since = Instant::now();
        work();
        since.elapsed().as_nanos() / n as u128
    });
    tries.min().unwrap_or_default()
}

#[test]
#[ignore = "a measurement"]
fn figures() {
    const ADDS: usize = 200_000;
    const MERGES: usize = 100;
    for n in [1, 10, 1_000, 100_000] {
        let values = load_times(n);
        let quantiles = of(&values);
        let bytes = encode(&quantiles);
        let add = nanos(ADDS, || {
            for _ in 0..ADDS / n {
                std::hint::black_box(of(std::hint::black_box(&values)));
            }
        });
        let merge = nanos(MERGES, || {
            let mut sum = Quantiles::IDENTITY;
            for _ in 0..MERGES {
                sum.merge(&Quantiles::decode(&mut Reader::new(std::hint::black_box(&bytes))).unwrap());
            }
        });
        println!(
            "{n:>6} values: {:>3} buckets, {:>3} bytes, {:>4} in memory; {add} ns an add, {merge} ns to decode and merge",
            quantiles.0.len(),
            bytes.len(),
            quantiles.heap_bytes(),
        );
    }
}
