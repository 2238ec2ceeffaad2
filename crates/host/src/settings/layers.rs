use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::path::Path;

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::names;

/// What every variable that can be a setting starts with.
const PREFIX: &str = "HITMILL_";
/// Between the parts of a setting's name in a variable: names have single underscores of their own.
const SEPARATOR: &str = "__";

/// Settings in layers, lowest first: defaults, file, environment, flags. A later layer wins, setting by setting.
pub struct Layers<T> {
    figment: Figment,
    known: BTreeSet<String>,
    /// Sections that are somebody else's.
    foreign: &'static [&'static str],
    settings: PhantomData<T>,
}

/// What the layers came to.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The settings.
    pub settings: T,
    /// Each of them by name.
    pub rows: Vec<Row>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name, with its section: `host.listen`.
    pub name: String,
    /// Its value.
    pub value: serde_json::Value,
    /// Where the value came from: `default`, a file, a variable or a flag.
    pub source: String,
}

/// What is wrong with the settings.
#[derive(Debug, Error)]
pub enum Error {
    /// The file is not there or not TOML.
    #[error("failed to read the settings in {path}: {what}")]
    File {
        /// The file.
        path: String,
        /// Why.
        what: String,
    },
    /// There is no such setting.
    #[error("{place} sets {name}, which is no setting{hint}")]
    Unknown {
        /// The file or variable.
        place: String,
        /// The name as given.
        name: String,
        /// What was probably meant.
        hint: String,
    },
    /// The value does not fit.
    #[error("{place} sets {name} to a value that is not allowed: {what}")]
    Value {
        /// The file, variable or flag.
        place: String,
        /// The setting.
        name: String,
        /// What does not fit, and what would.
        what: String,
    },
}

impl<T: Default + Serialize + DeserializeOwned> Layers<T> {
    /// The lowest layer.
    pub fn defaults() -> Result<Self, Error> {
        let values =
            Serialized::defaults(T::default()).data().map_err(|e| wrong(&e))?.remove(&Profile::Default);
        let values = values.unwrap_or_default();
        let known = names::of(&values);
        let figment = Figment::from(Layer { place: "default".to_owned(), values });
        Ok(Self { figment, known, foreign: &[], settings: PhantomData })
    }

    /// Passes over these sections: one file, and one environment, may be for several programs. Those that are settings
    /// here stay so.
    pub fn passing_over(self, foreign: &'static [&'static str]) -> Self {
        Self { foreign, ..self }
    }

    /// Lays the TOML file at `path` on top.
    pub fn file(self, path: &Path) -> Result<Self, Error> {
        let place = path.display().to_string();
        let failed = |what: String| Error::File { path: place.clone(), what };
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        let values =
            Toml::string(&text).data().map_err(|e| failed(e.kind.to_string()))?.remove(&Profile::Default);
        self.lay(place, values.unwrap_or_default())
    }

    /// Lays the variables named `HITMILL_<SECTION>__<NAME>` on top. Others are not settings.
    pub fn environment(self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut layers = self;
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else { continue };
            layers.refuse_single_underscore(&variable, name)?;
            if !name.contains(SEPARATOR) {
                continue;
            }
            let name = name.to_lowercase().replace(SEPARATOR, ".");
            let value = match is_secret(&name) {
                // All digits or not.
                true => Value::from(value),
                // Parsing a value cannot fail: what is no number, boolean or list is text.
                false => value.parse().unwrap_or_else(|never| match never {}),
            };
            layers = layers.lay(variable, nested(&name, value))?;
        }
        Ok(layers)
    }

    /// Lays one setting that the flag gives on top.
    pub fn flag(self, flag: &str, name: &str, value: impl Into<Value>) -> Result<Self, Error> {
        self.lay(flag.to_owned(), nested(name, value.into()))
    }

    /// What the layers come to.
    pub fn load(self) -> Result<Loaded<T>, Error> {
        let settings = self.figment.extract().map_err(|e| wrong(&e))?;
        let row = |name: &String| Row {
            name: name.clone(),
            value: shown(name, self.figment.find_value(name).ok()),
            source: self.figment.find_metadata(name).map(|m| m.name.to_string()).unwrap_or_default(),
        };
        Ok(Loaded { settings, rows: self.known.iter().map(row).collect() })
    }

    /// Whether there is such a setting.
    pub fn has(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    fn lay(self, place: String, mut values: Dict) -> Result<Self, Error> {
        values.retain(|section, _| !self.is_foreign(section));
        match names::of(&values).into_iter().find(|name| !self.is_known(name)) {
            Some(name) => {
                let hint = match names::nearest(&name, &self.known) {
                    Some(nearest) => format!(": did you mean {nearest}?"),
                    None => ": `hitmill settings` lists them".to_owned(),
                };
                Err(Error::Unknown { place, name, hint })
            }
            None => Ok(Self { figment: self.figment.merge(Layer { place, values }), ..self }),
        }
    }

    /// A setting, or something within a setting that is a table of its own.
    fn is_known(&self, name: &str) -> bool {
        self.known.contains(name)
            || self
                .known
                .iter()
                .any(|known| name.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('.')))
    }

    fn is_foreign(&self, section: &str) -> bool {
        let own = || self.known.iter().any(|known| known.split('.').next() == Some(section));
        self.foreign.contains(&section) && !own()
    }

    /// `HITMILL_HOST_LISTEN` would be passed over in silence: say what is meant.
    fn refuse_single_underscore(&self, variable: &str, name: &str) -> Result<(), Error> {
        let meant = |known: &&String| known.replace('.', "_").eq_ignore_ascii_case(name);
        match self.known.iter().find(meant) {
            Some(known) if !name.contains(SEPARATOR) => {
                let right = known.replace('.', SEPARATOR).to_uppercase();
                let hint = format!(": write {PREFIX}{right}, with two underscores after each section");
                Err(Error::Unknown { place: variable.to_owned(), name: name.to_lowercase(), hint })
            }
            _ => Ok(()),
        }
    }
}

/// Keys are not for every eye.
fn is_secret(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last == "key" || last.ends_with("_key"))
}

/// A value for people.
fn shown(name: &str, value: Option<Value>) -> serde_json::Value {
    let value = value.and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default();
    match value.as_str() {
        Some(text) if is_secret(name) && !text.is_empty() => "(set, not shown)".into(),
        _ => value,
    }
}

fn nested(name: &str, value: Value) -> Dict {
    figment::util::nest(name, value).into_dict().unwrap_or_default()
}

fn wrong(error: &figment::Error) -> Error {
    Error::Value {
        place: error.metadata.as_ref().map(|m| m.name.to_string()).unwrap_or_default(),
        name: error.path.join("."),
        what: error.kind.to_string(),
    }
}

/// Values that all came from one place.
struct Layer {
    place: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}
