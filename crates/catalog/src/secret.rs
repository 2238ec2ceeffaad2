//! Keys as text: `hm_w_1a2B3c4D_` and 32 more letters and digits. The second part is the role's letter, the third names
//! the key, and the last is its secret. An operator's own admin key may be any text.

use sha2::{Digest, Sha256};

/// SHA-256 of a whole key. Without a salt: the secret is 190 random bits, which nobody can guess one by one.
pub type Hash = [u8; 32];

/// The hash of a key as presented.
pub fn hash(key: &str) -> Hash {
    Sha256::digest(key.as_bytes()).into()
}

/// Letters and digits of the part that names a key.
const NAME: usize = 8;
/// Letters and digits of the secret part.
const SECRET: usize = 32;

/// The part of a key before its secret, which is not secret; `None` if the text is not of the form of our keys, so
/// that a secret that was cut or mixed up never gets into a message.
pub fn key_id(key: &str) -> Option<&str> {
    let (id, secret) = key.rsplit_once('_')?;
    let name = ["hm_w_", "hm_r_", "hm_a_"].iter().find_map(|prefix| id.strip_prefix(prefix))?;
    let plain = |part: &str, len| part.len() == len && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain(name, NAME) && plain(secret, SECRET)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_of_a_well_formed_key_is_shown() {
        let secret = "a1B2".repeat(8);
        assert_eq!(key_id(&format!("hm_w_1a2B3c4D_{secret}")), Some("hm_w_1a2B3c4D"));
        assert_eq!(key_id(&format!("hm_x_1a2B3c4D_{secret}")), None, "no such role");
        assert_eq!(key_id(&format!("hm_w_{secret}_1a2B3c4D")), None, "parts swapped");
        assert_eq!(key_id(&format!("hm_w_1a2B3c4D_{secret}x")), None, "too long");
        assert_eq!(key_id(&format!("hm_w_1a2B3c4D{secret}")), None, "a part is missing");
        assert_eq!(key_id("a key of the operator"), None);
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(hash("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
