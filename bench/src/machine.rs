use std::fs;
use std::process::Command;

use crate::report::Machine;

/// The machine this runs on.
pub(crate) fn machine() -> Machine {
    let first_word = |path: &str| Some(fs::read_to_string(path).ok()?.split_whitespace().next()?.to_owned());
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        cpu: labelled("/proc/cpuinfo", "model name"),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
        memory_bytes: kibibytes("/proc/meminfo", "MemTotal"),
        load_before: first_word("/proc/loadavg").and_then(|word| word.parse().ok()),
    }
}

/// The value behind a label, in a file of `label: value` lines.
fn labelled(path: &str, label: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(label)?.trim_start().strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

/// The same, where the value is `N kB`, in bytes.
pub(crate) fn kibibytes(path: &str, label: &str) -> Option<u64> {
    let value = labelled(path, label)?;
    value.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The commit that is checked out here, with a mark if files differ from it.
pub(crate) fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|files| !files.is_empty());
    Some(if changed { format!("{commit} with changes") } else { commit })
}
