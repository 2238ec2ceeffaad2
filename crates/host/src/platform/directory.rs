//! The data directory of the embedded back ends.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};

/// The file that says what the directory is. Log and store have versions of their own inside.
pub(super) const FORMAT_FILE: &str = "FORMAT";
const UNFINISHED: &str = "FORMAT.new";
const FORMAT: &str = "hitmill data, format 1\n";

/// Makes the directory ours, or checks that it is.
pub(super) fn settle(data: &Path) -> anyhow::Result<()> {
    let shown = data.display();
    disk::make_directory(&disk::System, data)
        .with_context(|| format!("failed to make the data directory {shown}"))?;
    match fs::read_to_string(data.join(FORMAT_FILE)) {
        Ok(format) if format == FORMAT => Ok(()),
        Ok(format) => bail!(
            "{shown} holds {:?}, which this hitmill does not read: it reads {:?}",
            format.trim(),
            FORMAT.trim()
        ),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            // A slip in the path must not fill somebody's home directory.
            if holds_others_files(data)? {
                bail!(
                    "{shown} is not a data directory of hitmill and not empty: choose another, or a new one"
                );
            }
            write_durably(data).with_context(|| format!("failed to write to the data directory {shown}"))
        }
        Err(e) => Err(e).with_context(|| format!("failed to read {FORMAT_FILE} in {shown}")),
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

/// Under another name first: after a crash the file is there whole or not at all.
fn write_durably(data: &Path) -> io::Result<()> {
    let unfinished = data.join(UNFINISHED);
    let mut file = fs::File::create(&unfinished)?;
    file.write_all(FORMAT.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, data.join(FORMAT_FILE))?;
    fs::File::open(data)?.sync_all()
}
