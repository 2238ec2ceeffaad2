use std::fmt::Write;
use std::path::Path;

/// What one tick of `/proc/PID/stat` is worth: the kernel shows 100 to a second to every program, whatever its own.
const TICKS_PER_SECOND: f64 = 100.0;

/// Adds what the operating system knows of this process, under the names that every Prometheus client uses. What it
/// does not say (there is no `/proc` on macOS) is left out.
pub(super) fn write(out: &mut String, data: &Path) {
    let gauge = "gauge";
    line(out, "process_resident_memory_bytes", gauge, "Memory in use", resident_bytes());
    line(out, "process_cpu_seconds_total", "counter", "Processor time used", cpu_seconds());
    line(out, "process_open_fds", gauge, "Open file descriptors", open_files());
    line(out, "hitmill_disk_free_bytes", gauge, "Room on the disk that holds the data", disk_free(data));
}

fn line(out: &mut String, name: &str, kind: &str, help: &str, value: Option<f64>) {
    if let Some(value) = value {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    Some(kilobytes.parse::<f64>().ok()? * 1024.0)
}

fn cpu_seconds() -> Option<f64> {
    cpu_of(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// User and system time are the 14th and 15th field; the 2nd is a name in brackets that may hold anything.
fn cpu_of(stat: &str) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut ticks = after_name.split_ascii_whitespace().skip(11).map(str::parse::<f64>);
    Some((ticks.next()?.ok()? + ticks.next()?.ok()?) / TICKS_PER_SECOND)
}

fn open_files() -> Option<f64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}

fn disk_free(data: &Path) -> Option<f64> {
    let disk = rustix::fs::statvfs(data).ok()?;
    Some(disk.f_bavail as f64 * disk.f_frsize as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 3 4 20 0 1 0 100 0 0";
        assert_eq!(cpu_of(stat), Some(3.0));
        assert_eq!(cpu_of("7 (short) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn everything_is_known_of_this_process() {
        let mut out = String::new();
        write(&mut out, Path::new("/"));
        for name in ["process_resident_memory_bytes", "process_open_fds", "hitmill_disk_free_bytes"] {
            let value =
                out.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().parse::<f64>().unwrap();
            assert!(value >= 1.0, "{name} {value}");
        }
    }
}
