//! Randomness that follows from a seed, and draws from it that take constant time.

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and one mix for each number.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The sequence of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// The next number below `bound`, by multiplication: its bias, below one in 2^32 for the bounds used here, is smaller
    /// than any count can show.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }
}

/// A word that looks random but belongs to `word` for good.
pub(crate) fn mix(word: u64) -> u64 {
    let mut z = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Zipf's law over the ranks 0 to n-1: rank r has a weight of 1/(r+1)^s. Drawn by the alias method (Walker 1974, Vose
/// 1991): one number and one look into a table.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    /// Of each column: below which share (of 2^32) it stands for itself, and for which rank above it.
    columns: Vec<(u64, u32)>,
}

impl Zipf {
    /// The law of `n` ranks with exponent `s`.
    pub(crate) fn new(n: u32, s: f64) -> Self {
        let weights: Vec<f64> = (0..n).map(|rank| f64::from(rank + 1).powf(-s)).collect();
        let mean = weights.iter().sum::<f64>() / f64::from(n);
        let mut scaled: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut columns: Vec<(u64, u32)> = (0..n).map(|rank| (1 << 32, rank)).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) = (0..n).partition(|r| scaled[*r as usize] < 1.0);
        // Each poor column is filled up by a rich one, which is then poorer by as much.
        while let (Some(poor), Some(rich)) = (small.pop(), large.pop()) {
            let share = scaled[poor as usize];
            columns[poor as usize] = ((share * f64::from(u32::MAX)) as u64, rich);
            scaled[rich as usize] -= 1.0 - share;
            if scaled[rich as usize] < 1.0 { small.push(rich) } else { large.push(rich) }
        }
        Self { columns }
    }

    /// Draws a rank.
    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let word = random.next();
        // The high half chooses the column, the low half the side of it.
        let column = ((word >> 32) * self.columns.len() as u64) >> 32;
        let (own, alias) = self.columns[column as usize];
        if word & u64::from(u32::MAX) < own { column as u32 } else { alias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs for seed 1234567, as in the reference implementation's published test vector.
        let mut random = Random::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn ranks_come_as_often_as_zipf_says() {
        let (n, s, draws) = (1_000, 1.1, 1_000_000);
        let (law, mut random) = (Zipf::new(n, s), Random::new(7));
        let mut counts = vec![0u32; n as usize];
        for _ in 0..draws {
            counts[law.draw(&mut random) as usize] += 1;
        }
        let sum: f64 = (1..=n).map(|rank| f64::from(rank).powf(-s)).sum();
        for rank in [1, 2, 3, 10, 100, 1_000] {
            let expected = f64::from(draws) * f64::from(rank).powf(-s) / sum;
            let off = (f64::from(counts[rank as usize - 1]) - expected).abs();
            // Five standard deviations of a count.
            assert!(off < 5.0 * expected.sqrt(), "rank {rank}: {} of {expected}", counts[rank as usize - 1]);
        }
    }
}
