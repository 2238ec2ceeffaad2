//! The data directory of the embedded back ends.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, bail};

/// The file that says what the directory is. Log and store have versions of their own inside.
pub const FORMAT_FILE: &str = "FORMAT";
const UNFINISHED: &str = "FORMAT.new";
const FORMAT: &str = "hitmill data, format 1\n";

/// What a directory says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// A data directory of this format.
    Ours,
    /// One of another format.
    Other(String),
    /// Something that no version wrote.
    Nonsense(String),
    /// Nothing: the file that says it is not there.
    Nothing,
}

impl Says {
    /// Reads what `data` says.
    pub fn of(data: &Path) -> io::Result<Self> {
        let said = match fs::read(data.join(FORMAT_FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            read => String::from_utf8_lossy(&read?).into_owned(),
        };
        let format =
            said.strip_prefix("hitmill data, format ").map(|format| format.trim_end().parse::<u32>());
        Ok(match format {
            _ if said == FORMAT => Self::Ours,
            Some(Ok(_)) => Self::Other(said.trim_end().to_owned()),
            _ => Self::Nonsense(said),
        })
    }
}

/// Makes the directory ours, or checks that it is.
pub(super) fn settle(data: &Path) -> anyhow::Result<()> {
    let shown = data.display();
    disk::make_directory(&disk::System, data)
        .with_context(|| format!("failed to make the data directory {shown}"))?;
    let doctor = format!("`hitmill doctor --data {shown}` can repair it");
    match Says::of(data).with_context(|| format!("failed to read {FORMAT_FILE} in {shown}"))? {
        Says::Ours => Ok(()),
        Says::Other(said) => {
            bail!("{shown} holds {said:?}, which this hitmill does not read: it reads {:?}", FORMAT.trim())
        }
        Says::Nonsense(said) => {
            bail!("{FORMAT_FILE} in {shown} says {said:?}, and should say {:?} ({doctor})", FORMAT.trim())
        }
        Says::Nothing if data.join("log").is_dir() && data.join("store").is_dir() => {
            bail!("{shown} has a log and a store, and the file {FORMAT_FILE} is missing ({doctor})")
        }
        // A slip in the path must not fill somebody's home directory.
        Says::Nothing if holds_others_files(data)? => {
            bail!("{shown} is not a data directory of hitmill and not empty: choose another, or a new one")
        }
        Says::Nothing => say(data).with_context(|| format!("failed to write to the data directory {shown}")),
    }
}

fn holds_others_files(data: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(data)? {
        // That one is ours, from a first start that did not get further. Volumes come with the other.
        let name = entry?.file_name();
        if name != UNFINISHED && name != "lost+found" {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Has a directory say that it is a data directory of this format.
pub fn say(data: &Path) -> io::Result<()> {
    disk::replace(&disk::System, &data.join(FORMAT_FILE), FORMAT.as_bytes())
}
