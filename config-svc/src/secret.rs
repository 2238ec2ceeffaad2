//! Making keys out of randomness.

use model::Role;
use sha2::{Digest, Sha256};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of the part that names a key.
const NAME: usize = 8;
/// Digits of the secret: 190 bits.
const SECRET: usize = 32;

/// Draws keys; what it draws follows from its seed, which is as secret as they are.
pub(crate) struct Draw {
    seed: [u8; 32],
    block: u64,
    bytes: Vec<u8>,
}

/// A new key as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// The part before the secret.
    pub(crate) id: String,
    /// The whole key.
    pub(crate) text: String,
}

impl Draw {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, block: 0, bytes: Vec::new() }
    }

    /// An id for a key, without a secret.
    pub(crate) fn id(&mut self, role: Role) -> String {
        let letter = match role {
            Role::Write => 'w',
            Role::Read => 'r',
            Role::Admin => 'a',
        };
        format!("hm_{letter}_{}", self.digits(NAME))
    }

    /// A whole key.
    pub(crate) fn key(&mut self, role: Role) -> Drawn {
        let id = self.id(role);
        let text = format!("{id}_{}", self.digits(SECRET));
        Drawn { id, text }
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| self.digit()).collect()
    }

    fn digit(&mut self) -> char {
        // 248 is 4 × 62: the bytes above would make some digits likelier than others.
        const FAIR: u8 = 248;
        loop {
            match self.byte() {
                byte if byte < FAIR => return char::from(DIGITS[usize::from(byte) % DIGITS.len()]),
                _ => {}
            }
        }
    }

    fn byte(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.bytes.pop() {
                return byte;
            }
            let block = Sha256::new().chain_update(self.seed).chain_update(self.block.to_be_bytes());
            self.bytes = block.finalize().to_vec();
            self.block += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_has_our_form_and_follows_from_the_seed(seed: [u8; 32]) {
            let key = Draw::new(seed).key(Role::Read);
            prop_assert!(key.id.starts_with("hm_r_"), "{}", key.id);
            prop_assert_eq!(catalog::key_id(&key.text), Some(key.id.as_str()));
            prop_assert_eq!(Draw::new(seed).key(Role::Read), key);
        }
    }

    #[test]
    fn keys_differ_and_use_every_digit() {
        let mut draw = Draw::new([7; 32]);
        let keys: Vec<Drawn> = (0..100).map(|_| draw.key(Role::Write)).collect();
        assert_eq!(keys.iter().map(|key| &key.id).collect::<HashSet<_>>().len(), 100);
        assert_eq!(keys.iter().map(|key| &key.text[14..]).collect::<HashSet<_>>().len(), 100);
        // 4,000 digits: the chance that one of 62 is missing is below 10^-26.
        let digits: HashSet<char> = keys.iter().flat_map(|key| key.text[5..].chars()).collect();
        assert_eq!(digits.len(), 63, "62 digits and the underscore");
    }
}
