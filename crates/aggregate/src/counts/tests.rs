use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::merge::law;

type Added = (Count, i64);

fn of(added: &[Added]) -> Counts {
    let mut counts = Counts::IDENTITY;
    added.iter().for_each(|(count, n)| counts.add(*count, *n));
    counts
}

fn encode(counts: &Counts) -> Vec<u8> {
    let mut out = Vec::new();
    counts.encode(&mut out);
    let mut reader = Reader::new(&out);
    assert_eq!(Counts::decode(&mut reader).as_ref(), Ok(counts));
    assert_eq!(reader.end(), Ok(()));
    out
}

/// Few kinds or many, numbers of any size and those at the border of 32 bits.
fn added() -> impl Strategy<Value = Vec<Added>> {
    let border = i64::from(i32::MAX);
    let n = prop_oneof![
        4 => -3i64..=3,
        1 => border - 3..=border + 3,
        1 => -border - 3..=-border + 3,
        1 => any::<i64>(),
    ];
    (1usize..=ALL).prop_flat_map(move |kinds| {
        let count = (0..kinds).prop_map(|kind| Count::ALL[kind * 7 % ALL]);
        prop::collection::vec((count, n.clone()), 0..40)
    })
}

proptest! {
    #[test]
    fn merging_keeps_the_law(a in added(), b in added(), c in added()) {
        law::check([&of(&a), &of(&b), &of(&c)], encode);
    }

    #[test]
    fn each_count_is_the_sum_of_what_was_added(added in added()) {
        let mut sums = BTreeMap::new();
        for (count, n) in &added {
            let sum: &mut i64 = sums.entry(*count).or_default();
            *sum = sum.wrapping_add(*n);
        }
        let counts = of(&added);
        for count in Count::ALL {
            prop_assert_eq!(counts.get(count), sums.get(&count).copied().unwrap_or(0));
        }
        sums.retain(|_, n| *n != 0);
        prop_assert_eq!(counts.iter().collect::<Vec<_>>(), sums.into_iter().collect::<Vec<_>>());
        encode(&counts);
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace(kept in added(), gone in added()) {
        let mut counts = of(&[&kept[..], &gone[..]].concat());
        gone.iter().for_each(|(count, n)| counts.add(*count, n.wrapping_neg()));
        prop_assert_eq!(&counts, &of(&kept));
        prop_assert_eq!(encode(&counts), encode(&of(&kept)));
        kept.iter().for_each(|(count, n)| counts.add(*count, n.wrapping_neg()));
        prop_assert!(counts.is_zero());
        prop_assert_eq!(encode(&counts), [0]);
    }

    #[test]
    fn rubbish_is_refused_or_read_but_never_panics(rubbish: Vec<u8>) {
        if let Ok(counts) = Counts::decode(&mut Reader::new(&rubbish)) {
            encode(&counts);
        }
    }
}

#[test]
fn bytes_are_frozen() {
    use Count::*;
    let cases: [(&[Added], &[u8]); 7] = [
        (&[], &[0]),
        // These four were written when there were five counts and a byte for which of them are there.
        (&[(Hits, 1)], &[0b1, 2]),
        (&[(Hits, 1), (PageViews, 1), (Sessions, 1), (NewVisitors, 1)], &[0b1111, 2, 2, 2, 2]),
        (&[(Sessions, -1)], &[0b100, 1]),
        (&[(Hits, 64), (Purchases, -65)], &[0b10001, 0x80, 1, 0x81, 1]),
        (&[(Exits, 3), (SessionDurationMs, 1 << 31)], &[0x80, 0b101, 0x80, 0x80, 0x80, 0x80, 0x10, 6]),
        (&[(Interactions, 1)], &[0x80, 0x80, 0x80, 0x80, 2, 2]),
    ];
    for (added, bytes) in cases {
        assert_eq!(encode(&of(added)), bytes, "{added:?}");
    }
}

#[test]
fn what_nobody_writes_is_refused() {
    let cases: [(&[u8], Malformed); 5] = [
        (&[], Malformed::Short),
        (&[0b11, 2], Malformed::Short),
        (&[0b1, 0], Malformed::Impossible("a count of zero")),
        (
            &[0b1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2],
            Malformed::Impossible("a count above 64 bits"),
        ),
        (&[0x80, 0x80, 0x80, 0x80, 4, 2], Malformed::Unknown { what: "a set of counts", found: 1 << 30 }),
    ];
    for (bytes, refused) in cases {
        assert_eq!(Counts::decode(&mut Reader::new(bytes)), Err(refused), "{bytes:?}");
    }
}

#[test]
fn only_some_parts_are_added() {
    let mut some = Counts::IDENTITY;
    let all: Counts = [(Count::Hits, 2), (Count::Sessions, 3)].into_iter().collect();
    some.add_some(&all, &Parts::counts(&[Count::Sessions]), -2);
    assert_eq!(some.iter().collect::<Vec<_>>(), [(Count::Sessions, -6)]);
    assert!(
        some.has_some(&Parts::counts(&[Count::Sessions])) && !some.has_some(&Parts::counts(&[Count::Hits]))
    );
}
