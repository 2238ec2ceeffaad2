/// A summary that can be merged. The law: `merge` is associative and commutative, and `IDENTITY` changes nothing. It
/// holds for the encoded bytes too, and is tested that way.
pub trait Merge: Sized {
    /// The summary of nothing.
    const IDENTITY: Self;

    /// Makes this the summary of both.
    fn merge(&mut self, other: &Self);
}

#[cfg(test)]
pub(crate) mod law {
    use super::Merge;

    /// Asserts the law for three summaries, through their encoded bytes.
    pub(crate) fn check<T: Merge + Clone>(parts: [&T; 3], encode: impl Fn(&T) -> Vec<u8>) {
        let all = |order: [usize; 3]| {
            let mut whole = T::IDENTITY;
            order.iter().for_each(|i| whole.merge(parts[*i]));
            encode(&whole)
        };
        let [a, b, c] = parts;
        let mut right = b.clone();
        right.merge(c);
        let mut grouped = a.clone();
        grouped.merge(&right);
        let expected = all([0, 1, 2]);
        assert_eq!(encode(&grouped), expected, "associative");
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(all(order), expected, "commutative: {order:?}");
        }
        let mut same = a.clone();
        same.merge(&T::IDENTITY);
        assert_eq!(encode(&same), encode(a), "identity");
    }
}
