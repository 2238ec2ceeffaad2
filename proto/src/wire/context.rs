use super::{Fields, Malformed};

/// A `Context`, borrowed. Empty texts are fields that were not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContextRef<'a> {
    /// Id of a signed-in user.
    pub user_id: &'a str,
    /// Whom to count where there is no user id, if not the client.
    pub visitor_id: &'a str,
    /// The browser's User-Agent.
    pub user_agent: &'a str,
    /// Language tag.
    pub language: &'a str,
    /// ISO 3166 country code.
    pub country: &'a str,
}

impl<'a> ContextRef<'a> {
    /// Reads an encoded `Context`.
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut context = Self::default();
        context.read(message)?;
        Ok(context)
    }

    /// Reads one more piece of it: protobuf puts a message together whose field comes more than once.
    pub(super) fn read(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        for field in Fields::of(message) {
            let field = field?;
            match field.number {
                1 => self.user_id = field.text()?,
                2 => self.visitor_id = field.text()?,
                3 => self.user_agent = field.text()?,
                4 => self.language = field.text()?,
                5 => self.country = field.text()?,
                _ => {}
            }
        }
        Ok(())
    }

    /// This context, with what it does not set taken from the wider one.
    pub fn over(self, wider: Self) -> Self {
        let or = |own: &'a str, wider: &'a str| if own.is_empty() { wider } else { own };
        Self {
            user_id: or(self.user_id, wider.user_id),
            visitor_id: or(self.visitor_id, wider.visitor_id),
            user_agent: or(self.user_agent, wider.user_agent),
            language: or(self.language, wider.language),
            country: or(self.country, wider.country),
        }
    }
}
