use std::fmt;
use std::str::FromStr;

use crate::{Invalid, limits};

/// The name of a parameter, small enough to be copied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamName {
    bytes: [u8; limits::PARAM_NAME_BYTES],
    len: u8,
}

impl ParamName {
    /// The name.
    pub fn as_str(&self) -> &str {
        // It was made of a text, whole.
        str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl FromStr for ParamName {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let mut bytes = [0; limits::PARAM_NAME_BYTES];
        match bytes.get_mut(..name.len()) {
            Some(place) if !name.is_empty() => {
                place.copy_from_slice(name.as_bytes());
                Ok(Self { bytes, len: name.len() as u8 })
            }
            _ => {
                let allowed = format!("1 to {} bytes", limits::PARAM_NAME_BYTES);
                Err(Invalid::new("name of a parameter", name, allowed))
            }
        }
    }
}

impl fmt::Display for ParamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ParamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_whole_and_bounded() {
        let longest = "ä".repeat(20);
        assert_eq!(longest.parse::<ParamName>().unwrap().as_str(), longest);
        assert!("a".repeat(41).parse::<ParamName>().is_err());
        assert!("a".parse::<ParamName>().unwrap() < "b".parse().unwrap());
    }
}
