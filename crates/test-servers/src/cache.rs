//! What is fetched and built once for all checkouts: folders named by what is in them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder of the cache, the same that `./dev` uses.
pub(crate) fn folder() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("HITMILL_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|caches| caches.join("hitmill")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/hitmill")))
        .context("no place for the servers: set HITMILL_CACHE or HOME")?;
    fs::create_dir_all(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
    fs::canonicalize(&folder).with_context(|| format!("failed to find {}", folder.display()))
}

/// Whether the folder `name` has been made.
pub(crate) fn has(name: &str) -> bool {
    folder().is_ok_and(|cache| cache.join(name).is_dir())
}

/// The folder `name`. The first caller makes it: `make` gets a folder to work in and leaves the result in its `out`.
/// Others wait meanwhile, also those of other processes; nobody ever sees it half made.
pub(crate) fn once(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = folder()?;
    let made = cache.join(name);
    if made.is_dir() {
        return Ok(made);
    }
    let _lock = lock(&cache.join(format!("{name}.lock")))?;
    if made.is_dir() {
        return Ok(made);
    }
    eprintln!("fetching {name}: once, then it is in {}", cache.display());
    let work = cache.join(format!(".{name}.part"));
    if work.exists() {
        // Left by one who was killed; the lock says that nobody works there now.
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir(&work)?;
    make(&work).with_context(|| format!("failed to fetch {name}"))?;
    fs::rename(work.join("out"), &made).with_context(|| format!("failed to make {}", made.display()))?;
    fs::remove_dir_all(&work)?;
    Ok(made)
}

/// An exclusive lock on the file `path`, waited for and held until it is dropped.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("failed to open {}", path.display()))?;
    file.lock().with_context(|| format!("failed to lock {}", path.display()))?;
    Ok(file)
}
