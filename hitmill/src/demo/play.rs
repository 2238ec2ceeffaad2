use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clock::Clock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::books::Books;
use super::guide::{self, Guide};
use super::home::{Home, Keys};
use super::live::Live;
use super::screen::Theme;
use super::traffic::{Figures, Sending, Traffic};
use super::view::View;
use super::{merchant, plain, terminal};
use crate::cli::Global;
use crate::client::Client;
use crate::output::Format;

/// A demo on a server that runs.
pub(crate) struct Play {
    /// Where the server listens.
    pub(crate) address: String,
    /// Where the demo keeps what it needs.
    pub(crate) home: Home,
    /// Whom it is.
    pub(crate) keys: Keys,
    /// How many people are in the shop at a time, at most.
    pub(crate) shoppers: usize,
    /// How long to go on; without it, until somebody stops it.
    pub(crate) lasting: Option<Duration>,
    /// How to show what happens.
    pub(crate) show: Show,
}

/// How to show what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A picture on a terminal, with colours or without.
    Terminal {
        /// Whether there are colours.
        colors: bool,
    },
    /// Text now and then.
    Plain,
}

impl Play {
    /// Plays until somebody stops it or the time is over; then delivers everything, and gives the closing words.
    pub(crate) async fn run(self) -> anyhow::Result<String> {
        let clock = Clock::system();
        let server = format!("http://{}", self.address);
        let admin = connect(&server, &self.keys.admin_key).await?;
        let keys = merchant::settle(&admin, &self.home, self.keys).await?;
        let reader = connect(&server, &keys.read_key).await?;
        let books = Books { client: &reader, merchant_id: keys.merchant_id, clock: &clock };
        // After a start that has to read on from the log: when that is done.
        let before = books.counted().await?;

        let live = Live::start(&reader, keys.merchant_id);
        let sending = Sending { server, write_key: keys.write_key.clone(), queues: self.home.queues() };
        let (close, (sender, figures)) = (CancellationToken::new(), watch::channel(Figures::default()));
        let traffic = Traffic::open(sending, self.shoppers, clock.clone())?;
        let traffic = traffic.run(close.clone(), live.markers.clone(), sender);
        let mut traffic = tokio::spawn(traffic);

        let path = guide::path_needed();
        let (read, write) = (&keys.read_key, &keys.write_key);
        let guide = Guide::new(&self.address, keys.merchant_id, read, write, path.as_deref());
        let started = Instant::now();
        let view = || View::of(&live, figures.borrow().clone(), started.elapsed());
        let end = end(self.lasting);
        let shown = async {
            match self.show {
                Show::Terminal { colors } => terminal::show(view, &guide, Theme { colors }, end).await,
                Show::Plain => plain::show(view, &guide, end).await,
            }
        };
        tokio::select! {
            shown = shown => shown?,
            ended = &mut traffic => {
                ended.context("the traffic failed")??;
                bail!("the traffic stopped by itself");
            }
        }
        close.cancel();
        // From here on Ctrl-C is a signal again, and means that somebody does not want to wait.
        tokio::spawn(async {
            host::shutdown_signal().await;
            std::process::exit(INTERRUPTED);
        });
        eprintln!("stopping: the shoppers leave, and everything is counted; Ctrl-C leaves at once");
        let totals = traffic.await.context("the traffic failed")??;
        books.close().await?.report(before, &totals)
    }
}

/// What a shell reports of a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

async fn end(lasting: Option<Duration>) {
    let over = async {
        match lasting {
            Some(lasting) => tokio::time::sleep(lasting).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {}
        () = host::shutdown_signal() => {}
    }
}

async fn connect(server: &str, key: &str) -> anyhow::Result<Client> {
    let global = Global { server: server.to_owned(), key: Some(key.to_owned()), format: Format::default() };
    Client::connect(&global).await
}
