use crate::{Invalid, limits};

/// The name of a hit: a letter, then letters, digits and underscores, at most 40 (the rule of GA4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventName<'a>(&'a str);

impl<'a> EventName<'a> {
    /// A view of a page.
    pub const PAGE_VIEW: EventName<'static> = EventName("page_view");
    /// A view of an app's screen.
    pub const SCREEN_VIEW: EventName<'static> = EventName("screen_view");
    /// A purchase: its value is revenue.
    pub const PURCHASE: EventName<'static> = EventName("purchase");

    /// The name.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<'a> TryFrom<&'a str> for EventName<'a> {
    type Error = Invalid;

    fn try_from(name: &'a str) -> Result<Self, Invalid> {
        let bytes = name.as_bytes();
        let fits = bytes.len() <= limits::NAME_BYTES
            && bytes.first().is_some_and(u8::is_ascii_alphabetic)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if fits {
            Ok(Self(name))
        } else {
            Err(Invalid::new(
                "hit name",
                name,
                "a letter, then letters, digits and underscores, at most 40 in all",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_naming_rule() {
        for good in ["page_view", "a", "A1_", &"a".repeat(40)] {
            assert!(EventName::try_from(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "_a", "a-b", "a b", "ä", &"a".repeat(41)] {
            assert!(EventName::try_from(bad).is_err(), "{bad}");
        }
    }
}
