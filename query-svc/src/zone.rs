use std::fmt;
use std::hash::{Hash, Hasher};

use jiff::tz::TimeZone;
use model::{Invalid, Timestamp};

/// An IANA time zone. Two are equal if their names are.
#[derive(Clone)]
pub struct Zone {
    name: Box<str>,
    rules: TimeZone,
}

impl Zone {
    /// The zone of this name.
    pub fn named(name: &str) -> Result<Self, Invalid> {
        let rules = TimeZone::get(name).map_err(|_| {
            Invalid::new("time zone", name, "an IANA name, such as UTC, Europe/Berlin or Asia/Kathmandu")
        })?;
        let name = rules.iana_name().unwrap_or(name).into();
        Ok(Self { name, rules })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its rules.
    pub fn rules(&self) -> &TimeZone {
        &self.rules
    }

    /// An instant in RFC 3339 with the zone's offset at that time; `Z` where that is none.
    pub fn rfc_3339(&self, at: Timestamp) -> String {
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.0) else { return at.to_string() };
        let offset = self.rules.to_offset(instant);
        if offset.is_zero() { instant.to_string() } else { instant.display_with_offset(offset).to_string() }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_the_offset_of_their_time() {
        let noon = Timestamp(1_431_864_000_000);
        let text = |zone| Zone::named(zone).unwrap().rfc_3339(noon);
        assert_eq!(text("UTC"), "2015-05-17T12:00:00Z");
        assert_eq!(text("Europe/Berlin"), "2015-05-17T14:00:00+02:00");
        assert_eq!(text("Asia/Kathmandu"), "2015-05-17T17:45:00+05:45");
        assert_eq!(text("America/St_Johns"), "2015-05-17T09:30:00-02:30");
    }

    #[test]
    fn a_name_that_is_none_is_refused_by_name_and_case_does_not_matter() {
        assert_eq!(Zone::named("europe/berlin").unwrap(), Zone::named("Europe/Berlin").unwrap());
        let refused = Zone::named("Mars/Olympus").unwrap_err().to_string();
        assert!(refused.starts_with("time zone \"Mars/Olympus\" is not allowed: an IANA name"), "{refused}");
    }
}
