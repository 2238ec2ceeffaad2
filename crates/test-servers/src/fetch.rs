//! Where each server comes from: Maven Central, the Go module proxy, PyPI.

mod go;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cache, tools};

const POM: &str = include_str!("../pulsar/pom.xml");
const PD_MOD: &str = include_str!("../tikv/pd/go.mod");
const PD_SUM: &str = include_str!("../tikv/pd/go.sum");
const STORE_MOD: &str = include_str!("../tikv/store/go.mod");
const STORE_SUM: &str = include_str!("../tikv/store/go.sum");
const STORE_MAIN: &str = include_str!("../tikv/store/main.go");
const STORE_PLACEMENT: &str = include_str!("../tikv/store/placement.go");
const S3_REQUIREMENTS: &str = include_str!("../s3/requirements.txt");

/// The version of Pulsar that `pulsar/pom.xml` names.
const PULSAR: &str = "4.0.8";

/// Fetches everything that is not there yet.
pub fn fetch() -> Result<()> {
    let missing = tools::missing_to_fetch();
    if !missing.is_empty() {
        bail!("fetching needs {}", missing.join(", "));
    }
    pulsar()?;
    pd()?;
    store()?;
    s3()?;
    Ok(())
}

/// The home folder of Pulsar.
pub(crate) fn pulsar() -> Result<PathBuf> {
    let server = format!("apache-pulsar-{PULSAR}");
    let made = cache::once(&pulsar_name(), |work| {
        fs::write(work.join("pom.xml"), POM)?;
        run(Command::new("mvn").args(["-B", "-q", "-ntp", "process-resources"]).current_dir(work))?;
        // The offload policy of a namespace is looked up in the server's own ./offloaders, whatever is set elsewhere.
        let link = work.join("out").join(&server).join("offloaders");
        std::os::unix::fs::symlink(format!("../apache-pulsar-offloaders-{PULSAR}/offloaders"), link)?;
        Ok(())
    })?;
    Ok(made.join(server))
}

/// The program of PD, TiKV's placement driver.
pub(crate) fn pd() -> Result<PathBuf> {
    let made = cache::once(&pd_name(), |work| {
        fs::write(work.join("go.mod"), PD_MOD)?;
        fs::write(work.join("go.sum"), PD_SUM)?;
        // The dashboard is a web page that is itself built by other tools.
        let flags = ["-tags", "without_dashboard", "-ldflags=-s -w"];
        go::build(work, &flags, "pd-server", "github.com/tikv/pd/cmd/pd-server")
    })?;
    Ok(made.join("pd-server"))
}

/// The program of the store that speaks TiKV's protocol.
pub(crate) fn store() -> Result<PathBuf> {
    let made = cache::once(&store_name(), |work| {
        fs::write(work.join("go.mod"), STORE_MOD)?;
        fs::write(work.join("go.sum"), STORE_SUM)?;
        fs::write(work.join("main.go"), STORE_MAIN)?;
        fs::write(work.join("placement.go"), STORE_PLACEMENT)?;
        go::mended_badger(work)?;
        // Its libraries are older than two rules of today: that internals of the run time are not linked to, and that no
        // two protobuf files have one name.
        let flags = "-ldflags=-s -w -checklinkname=0 \
            -X google.golang.org/protobuf/reflect/protoregistry.conflictPolicy=ignore";
        go::build(work, &[flags], "tikv-store", ".")
    })?;
    Ok(made.join("tikv-store"))
}

/// The Python that has moto, a server of S3's protocol.
pub(crate) fn s3() -> Result<PathBuf> {
    let made = cache::once(&s3_name(), |work| {
        fs::write(work.join("requirements.txt"), S3_REQUIREMENTS)?;
        run(Command::new("python3").args(["-m", "venv", "out"]).current_dir(work))?;
        run(Command::new("out/bin/python")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "-r", "requirements.txt"])
            .current_dir(work))?;
        Ok(())
    })?;
    Ok(made.join("bin/python"))
}

/// The folder of Pulsar in the cache, as of the other three below: another recipe is another folder.
pub(crate) fn pulsar_name() -> String {
    name("pulsar", PULSAR, &[POM])
}

pub(crate) fn pd_name() -> String {
    name("pd", "20240407", &[PD_MOD, PD_SUM])
}

pub(crate) fn store_name() -> String {
    let [_, mended] = go::MENDED;
    name("tikv-store", "20231125", &[STORE_MOD, STORE_SUM, STORE_MAIN, STORE_PLACEMENT, mended])
}

pub(crate) fn s3_name() -> String {
    name("moto", "s3", &[S3_REQUIREMENTS])
}

fn name(what: &str, version: &str, recipe: &[&str]) -> String {
    // FNV-1a: the name must be the same whichever compiler built this.
    let hash = recipe
        .iter()
        .flat_map(|part| part.bytes())
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{what}-{version}-{hash:08x}")
}

/// Runs it, for what it prints.
fn run(command: &mut Command) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.output().with_context(|| format!("failed to run {program}"))?;
    if !done.status.success() {
        let said = [done.stdout, done.stderr].concat();
        bail!("{program}: {}\n{}", done.status, crate::process::last_lines(&said, 30));
    }
    Ok(done.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_recipe_is_another_folder() {
        // 0x811c9dc5 is FNV's hash of nothing, 0xe40c292c of "a".
        assert_eq!(name("x", "1", &[]), "x-1-811c9dc5");
        assert_eq!(name("x", "1", &["a"]), "x-1-e40c292c");
    }

    #[test]
    fn the_name_is_of_the_version_that_maven_fetches() {
        assert!(POM.contains(&format!("<pulsar.version>{PULSAR}</pulsar.version>")));
    }
}
