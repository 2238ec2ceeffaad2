//! Building Go programs from modules, one of which needs a mistake mended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::run;

/// The store's database, which `go.mod` says is in the folder `badger`.
const BADGER: &str = "github.com/pingcap/badger";
const BADGER_VERSION: &str = "v1.5.1-0.20200908111422-2e78ee155d19";

/// When badger is opened it reads its log again, and gives all entries of one transaction one piece of memory for what is noted
/// beside their values. The store notes there which transaction wrote a value, and writes several of them at once: after
/// a kill, commits were taken for those of others and undone in part. Later versions do the same.
pub(super) const MENDED: [&str; 2] =
    ["UserMeta: e.UserMeta,", "UserMeta: append([]byte(nil), e.UserMeta...),"];

/// Builds `package` from the module in `work`.
pub(super) fn build(work: &Path, flags: &[&str], program: &str, package: &str) -> Result<()> {
    let output = format!("out/{program}");
    run(go(work).arg("build").args(flags).args(["-o", &output, package]))?;
    Ok(())
}

/// Puts badger into `work`, mended.
pub(super) fn mended_badger(work: &Path) -> Result<()> {
    let found = run(go(work).args(["mod", "download", "-json", &format!("{BADGER}@{BADGER_VERSION}")]))?;
    let found: serde_json::Value =
        serde_json::from_slice(&found).context("failed to read what go answered")?;
    let folder = found["Dir"].as_str().context("go names no folder of badger")?;
    let mended = work.join("badger");
    copy(&PathBuf::from(folder), &mended)?;
    let file = mended.join("db.go");
    let text = fs::read_to_string(&file)?;
    let [wrong, right] = MENDED;
    ensure!(text.matches(wrong).count() == 1, "badger's db.go is not the one that is to be mended");
    fs::write(&file, text.replace(wrong, right))?;
    Ok(())
}

fn go(work: &Path) -> Command {
    let mut go = Command::new("go");
    // What only tests of a dependency need is not in go.sum, and is not asked for in this mode.
    go.env("GOFLAGS", "-mod=mod").env("CGO_ENABLED", "0").current_dir(work);
    go
}

/// Copies a folder; the copy can be written to, which Go's own cannot.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::write(to, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
