use std::io::{ErrorKind, Result};
use std::path::Path;

use ::disk::Disk as Device;

use super::record;
use crate::core::client::Profile;

/// The file `client` of the queue directory: who the client is. It is replaced as a whole.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct State {
    #[prost(string, tag = "1")]
    pub(crate) client_id: String,
    /// Epoch of new hits.
    #[prost(uint64, tag = "2")]
    pub(crate) epoch: u64,
    /// The start of the machine in which the epoch began.
    #[prost(string, tag = "3")]
    pub(crate) boot_id: String,
    #[prost(string, tag = "4")]
    pub(crate) user_id: String,
    #[prost(string, tag = "5")]
    pub(crate) visitor_id: String,
    #[prost(bool, tag = "6")]
    pub(crate) opted_out: bool,
}

const NAME: &str = "client";

impl State {
    /// What the directory says, if it says anything.
    pub(crate) fn read(device: &dyn Device, directory: &Path) -> Result<Option<Self>> {
        match ::disk::read(device, &directory.join(NAME)) {
            Ok(bytes) => Ok(record::read(&mut bytes.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces what the directory says, safe against a loss of power.
    pub(crate) fn write(&self, device: &dyn Device, directory: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        record::write(self, &mut bytes);
        // A loss of power must not bring the old one back, and with it an epoch that was given away.
        ::disk::replace(device, &directory.join(NAME), &bytes)
    }

    /// Who hits are from.
    pub(crate) fn profile(&self) -> Profile {
        Profile {
            user_id: self.user_id.clone(),
            visitor_id: self.visitor_id.clone(),
            opted_out: self.opted_out,
        }
    }

    /// The same client with another profile.
    pub(crate) fn with(&self, profile: &Profile) -> Self {
        Self {
            user_id: profile.user_id.clone(),
            visitor_id: profile.visitor_id.clone(),
            opted_out: profile.opted_out,
            ..self.clone()
        }
    }
}
