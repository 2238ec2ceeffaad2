//! The programs under test, built from what is in the checkout.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What is built: what runs apart is needed only where there is a cluster.
const PACKAGES: &[&str] = if cfg!(feature = "cluster") {
    &["hitmill", "ingest-svc", "rollup-svc", "query-svc", "config-svc"]
} else {
    &["hitmill"]
};

/// A `hitmill` command.
pub(super) fn hitmill() -> Command {
    program("hitmill")
}

/// A command of one of our programs. No setting of whoever runs the tests may change what it does.
pub(super) fn program(name: &str) -> Command {
    let mut command = Command::new(folder().join(name).with_extension(std::env::consts::EXE_EXTENSION));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HITMILL_") {
            command.env_remove(name);
        }
    }
    command
}

/// Where the programs of the same profile and features as this test are.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // target/PROFILE/deps/system-0123456789abcdef
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let there = PACKAGES.iter().all(|program| profile.join(program).exists());
        // CI tests the whole workspace on a fresh machine, so they have just been built. Asked for on their own they would be
        // built once more, and so would be half of their dependencies, without the features that only tests turn on.
        if !(there && std::env::var("CI").is_ok_and(|ci| ci == "true")) {
            build(profile);
        }
        profile.to_owned()
    })
}

/// Builds the programs if they are not there or older than their sources.
fn build(profile: &Path) {
    let name = match profile.file_name().and_then(OsStr::to_str).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--profile", name, "--target-dir"]).arg(profile.parent().unwrap());
    build.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    if cfg!(feature = "cluster") {
        build.arg("--all-features");
    }
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(built.success(), "{PACKAGES:?} cannot be built");
}
