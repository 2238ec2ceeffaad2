//! How PD and the stores are started.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::process::Launch;

/// Where PD listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PdPorts {
    pub(crate) client: u16,
    /// For other PDs, of which there are none; it wants one nevertheless.
    pub(crate) peer: u16,
}

/// PD, with its data in `folder`, keeping `replicas` copies of everything.
pub(crate) fn launch_pd(program: &Path, folder: &Path, ports: &PdPorts, replicas: usize) -> Result<Launch> {
    fs::create_dir_all(folder)?;
    let config = folder.join("pd.toml");
    fs::write(&config, format!("[replication]\nmax-replicas = {replicas}\n"))?;
    let args = [
        "--name=pd".to_owned(),
        format!("--data-dir={}", folder.join("data").display()),
        format!("--client-urls=http://127.0.0.1:{}", ports.client),
        format!("--peer-urls=http://127.0.0.1:{}", ports.peer),
        format!("--config={}", config.display()),
    ];
    Ok(launch(program, folder, args.into()))
}

/// A store, with its data in `folder`, that listens on `address` and lets itself be known as `advertised`.
pub(crate) fn launch_store(
    program: &Path,
    folder: &Path,
    pd: &str,
    address: &str,
    advertised: &str,
) -> Result<Launch> {
    fs::create_dir_all(folder)?;
    let args = [
        format!("-pd={pd}"),
        format!("-addr={address}"),
        format!("-advertise={advertised}"),
        format!("-dir={}", folder.join("data").display()),
    ];
    Ok(launch(program, folder, args.into()))
}

fn launch(program: &Path, folder: &Path, args: Vec<String>) -> Launch {
    Launch {
        program: program.to_owned(),
        args,
        env: Vec::new(),
        folder: folder.to_owned(),
        log: folder.join("log"),
    }
}
