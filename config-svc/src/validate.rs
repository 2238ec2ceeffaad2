//! The door: what a request may say. Behind it nobody checks again.

use model::{Currency, Invalid};

/// Bytes of a name for people.
const NAME_BYTES: usize = 200;
/// Partitions that one merchant may be spread over.
const MAX_SPREAD: u16 = 64;
/// Bytes of an admin key that the operator chose.
const GIVEN_KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=256;

/// A name for people.
pub(crate) fn name(what: &'static str, name: &str) -> Result<Box<str>, Invalid> {
    if name.is_empty() || name.len() > NAME_BYTES {
        return Err(Invalid::new(what, name, format!("1 to {NAME_BYTES} bytes, these are {}", name.len())));
    }
    Ok(name.into())
}

/// The IANA name of a time zone, spelled as IANA does.
pub(crate) fn time_zone(name: &str) -> Result<Box<str>, Invalid> {
    let zone = jiff::tz::TimeZone::get(name).ok();
    let iana = zone.as_ref().and_then(|zone| zone.iana_name());
    iana.map(Into::into).ok_or_else(|| {
        Invalid::new("time zone", name, "an IANA name of a time zone, such as Europe/Berlin or UTC")
    })
}

/// An ISO 4217 code.
pub(crate) fn currency(code: &str) -> Result<Currency, Invalid> {
    code.parse()
}

/// Over how many partitions a merchant is spread; 0 is 1.
pub(crate) fn spread(spread: u32) -> Result<u16, Invalid> {
    match u16::try_from(spread) {
        Ok(0) => Ok(1),
        Ok(spread) if spread <= MAX_SPREAD => Ok(spread),
        _ => Err(Invalid::new("spread", spread.to_string(), format!("1 to {MAX_SPREAD}, or 0 for 1"))),
    }
}

/// What sends into a data stream.
pub(crate) fn platform(number: i32) -> Result<catalog::Platform, Invalid> {
    let platform = proto::v1::Platform::try_from(number);
    platform.map(Into::into).map_err(|_| {
        Invalid::new(
            "platform",
            number.to_string(),
            "web (1), iOS (2), Android (3), server (4), or 0 for not said",
        )
    })
}

/// An admin key that the operator chose. The message does not repeat it.
pub(crate) fn given_key(key: &str) -> Result<(), Invalid> {
    if !GIVEN_KEY_BYTES.contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let (least, most) = (GIVEN_KEY_BYTES.start(), GIVEN_KEY_BYTES.end());
        let allowed = format!("{least} to {most} visible ASCII characters without spaces");
        return Err(Invalid::new("admin key of", format!("{} bytes", key.len()), allowed));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_counted_in_bytes() {
        assert!(name("name", "").is_err());
        assert_eq!(name("name", &"ä".repeat(100)).as_deref(), Ok("ä".repeat(100).as_str()));
        assert!(name("name", &"ä".repeat(101)).is_err());
    }

    #[test]
    fn a_time_zone_is_known_and_takes_its_own_spelling() {
        assert_eq!(time_zone("europe/berlin").as_deref(), Ok("Europe/Berlin"));
        assert_eq!(time_zone("UTC").as_deref(), Ok("UTC"));
        for wrong in ["", "Mars/Olympus", "+02:00", "../../etc/passwd"] {
            assert!(time_zone(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_spread_is_1_to_64() {
        assert_eq!((spread(0), spread(1), spread(64)), (Ok(1), Ok(1), Ok(64)));
        assert!(spread(65).is_err());
        assert!(spread(65_537).is_err());
    }

    #[test]
    fn an_operators_key_is_long_enough_and_is_not_repeated() {
        assert_eq!(given_key("0123456789abcdef"), Ok(()));
        for wrong in ["0123456789abcde", "0123456789 abcdef", "0123456789abcdéf"] {
            let message = given_key(wrong).unwrap_err().to_string();
            assert!(!message.contains("0123456789"), "{message}");
        }
    }
}
