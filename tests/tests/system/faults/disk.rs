//! A small disk of its own for a server: an ext4 file system in a file, mounted where only the server sees it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FILLER: &str = "filler";
/// Mounts the image $1 at $2, says so, and keeps the mount until the standard input is closed.
const HOLD: &str = r#"mount -o loop -- "$1" "$2" && echo mounted && read -r _"#;

/// A mounted disk. The mount is in a name space of a small shell: when that ends, for one because the test was killed and
/// its end of a pipe is closed, the mount is gone with the last server that sees it.
pub(super) struct Disk {
    holder: Child,
    at: PathBuf,
}

impl Disk {
    /// One of so many bytes in this folder, or why there can be none.
    pub(super) fn new(folder: &Path, bytes: u64) -> Result<Self, String> {
        let (image, at) = (folder.join("disk.img"), folder.join("disk"));
        std::fs::create_dir(&at).unwrap();
        File::create(&image).unwrap().set_len(bytes).unwrap();
        run(tool("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
        let mut holder = tool("unshare")
            .args(["--mount", "--", "sh", "-c", HOLD, "hitmill-disk"])
            .args([&image, &at])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut said = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut said)
            .unwrap();
        let disk = Self { holder, at };
        if said.trim() == "mounted" { Ok(disk) } else { Err("a disk cannot be mounted".to_owned()) }
    }

    /// The command, as one that sees the disk.
    pub(super) fn seen_by(&self, command: &Command) -> Command {
        let mut seeing = tool("nsenter");
        seeing.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id())).arg("--");
        seeing.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => seeing.env(name, value),
                None => seeing.env_remove(name),
            };
        }
        seeing
    }

    /// Bytes that are free.
    pub(super) fn free(&self) -> u64 {
        // Not df: it asks about the file system that it finds in its own list of mounts.
        let output = tool("stat").args(["-f", "-c", "%a %S"]).arg(self.outside_path()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (blocks, bytes) = said.trim().split_once(' ').unwrap();
        blocks.parse::<u64>().unwrap() * bytes.parse::<u64>().unwrap()
    }

    /// Takes all space but so many bytes.
    pub(super) fn leave(&self, bytes: u64) {
        let filler = self.outside_path().join(FILLER);
        let taken = self.free().checked_sub(bytes).expect("there is less").to_string();
        run(tool("fallocate").args(["-l", &taken]).arg(filler)).unwrap();
    }

    /// Gives the space back.
    pub(super) fn make_space(&self) {
        std::fs::remove_file(self.outside_path().join(FILLER)).unwrap();
    }

    fn outside_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), self.at.display()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Debian has some of them where only an administrator looks.
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{}: {said}", command.get_program().display())) }
}
