/// Cheap random numbers that follow from a seed: `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Numbers that follow from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0, inclusive, to 1, exclusive.
    pub(crate) fn unit(&mut self) -> f64 {
        // As many bits as the mantissa has: more would round up to 1.
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True so often in the long run.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number below this one, each as likely.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }

    /// One of these by Zipf's law: the second half as often as the first, the third a third as often.
    pub(crate) fn popular<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        let weight = |rank: usize| 1.0 / (rank + 1) as f64;
        let all: f64 = (0..among.len()).map(weight).sum();
        let mut left = self.unit() * all;
        let rank = (0..among.len()).find(|rank| {
            left -= weight(*rank);
            left < 0.0
        });
        // Nothing is found only where the sums round differently: that is the last one.
        &among[rank.unwrap_or(among.len() - 1)]
    }

    /// One of these, as often as its share of all shares.
    pub(crate) fn weighted<'a, T>(&mut self, among: &'a [(u32, T)]) -> &'a T {
        let all: u32 = among.iter().map(|(share, _)| share).sum();
        let mut left = (self.unit() * f64::from(all)) as u32;
        let found = among.iter().find(|(share, _)| match left.checked_sub(*share) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        &found.unwrap_or(&among[0]).1
    }

    /// Milliseconds between things that happen independently of each other, once in `mean` of them.
    pub(crate) fn pause(&mut self, mean: f64) -> i64 {
        (-mean * (1.0 - self.unit()).ln()) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLLS: usize = 60_000;

    fn shares<const N: usize>(mut roll: impl FnMut(&mut Dice) -> usize) -> [f64; N] {
        let (mut dice, mut counts) = (Dice::new(1), [0.0; N]);
        (0..ROLLS).for_each(|_| counts[roll(&mut dice)] += 1.0 / ROLLS as f64);
        counts
    }

    fn near(found: &[f64], expected: &[f64]) {
        for (found, expected) in found.iter().zip(expected) {
            // Five standard deviations of the most uncertain share.
            assert!((found - expected).abs() < 0.011, "{found} is far from {expected}");
        }
    }

    #[test]
    fn each_way_of_choosing_has_the_shares_that_it_says() {
        near(&shares::<4>(|dice| dice.below(4)), &[0.25; 4]);
        // 1 + 1/2 + 1/3 = 11/6.
        near(&shares::<3>(|dice| *dice.popular(&[0, 1, 2])), &[6.0 / 11.0, 3.0 / 11.0, 2.0 / 11.0]);
        near(&shares::<3>(|dice| *dice.weighted(&[(7, 0), (0, 1), (3, 2)])), &[0.7, 0.0, 0.3]);
        near(&shares::<2>(|dice| usize::from(dice.chance(0.2))), &[0.8, 0.2]);
        // Half of exponential pauses are below mean × ln 2.
        near(&shares::<2>(|dice| usize::from(dice.pause(1e6) as f64 > 1e6 * 2f64.ln())), &[0.5; 2]);
    }

    #[test]
    fn a_seed_repeats_itself() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            [dice.roll(), dice.roll()]
        };
        assert_eq!(rolls(5), rolls(5));
        assert_ne!(rolls(5), rolls(6));
    }
}
