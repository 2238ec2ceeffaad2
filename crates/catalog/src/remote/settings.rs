/// The section `catalog`: where a service that does not keep the configuration itself hears of its changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where config-svc is: `http://HOST:PORT`, with commas between several; a name may stand for several addresses. Empty:
    /// the store is looked at every second.
    pub servers: String,
    /// An admin key, to watch config-svc with.
    pub key: String,
}
