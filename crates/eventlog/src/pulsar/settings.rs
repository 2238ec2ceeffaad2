use model::Invalid;

/// What an operator tunes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the brokers are: `pulsar://host:6650`, or `pulsar+ssl://host:6651`. Empty: the log is the embedded one.
    pub url: String,
    /// Where their admin interface is: `http://host:8080`.
    pub admin_url: String,
    /// The namespace that holds the topics, which is made if it is not there: `tenant/name`.
    pub namespace: String,
    /// How many partitions a new topic gets. A topic that is there keeps its number, and is refused if somebody changed it.
    pub partitions: u16,
    /// The topic is moved to tiered storage when more than this many bytes of it are in BookKeeper; 0: as soon as a ledger
    /// is full; not set: never by itself, unless the brokers' own configuration says so. A threshold that the namespace has
    /// is changed to this, or taken back. The brokers must have an offload driver.
    pub offload_after_bytes: Option<u64>,
    /// Bytes of records that may be on their way to the brokers, in all partitions together; an append beyond waits. The
    /// client holds each of them up to three times.
    pub max_queued_bytes: usize,
    /// Milliseconds that an append, a read or a question to the admin interface may take before it has failed.
    pub timeout_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            admin_url: "http://127.0.0.1:8080".to_owned(),
            namespace: "public/hitmill".to_owned(),
            partitions: 16,
            offload_after_bytes: None,
            max_queued_bytes: 64 * 1024 * 1024,
            timeout_ms: 30_000,
        }
    }
}

impl Settings {
    /// Says which setting is not allowed, and what is.
    pub fn check(&self) -> Result<(), Invalid> {
        let starts_with = |value: &str, schemes: &[&str]| {
            schemes.iter().any(|scheme| value.strip_prefix(scheme).is_some_and(|host| !host.is_empty()))
        };
        if !starts_with(&self.url, &["pulsar://", "pulsar+ssl://"]) {
            return Err(Invalid::new(
                "pulsar.url",
                &self.url,
                "pulsar://host:port or pulsar+ssl://host:port",
            ));
        }
        if !starts_with(&self.admin_url, &["http://", "https://"]) {
            return Err(Invalid::new(
                "pulsar.admin_url",
                &self.admin_url,
                "http://host:port or https://host:port",
            ));
        }
        let named = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=:.".contains(&byte))
        };
        if !self.namespace.split_once('/').is_some_and(|(tenant, name)| named(tenant) && named(name)) {
            let allowed = "tenant/name, each of letters, digits and any of - _ = : .";
            return Err(Invalid::new("pulsar.namespace", &self.namespace, allowed));
        }
        if self.partitions == 0 {
            return Err(Invalid::new("pulsar.partitions", "0", "a whole number from 1 to 65535"));
        }
        if self.timeout_ms == 0 {
            return Err(Invalid::new("pulsar.timeout_ms", "0", "1 or more"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Settings)) -> Option<&'static str> {
        let mut settings = Settings { url: "pulsar://h:6650".to_owned(), ..Settings::default() };
        change(&mut settings);
        settings.check().err().map(|invalid| invalid.what)
    }

    #[test]
    fn each_setting_is_checked() {
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|it| it.url = "pulsar+ssl://h".to_owned()), None);
        assert_eq!(refused(|it| it.url = "http://h:6650".to_owned()), Some("pulsar.url"));
        assert_eq!(refused(|it| it.url = "pulsar://".to_owned()), Some("pulsar.url"));
        assert_eq!(refused(|it| it.admin_url = "h:8080".to_owned()), Some("pulsar.admin_url"));
        assert_eq!(refused(|it| it.namespace = "hitmill".to_owned()), Some("pulsar.namespace"));
        assert_eq!(refused(|it| it.namespace = "a/b/c".to_owned()), Some("pulsar.namespace"));
        assert_eq!(refused(|it| it.namespace = "a/b c".to_owned()), Some("pulsar.namespace"));
        assert_eq!(refused(|it| it.partitions = 0), Some("pulsar.partitions"));
        assert_eq!(refused(|it| it.timeout_ms = 0), Some("pulsar.timeout_ms"));
    }
}
