//! What a machine must have, and the policy where it has not.

use std::path::PathBuf;
use std::process::Command;

use crate::{cache, fetch};

/// A server that a test wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Apache Pulsar: needs Java, and Maven the first time.
    Pulsar,
    /// PD and stores: needs Go the first time.
    Tikv,
    /// HAProxy: needs it installed.
    Haproxy,
    /// S3: needs Python, and its virtual environments the first time.
    S3,
}

/// Whether this machine can run `servers`. The first line of a test that wants them:
///
/// ```no_run
/// # use test_servers::{available, Server};
/// if !available(&[Server::Pulsar, Server::Tikv]) {
///     return;
/// }
/// ```
///
/// Where it cannot, it says so in one line and the test is skipped.
///
/// # Panics
/// With CI=true: there, nothing is skipped.
pub fn available(servers: &[Server]) -> bool {
    let missing: Vec<String> = servers.iter().flat_map(|&server| missing(server)).collect();
    match policy(&missing, std::env::var("CI").is_ok_and(|ci| ci == "true")) {
        Verdict::Run => true,
        Verdict::Skip(why) => {
            eprintln!("{why}");
            false
        }
        Verdict::Fail(why) => fail(&why),
    }
}

/// What is missing to fetch everything that can be fetched.
pub(crate) fn missing_to_fetch() -> Vec<String> {
    [Server::Pulsar, Server::Tikv, Server::S3].into_iter().flat_map(missing).collect()
}

/// Where HAProxy is: in Debian not on the path of a plain user.
pub(crate) fn haproxy() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("haproxy"))
        .find(|program| program.is_file())
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Run,
    Skip(String),
    Fail(String),
}

fn policy(missing: &[String], ci: bool) -> Verdict {
    if missing.is_empty() {
        return Verdict::Run;
    }
    let missing = missing.join(", ");
    if ci {
        Verdict::Fail(format!("needs {missing}"))
    } else {
        Verdict::Skip(format!("skipped: needs {missing}"))
    }
}

#[expect(clippy::panic, reason = "it fails the test that asked")]
fn fail(why: &str) -> ! {
    panic!("{why}")
}

fn missing(server: Server) -> Vec<String> {
    match server {
        Server::Pulsar => {
            let maven =
                if cache::has(&fetch::pulsar_name()) { None } else { absent("mvn", &["--version"], "maven") };
            java().into_iter().chain(maven).collect()
        }
        Server::Tikv => {
            let built = cache::has(&fetch::pd_name()) && cache::has(&fetch::store_name());
            if built { Vec::new() } else { go().into_iter().collect() }
        }
        Server::Haproxy if haproxy().is_some() => Vec::new(),
        Server::Haproxy => vec!["haproxy (not found)".into()],
        Server::S3 if cache::has(&fetch::s3_name()) => Vec::new(),
        // Debian's Python makes no environments without a package of its own.
        Server::S3 => {
            absent("python3", &["-c", "import ensurepip, venv"], "python3-venv").into_iter().collect()
        }
    }
}

/// Pulsar 4 runs on Java 17 and later.
fn java() -> Option<String> {
    // openjdk version "17.0.15" 2025-04-15
    at_least("java 17", says("java", &["-version"]).map(|said| version(&said)), (17, 0))
}

/// The store is linked with an option that came with Go 1.23.
fn go() -> Option<String> {
    // go version go1.26.8 linux/amd64
    at_least("go 1.23", says("go", &["version"]).map(|said| version(&said)), (1, 23))
}

fn absent(program: &str, args: &[&str], name: &str) -> Option<String> {
    says(program, args).is_none().then(|| format!("{name} (not found)"))
}

fn at_least(what: &str, found: Option<(u32, u32)>, least: (u32, u32)) -> Option<String> {
    match found {
        None => Some(format!("{what} (not found)")),
        Some((major, minor)) if (major, minor) < least => Some(format!("{what} (found {major}.{minor})")),
        Some(_) => None,
    }
}

/// What a program says, on either output.
fn says(program: &str, args: &[&str]) -> Option<String> {
    let said = Command::new(program).args(args).output().ok().filter(|said| said.status.success())?;
    Some(String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned())
}

/// The first two numbers of the first version in a text.
fn version(said: &str) -> (u32, u32) {
    let from = said.find(|c: char| c.is_ascii_digit()).unwrap_or(said.len());
    let mut numbers = said[from..].split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_runs_is_skipped_or_fails() {
        let missing = ["java 17 (not found)".to_owned(), "maven (not found)".to_owned()];
        assert_eq!(policy(&[], false), Verdict::Run);
        assert_eq!(policy(&[], true), Verdict::Run);
        let skip = "skipped: needs java 17 (not found), maven (not found)";
        assert_eq!(policy(&missing, false), Verdict::Skip(skip.into()));
        assert_eq!(
            policy(&missing, true),
            Verdict::Fail("needs java 17 (not found), maven (not found)".into())
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("openjdk version \"17.0.15\" 2025-04-15"), (17, 0));
        assert_eq!(version("openjdk version \"21\" 2023-09-19"), (21, 0));
        assert_eq!(version("go version go1.26.8 linux/amd64"), (1, 26));
        assert_eq!(version("none"), (0, 0));
        assert_eq!(at_least("go 1.23", Some((1, 26)), (1, 23)), None);
        assert_eq!(at_least("go 1.23", Some((1, 19)), (1, 23)), Some("go 1.23 (found 1.19)".into()));
        assert_eq!(at_least("java 17", Some((8, 0)), (17, 0)), Some("java 17 (found 8.0)".into()));
        assert_eq!(at_least("java 17", None, (17, 0)), Some("java 17 (not found)".into()));
    }
}
