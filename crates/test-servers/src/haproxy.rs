//! HAProxy, as the machine has it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::keeper::Keeper;
use crate::process::{Launch, Process};
use crate::tools;

/// A HAProxy of one test. It ends when it is dropped.
#[derive(Debug)]
pub struct Haproxy {
    process: Process,
    /// Earlier ones, which serve the connections they had when they were replaced.
    leaving: Vec<Process>,
    port: u16,
    program: PathBuf,
    keeper: Keeper, // last: fields are dropped in order, and it removes the folder
}

impl Haproxy {
    /// Starts one with the text of a configuration, and waits until it listens on `port` of loopback.
    /// In the text, `{folder}` stands for its own folder, for example to put a socket there:
    /// `stats socket {folder}/stats level admin`.
    pub async fn start(config: &str, port: u16) -> Result<Self> {
        let program = tools::haproxy().context("haproxy is not installed")?;
        let keeper = Keeper::new("haproxy")?;
        let launch = launch(&program, keeper.folder(), config, 0, None)?;
        let process = Process::start(launch, &keeper)?;
        let mut haproxy = Self { process, leaving: Vec::new(), port, program, keeper };
        haproxy.listening().await?;
        Ok(haproxy)
    }

    /// Its folder: `stats` in it is the socket, if the configuration has one there.
    pub fn folder(&self) -> &Path {
        self.keeper.folder()
    }

    /// Goes over to another configuration: new connections meet the new one, open ones stay with the old until they end.
    pub async fn reload(&mut self, config: &str) -> Result<()> {
        let number = self.leaving.len() + 1;
        let launch = launch(&self.program, self.keeper.folder(), config, number, self.process.id())?;
        let new = Process::start(launch, &self.keeper)?;
        self.leaving.push(std::mem::replace(&mut self.process, new));
        self.listening().await
    }

    /// SIGKILL, to those too that still serve old connections.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await?;
        for mut old in self.leaving.drain(..) {
            old.kill().await?;
        }
        Ok(())
    }

    /// Starts it after `kill`, and waits until it listens.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process.start_again()?;
        self.listening().await
    }

    /// The id of its process, while there is one.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    async fn listening(&mut self) -> Result<()> {
        let port = self.port;
        self.process
            .wait_for(async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok())
            .await
    }
}

fn launch(program: &Path, folder: &Path, config: &str, number: usize, old: Option<u32>) -> Result<Launch> {
    let file = folder.join(format!("haproxy-{number}.cfg"));
    fs::write(&file, config.replace("{folder}", &folder.to_string_lossy()))?;
    // -db: stays in the foreground, where its id is known.
    let mut args = vec!["-db".to_owned(), "-f".to_owned(), file.to_string_lossy().into_owned()];
    if let Some(old) = old {
        // Takes the ports over and tells the old one to finish.
        args.extend(["-sf".to_owned(), old.to_string()]);
    }
    Ok(Launch {
        program: program.to_owned(),
        args,
        env: Vec::new(),
        folder: folder.to_owned(),
        log: folder.join("log"),
    })
}
