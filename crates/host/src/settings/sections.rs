use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::Service;

/// What concerns a service that runs alone: its own section, under its own name, and those of what it stands on.
pub(crate) struct Sections<S: Service> {
    pub(crate) host: super::Settings,
    pub(crate) pulsar: eventlog::pulsar::Settings,
    pub(crate) tikv: store::tikv::Settings,
    pub(crate) catalog: catalog::remote::Settings,
    pub(crate) service: S::Settings,
}

/// Sections of a file that serves all services: `log` and `store` belong to one process that runs all of them.
pub(crate) const ALL_SECTIONS: &[&str] =
    &["host", "pulsar", "tikv", "catalog", "log", "store", "ingest", "rollup", "query", "config"];

impl<S: Service> Default for Sections<S> {
    fn default() -> Self {
        Self {
            host: Default::default(),
            pulsar: Default::default(),
            tikv: Default::default(),
            catalog: Default::default(),
            service: Default::default(),
        }
    }
}

impl<S: Service> Serialize for Sections<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let mut sections = serializer.serialize_map(None)?;
        sections.serialize_entry("host", &self.host)?;
        sections.serialize_entry("pulsar", &self.pulsar)?;
        sections.serialize_entry("tikv", &self.tikv)?;
        sections.serialize_entry("catalog", &self.catalog)?;
        sections.serialize_entry(S::NAME, &self.service)?;
        sections.end()
    }
}

impl<'de, S: Service> Deserialize<'de> for Sections<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Read(PhantomData))
    }
}

/// Reads the sections, one after the other.
struct Read<S>(PhantomData<S>);

impl<'de, S: Service> Visitor<'de> for Read<S> {
    type Value = Sections<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sections of settings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut sections = Sections::default();
        while let Some(name) = map.next_key::<String>()? {
            match &*name {
                "host" => sections.host = map.next_value()?,
                "pulsar" => sections.pulsar = map.next_value()?,
                "tikv" => sections.tikv = map.next_value()?,
                "catalog" => sections.catalog = map.next_value()?,
                name if name == S::NAME => sections.service = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(sections)
    }
}
