use std::fs;
use std::path::{Path, PathBuf};

/// Places of a file that are damaged are among its first ones.
const REACH: usize = 1 << 12;

/// Damages the files of a folder as the bytes say: each four of them are a file, a place in it, and what is put there; the rest says
/// how much of a file is cut off.
pub(crate) fn damage(folder: &Path, data: &[u8]) {
    let mut files = Vec::new();
    list(folder, &mut files);
    // The lock has nothing in it.
    files.retain(|file| fs::metadata(file).is_ok_and(|about| about.len() > 0));
    files.sort();
    if files.is_empty() {
        return;
    }
    let (changes, rest) = data.as_chunks::<4>();
    for [file, low, high, byte] in changes {
        let path = &files[usize::from(*file) % files.len()];
        let Ok(mut bytes) = fs::read(path) else { continue };
        let reach = bytes.len().clamp(1, REACH);
        if let Some(place) = bytes.get_mut(usize::from(u16::from_le_bytes([*low, *high])) % reach) {
            *place = *byte;
        }
        // A change that cannot be made is one less.
        let _ = fs::write(path, bytes);
    }
    if let [file, .., part] = rest {
        let path = &files[usize::from(*file) % files.len()];
        if let Ok(bytes) = fs::read(path) {
            let _ = fs::write(path, &bytes[..bytes.len() * usize::from(*part) / 256]);
        }
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}
