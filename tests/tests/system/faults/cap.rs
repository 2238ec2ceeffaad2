//! A cap on the memory of a process, kept by the operating system: beyond it the process is killed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Joins the groups, then becomes the command.
const JOIN: &str = r#"for group in $CAP_GROUPS; do echo $$ > "$group/cgroup.procs" || exit; done; exec "$@""#;

const GLANCE: Duration = Duration::from_millis(20);
const LOOKS: u32 = 50;

/// A control group of its own.
pub(super) struct Cap {
    folder: PathBuf,
    /// The first version has a tree of groups for each of memory and disks.
    of_disks: Option<PathBuf>,
    files: &'static Files,
}

/// What the two versions of control groups call things.
struct Files {
    root: &'static str,
    limit: &'static str,
    events: &'static str,
    /// Of `memory.stat`: what cannot be written out and forgotten.
    held: &'static str,
}

const DISKS: &str = "/sys/fs/cgroup/blkio";
const FIRST: Files = Files {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    events: "memory.oom_control",
    held: "total_rss",
};
const SECOND: Files =
    Files { root: "/sys/fs/cgroup", limit: "memory.max", events: "memory.events", held: "anon" };

impl Cap {
    /// A cap of so many bytes, or why there can be none.
    pub(super) fn new(bytes: u64) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let files = if Path::new(FIRST.root).exists() { &FIRST } else { &SECOND };
        let folder = Path::new(files.root).join(format!("hitmill-test-{}-{number}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let cap = Self { folder, of_disks: None, files };
        cap.set(bytes).map_err(|error| format!("memory cannot be capped: {error}"))?;
        // Where there is swap it must not be used instead. Not every kernel counts it.
        let _ = fs::write(cap.folder.join("memory.swap.max"), "0");
        let _ = fs::write(cap.folder.join("memory.swappiness"), "0");
        Ok(cap)
    }

    /// Changes it.
    pub(super) fn set(&self, bytes: u64) -> std::io::Result<()> {
        fs::write(self.folder.join(self.files.limit), bytes.to_string())
    }

    /// Lets the disk of a folder take only so many bytes a second from what is under the cap, or says why it cannot.
    pub(super) fn slow_disk(&mut self, folder: &Path, bytes: u64) -> Result<(), String> {
        let device = fs::metadata(folder).unwrap().dev();
        let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
        let (file, limit) = if self.files.root == FIRST.root {
            let group = Path::new(DISKS).join(self.folder.file_name().unwrap());
            fs::create_dir(&group).map_err(|error| format!("{}: {error}", group.display()))?;
            let file = group.join("blkio.throttle.write_bps_device");
            self.of_disks = Some(group);
            (file, bytes.to_string())
        } else {
            (self.folder.join("io.max"), format!("wbps={bytes}"))
        };
        fs::write(&file, format!("{major}:{minor} {limit}"))
            .map_err(|error| format!("{} of {major}:{minor}: {error}", file.display()))
    }

    fn groups(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.folder).chain(&self.of_disks)
    }

    /// The command, as one under the cap.
    pub(super) fn over(&self, command: &Command) -> Command {
        let mut capped = Command::new("sh");
        let groups: Vec<_> = self.groups().map(|group| group.to_str().unwrap()).collect();
        capped.args(["-c", JOIN, "hitmill-cap"]).env("CAP_GROUPS", groups.join(" "));
        capped.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => capped.env(name, value),
                None => capped.env_remove(name),
            };
        }
        capped
    }

    /// Bytes that it holds now, without what only spares it reading files again.
    pub(super) fn held(&self) -> u64 {
        self.figure("memory.stat", self.files.held)
    }

    /// How often something was killed because of it.
    pub(super) fn kills(&self) -> u64 {
        self.figure(self.files.events, "oom_kill")
    }

    fn figure(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.folder.join(file)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{file} says nothing of {name}: {text}")).trim().parse().unwrap()
    }
}

impl Drop for Cap {
    fn drop(&mut self) {
        // A group can be removed a moment after its last process has ended. An empty one that is left does no harm.
        for group in self.groups() {
            for _ in 0..LOOKS {
                if fs::remove_dir(group).is_ok() {
                    break;
                }
                std::thread::sleep(GLANCE);
            }
        }
    }
}
