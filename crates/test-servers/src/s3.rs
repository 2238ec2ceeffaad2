//! moto, a server of S3's protocol. It keeps everything in memory.

use anyhow::{Context, Result};

use crate::http;
use crate::keeper::Keeper;
use crate::ports::free_port;
use crate::process::{Launch, Process};
use crate::{fetch, in_background};

/// An S3 of one test, with one bucket. It ends, and its objects go, when it is dropped.
#[derive(Debug)]
pub struct S3 {
    process: Process,
    address: String,
    _keeper: Keeper, // last: fields are dropped in order, and it removes the folder
}

impl S3 {
    /// The bucket that is there from the start.
    pub const BUCKET: &str = "hitmill";

    /// Starts one and makes the bucket.
    pub async fn start() -> Result<Self> {
        let python = in_background(fetch::s3).await?;
        let keeper = Keeper::new("s3")?;
        let port = free_port()?.to_string();
        let address = format!("127.0.0.1:{port}");
        let launch = Launch {
            program: python,
            args: ["-m", "moto.server", "-H", "127.0.0.1", "-p", &port].map(str::to_owned).into(),
            env: Vec::new(),
            folder: keeper.folder().to_owned(),
            log: keeper.folder().join("log"),
        };
        let process = Process::start(launch, &keeper)?;
        let mut s3 = Self { process, address, _keeper: keeper };
        let address = &s3.address;
        s3.process.wait_for(async || http::request("GET", address, "/", "").await.is_ok()).await?;
        let made = http::request("PUT", &s3.address, &format!("/{}", Self::BUCKET), "").await?;
        made.success().context("failed to make the bucket")?;
        Ok(s3)
    }

    /// "http://127.0.0.1:..."
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The keys of all objects in the bucket, up to a thousand.
    pub async fn keys(&self) -> Result<Vec<String>> {
        let path = format!("/{}?list-type=2", Self::BUCKET);
        let listing = http::request("GET", &self.address, &path, "").await?.success()?;
        let keys = listing.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        Ok(keys.map(|(key, _)| key.to_owned()).collect())
    }

    /// The id of its process, while there is one.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }
}
