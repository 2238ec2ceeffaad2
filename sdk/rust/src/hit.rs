use proto::v1;

/// One thing that happened: a page view, a purchase, or any name of your own.
///
/// ```
/// # use hitmill_sdk::Hit;
/// let hit = Hit::new("purchase").value("EUR", 12_340_000).transaction_id("o-1").param("coupon", "X");
/// ```
///
/// The limits are those of the contract (a name of at most 40 bytes, 50 parameters, 32 KiB in all). The server checks
/// them, and refuses a hit that breaks them with a reason that shows in the [stats](crate::Stats).
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a hit does nothing until it is tracked"]
pub struct Hit(v1::Hit);

impl Hit {
    /// A hit of this name: a letter, then letters, digits and underscores.
    pub fn new(name: impl Into<String>) -> Self {
        Self(v1::Hit { name: name.into(), ..v1::Hit::default() })
    }

    /// A view of a page.
    pub fn page(url: impl Into<String>) -> Self {
        Self::new("page_view").url(url)
    }

    /// A view of a screen of an app.
    pub fn screen(name: impl Into<String>) -> Self {
        let mut hit = Self::new("screen_view");
        hit.0.screen = name.into();
        hit
    }

    /// Address of the page it happened on.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.0.url = url.into();
        self
    }

    /// Address of the page before.
    pub fn referrer(mut self, referrer: impl Into<String>) -> Self {
        self.0.referrer = referrer.into();
        self
    }

    /// Title of the page.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.0.title = title.into();
        self
    }

    /// Name of the screen it happened on.
    pub fn on_screen(mut self, screen: impl Into<String>) -> Self {
        self.0.screen = screen.into();
        self
    }

    /// What it was worth, in millionths of the currency's unit: 12.34 EUR is `12_340_000`.
    pub fn value(mut self, currency: impl Into<String>, micros: i64) -> Self {
        self.0.value = Some(v1::Money { currency: currency.into(), micros });
        self
    }

    /// Id of the purchase in the shop.
    pub fn transaction_id(mut self, id: impl Into<String>) -> Self {
        self.0.transaction_id = id.into();
        self
    }

    /// Anything else worth keeping.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.params.push(v1::Param { name: name.into(), value: Some(value.into().0) });
        self
    }

    /// When it happened, in milliseconds since 1970 UTC, if not when it is tracked.
    pub fn time_ms(mut self, time_ms: i64) -> Self {
        self.0.time_ms = time_ms;
        self
    }

    /// The signed-in user it is from, if not the one that was identified.
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.context().user_id = user_id.into();
        self
    }

    /// Whom to count where there is no user id, if not the client: for servers that send for many visitors.
    pub fn visitor_id(mut self, visitor_id: impl Into<String>) -> Self {
        self.context().visitor_id = visitor_id.into();
        self
    }

    /// The User-Agent of the visitor's browser, if not the client's.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.context().user_agent = user_agent.into();
        self
    }

    /// The visitor's language, such as `en-GB`, if not the client's.
    pub fn language(mut self, language: impl Into<String>) -> Self {
        self.context().language = language.into();
        self
    }

    /// The visitor's country, two letters of ISO 3166, if not the client's.
    pub fn country(mut self, country: impl Into<String>) -> Self {
        self.context().country = country.into();
        self
    }

    fn context(&mut self) -> &mut v1::Context {
        self.0.context.get_or_insert_default()
    }

    /// Fills in what the client knows and the hit does not say. A hit that names its own visitor or user is not given
    /// the client's.
    pub(crate) fn completed(mut self, time_ms: i64, user_id: &str, visitor_id: &str) -> v1::Hit {
        if self.0.time_ms == 0 {
            self.0.time_ms = time_ms;
        }
        // The client alone counts seqs.
        self.0.skipped = 0;
        let anybody = !(user_id.is_empty() && visitor_id.is_empty());
        let own = self.0.context.as_ref().is_some_and(|c| !(c.user_id.is_empty() && c.visitor_id.is_empty()));
        if anybody && !own {
            let context = self.context();
            context.user_id = user_id.to_owned();
            context.visitor_id = visitor_id.to_owned();
        }
        self.0
    }
}

impl From<v1::Hit> for Hit {
    fn from(hit: v1::Hit) -> Self {
        Self(hit)
    }
}

impl From<Hit> for v1::Hit {
    fn from(hit: Hit) -> Self {
        hit.0
    }
}

/// The value of a parameter: a text, a whole number, or any other number. Made by `into()`.
#[derive(Clone, Debug, PartialEq)]
pub struct Value(v1::param::Value);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(v1::param::Value::Text(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(v1::param::Value::Text(text))
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self(v1::param::Value::Integer(integer))
    }
}

impl From<i32> for Value {
    fn from(integer: i32) -> Self {
        i64::from(integer).into()
    }
}

impl From<u32> for Value {
    fn from(integer: u32) -> Self {
        i64::from(integer).into()
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self(v1::param::Value::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identified_user_and_visitor_go_to_hits_that_name_nobody() {
        let context = Hit::new("a").country("DE").completed(5, "u", "v").context.unwrap();
        let ids = (context.user_id.as_str(), context.visitor_id.as_str(), context.country.as_str());
        assert_eq!(ids, ("u", "v", "DE"));
        let context = Hit::new("a").visitor_id("other").completed(5, "u", "v").context.unwrap();
        assert_eq!((context.user_id.as_str(), context.visitor_id.as_str()), ("", "other"));
        assert_eq!(Hit::new("a").completed(5, "", "").context, None);
    }

    #[test]
    fn a_hit_keeps_its_own_time() {
        assert_eq!(Hit::new("a").completed(5, "", "").time_ms, 5);
        assert_eq!(Hit::new("a").time_ms(3).completed(5, "", "").time_ms, 3);
    }
}
