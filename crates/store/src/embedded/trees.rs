//! What fjall takes on trust when it opens the tables of a store, checked before it does.
//!
//! ```text
//! keyspaces/N/current     version M, xxh3-128 of the file vM, u8 0
//! keyspaces/N/vM          which tables there are
//! keyspaces/N/tables/T    blocks with their checksums, the table of their places (the contents), then:
//!                         "SFA!", u8 1, u8 0, xxh3-128 of the contents, their offset, their length
//! ```
//!
//! fjall does not use the first checksum, and believes the second only after it has made room for as many places as the contents
//! say there are. A flipped bit could have it remove tables that nothing seems to list, or end the process for want of memory.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use crate::{Error, Result};

const CURRENT_BYTES: usize = 25;
const TRAILER_BYTES: usize = 38;
/// What a trailer begins with: the name, the version, and that the checksum is of xxh3.
const TRAILER: &[u8] = b"SFA!\x01\x00";

/// Checks every tree of the store in `dir`. Fails if one is damaged in a way that fjall would not tell, or if one of those
/// that were `written` to is missing: fjall would leave out what it has of them.
pub(super) fn check(dir: &Path, written: &BTreeSet<u64>) -> Result<()> {
    let keyspaces = dir.join("keyspaces");
    // The first one says which others there are. Numbers of others may be missing: of those that fjall had not finished making.
    let first = (!written.is_empty()).then_some(0);
    for id in first.iter().chain(written) {
        let current = keyspaces.join(id.to_string()).join("current");
        if !current.exists() {
            return Err(damaged(&current, "it is missing, and there are commits"));
        }
    }
    if !keyspaces.exists() {
        return Ok(());
    }
    for tree in entries(&keyspaces)?.iter().filter(|tree| tree.is_dir()) {
        check_tree(tree)?;
    }
    Ok(())
}

fn check_tree(tree: &Path) -> Result<()> {
    let (current, tables) = (tree.join("current"), tree.join("tables"));
    let Some(bytes) = read(&current)? else {
        // fjall removes a tree without this file as one that it has not finished making.
        return match tables.exists() && !entries(&tables)?.is_empty() {
            true => Err(damaged(&current, "it is missing, and there are tables")),
            false => Ok(()),
        };
    };
    let Some((version, sum)) = parse_current(&bytes) else {
        return Err(damaged(&current, "it does not say which list of tables is the last"));
    };
    let list = tree.join(format!("v{version}"));
    match read(&list)? {
        Some(bytes) if xxh3_128(&bytes) == sum => {}
        Some(_) => return Err(damaged(&list, "the checksum of the list of tables does not fit")),
        None => return Err(damaged(&list, "the list of tables is missing")),
    }
    // A table that is not listed was never finished, or is no longer needed.
    for table in listed(&list)? {
        check_table(&tables.join(table.to_string()))?;
    }
    Ok(())
}

/// The numbers of the tables in a list that is whole.
fn listed(list: &Path) -> Result<Vec<u64>> {
    let unknown = |error: &dyn std::fmt::Display| damaged(list, &format!("it is no list of tables: {error}"));
    let contents = sfa::Reader::new(list).map_err(|error| unknown(&error))?;
    let section = contents.toc().section(b"tables").ok_or_else(|| unknown(&"it has none"))?;
    let mut reader = section.buf_reader(list).map_err(|error| failed(list, &error))?;
    numbers(&mut reader).map_err(|error| unknown(&error))
}

/// Levels, u8; of each its runs, u8; of each its tables, u32; of each its number, u64, and 25 bytes that say more.
fn numbers(reader: &mut impl Read) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    let [levels] = array(reader)?;
    for _ in 0..levels {
        let [runs] = array(reader)?;
        for _ in 0..runs {
            for _ in 0..u32::from_le_bytes(array(reader)?) {
                numbers.push(u64::from_le_bytes(array(reader)?));
                let _: [u8; 25] = array(reader)?;
            }
        }
    }
    Ok(numbers)
}

fn array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn parse_current(bytes: &[u8]) -> Option<(u64, u128)> {
    let bytes: &[u8; CURRENT_BYTES] = bytes.try_into().ok()?;
    let (version, rest) = bytes.split_first_chunk()?;
    let (sum, kind) = rest.split_first_chunk()?;
    (kind == [0]).then(|| (u64::from_le_bytes(*version), u128::from_le_bytes(*sum)))
}

fn check_table(path: &Path) -> Result<()> {
    match contents(path) {
        Ok(Some((bytes, sum))) if xxh3_128(&bytes) == sum => Ok(()),
        Ok(_) => Err(damaged(path, "the checksum of the table's contents does not fit")),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(damaged(path, "the table is missing")),
        Err(error) => Err(failed(path, &error)),
    }
}

/// The contents of a table and the checksum that is said to be theirs, if it says where they are.
fn contents(path: &Path) -> io::Result<Option<(Vec<u8>, u128)>> {
    let file = File::open(path)?;
    let Some(end) = file.metadata()?.len().checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact_at(&mut trailer, end)?;
    let parsed = trailer.strip_prefix(TRAILER).and_then(|rest| {
        let (sum, rest) = rest.split_first_chunk()?;
        Some((u128::from_le_bytes(*sum), u64::from_le_bytes(*rest.first_chunk()?)))
    });
    let Some((sum, offset)) = parsed else { return Ok(None) };
    let Some(len) = end.checked_sub(offset) else { return Ok(None) };
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(Some((bytes, sum)))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let found = fs::read_dir(dir).and_then(|found| found.map(|entry| Ok(entry?.path())).collect());
    found.map_err(|error| failed(dir, &error))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(|error| failed(path, &error)),
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::Corrupt { path: path.display().to_string(), what: what.to_owned() }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::Unavailable { doing: "look at the tables", what: format!("{}: {error}", path.display()) }
}
