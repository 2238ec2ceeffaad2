use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Layers};

/// Read if it is in the working directory and no other file is named.
const USUAL_FILE: &str = "hitmill.toml";
/// The variable that people know, for the setting that it is.
const ADMIN_KEY: (&str, &str) = ("HITMILL_ADMIN_KEY", "config.admin_key");

/// Where settings come from besides the environment.
#[derive(Debug, Default, Args)]
#[group(skip)]
pub struct Sources {
    /// File of settings; without it ./hitmill.toml, if it is there. See `hitmill settings`.
    #[arg(long, env = "HITMILL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:7700].
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
}

impl Sources {
    /// Lays the file, then the environment, then the flags on top.
    pub fn lay<T>(self, layers: Layers<T>) -> Result<Layers<T>, Error>
    where
        T: Default + Serialize + DeserializeOwned,
    {
        let usual = Path::new(USUAL_FILE);
        let mut layers = match self.config.as_deref().or_else(|| usual.exists().then_some(usual)) {
            Some(file) => layers.file(file)?,
            None => layers,
        };
        // A variable that is not text cannot be one of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        layers = layers.environment(variables)?;
        let (variable, setting) = ADMIN_KEY;
        if let Some(key) = std::env::var(variable).ok().filter(|_| layers.has(setting)) {
            layers = layers.flag(variable, setting, key)?;
        }
        match self.listen {
            Some(listen) => layers.flag("--listen", "host.listen", listen),
            None => Ok(layers),
        }
    }
}
