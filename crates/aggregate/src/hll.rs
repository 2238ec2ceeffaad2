//! HyperLogLog with 4,096 registers (Flajolet et al. 2007), read with the improved estimator of O. Ertl, "New cardinality
//! estimation algorithms for HyperLogLog sketches" (2017, arXiv:1702.01284, algorithm 6): no bias tables, no thresholds.

use crate::codec::{Malformed, Reader, put_varint};

const PRECISION: u32 = 12;
pub(crate) const REGISTERS: usize = 1 << PRECISION;
/// Bits of a hash that count leading zeros. The lowest four carry quarters of the hour elsewhere and are left out.
const RANK_BITS: u32 = 64 - PRECISION - 4;
/// A register is at most `RANK_BITS + 1`, which fits into six bits.
const REGISTER_BITS: usize = 6;
const DENSE_BYTES: usize = REGISTERS * REGISTER_BITS / 8;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hll(Box<[u8; REGISTERS]>);

impl Hll {
    pub(crate) fn new() -> Self {
        Self(Box::new([0; REGISTERS]))
    }

    /// Takes in a hash; says whether that changed anything.
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        let index = (hash >> (64 - PRECISION)) as usize;
        let rest = (hash << PRECISION) >> (64 - RANK_BITS);
        let rank = (rest.leading_zeros() - (64 - RANK_BITS) + 1) as u8;
        let raised = rank > self.0[index];
        if raised {
            self.0[index] = rank;
        }
        raised
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0.iter()) {
            *own = (*own).max(*other);
        }
    }

    pub(crate) fn estimate(&self) -> f64 {
        let mut multiplicity = [0u32; RANK_BITS as usize + 2];
        for register in self.0.iter() {
            multiplicity[usize::from(*register)] += 1;
        }
        let m = REGISTERS as f64;
        let top = RANK_BITS as usize + 1;
        let mut z = m * tau(1.0 - f64::from(multiplicity[top]) / m);
        for k in (1..top).rev() {
            z = 0.5 * (z + f64::from(multiplicity[k]));
        }
        z += m * sigma(f64::from(multiplicity[0]) / m);
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }

    /// Few registers are written one by one, as a gap and a value; many are packed, six bits each.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let set = self.0.iter().filter(|r| **r > 0).count();
        if set * 3 < DENSE_BYTES {
            put_varint(out, set as u64 + 1);
            let mut after = 0;
            for (index, register) in self.0.iter().enumerate().filter(|(_, r)| **r > 0) {
                put_varint(out, (index - after) as u64);
                out.push(*register);
                after = index + 1;
            }
        } else {
            put_varint(out, 0);
            for four in self.0.chunks_exact(4) {
                let word = four.iter().rev().fold(0u32, |word, r| word << REGISTER_BITS | u32::from(*r));
                out.extend_from_slice(&word.to_le_bytes()[..3]);
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut hll = Self::new();
        match reader.varint()? {
            0 => {
                let packed = reader.take(DENSE_BYTES)?;
                for (four, bytes) in hll.0.chunks_exact_mut(4).zip(packed.chunks_exact(3)) {
                    let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
                    for (i, register) in four.iter_mut().enumerate() {
                        *register = known_rank((word >> (i * REGISTER_BITS)) as u8 & 0x3f)?;
                    }
                }
            }
            set => {
                let mut at = 0_usize;
                for _ in 1..set {
                    at = at.saturating_add(usize::try_from(reader.varint()?).unwrap_or(REGISTERS));
                    let register = hll.0.get_mut(at).ok_or(Malformed::Short)?;
                    *register = known_rank(reader.byte()?)?;
                    at += 1;
                }
            }
        }
        Ok(hll)
    }
}

fn known_rank(rank: u8) -> Result<u8, Malformed> {
    if u32::from(rank) <= RANK_BITS + 1 {
        Ok(rank)
    } else {
        Err(Malformed::Impossible("a register above the highest rank"))
    }
}

impl std::fmt::Debug for Hll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hll(≈{:.0})", self.estimate())
    }
}

/// σ(x) = x + Σ x^(2^k) 2^(k−1), of the registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// τ(x) = (1 − x − Σ (1 − x^(2^−k))² 2^−k) / 3, of the registers that are full.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
