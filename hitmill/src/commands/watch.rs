use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use crossterm::QueueableCommand;
use crossterm::cursor::MoveTo;
use crossterm::terminal::{self, Clear, ClearType};
use proto::v1;
use query_svc::{Picture, render};
use tonic::{Code, Status};

use super::asked::{Asked, Question};
use super::numbers;
use crate::cli::Global;
use crate::client::Client;
use crate::failure::Usage;
use crate::output::Format;
use crate::visible::visible;

/// Before going on after a break: a server that restarts needs a moment.
const PAUSE: Duration = Duration::from_secs(1);

/// Lines of a terminal below the table: the note, and the one that the cursor is on.
const BELOW: usize = 2;

/// Watch numbers change: the same as query, kept up to date until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill watch --merchant 7 --metrics visitors --last 5m                 visitors now
  hitmill watch --merchant 7 --by page --from today --limit 10            the top pages of today
  hitmill watch --merchant 7 --granularity minute --last 30m --format json

With --format json each line is a message: `rows` has new and changed rows, `removed` what is gone, and where
`snapshot` is true forget what came before. Applied in order they make up what query answers at that `revision`.")]
pub(crate) struct Watch {
    #[command(flatten)]
    asked: Asked,
    /// Show changes at most this often, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 250)]
    interval: u32,
}

impl Watch {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        if global.format == Format::Csv {
            return Err(Usage("format csv is not allowed here: table or json".into()).into());
        }
        let client = Client::connect(global).await?;
        let question = self.asked.question(&client).await?;
        let mut picture = Picture::new(&question.ask);
        let mut request = v1::SubscribeRequest {
            query: Some(question.request.clone()),
            min_interval_ms: self.interval,
            ..Default::default()
        };
        let mut screen = Screen { format: global.format, question: &question, shown: None };
        tokio::select! {
            watched = async {
                loop {
                    let broken = follow(&client, &request, &mut picture, &mut screen).await?;
                    eprintln!("note: the connection broke ({}); going on", visible(broken.message()));
                    tokio::time::sleep(PAUSE).await;
                    picture.resume(&mut request);
                }
            } => watched,
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    }
}

/// Follows until the stream breaks in a way that going on can mend.
async fn follow(
    client: &Client,
    request: &v1::SubscribeRequest,
    picture: &mut Picture,
    screen: &mut Screen<'_>,
) -> anyhow::Result<Status> {
    let mut messages = match client.query().subscribe(request.clone()).await {
        Ok(messages) => messages.into_inner(),
        // At the first attempt there is nothing to go on with.
        Err(status) if request.live_id.is_empty() || !mends(&status) => return Err(client.explain(&status)),
        Err(status) => return Ok(status),
    };
    loop {
        match messages.message().await {
            Ok(Some(message)) => {
                let text = screen.json(&message)?;
                picture.apply(message);
                screen.show(picture, text)?;
            }
            Ok(None) => return Ok(Status::unavailable("the server ended the stream")),
            Err(status) if mends(&status) => return Ok(status),
            Err(status) => return Err(client.explain(&status)),
        }
    }
}

fn mends(status: &Status) -> bool {
    // A connection that is cut is UNKNOWN or CANCELLED to the client; RESOURCE_EXHAUSTED is having been too slow.
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::ResourceExhausted)
}

/// Where messages are shown.
struct Screen<'a> {
    format: Format,
    question: &'a Question,
    /// The rows that were printed last, where that is not a terminal.
    shown: Option<Vec<String>>,
}

impl Screen<'_> {
    fn json(&self, message: &v1::SubscribeResponse) -> anyhow::Result<Option<String>> {
        match self.format {
            Format::Json => Ok(Some(render::update(message, self.question.zone())?)),
            Format::Table | Format::Csv => Ok(None),
        }
    }

    fn show(&mut self, picture: &Picture, json: Option<String>) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if let Some(json) = json {
            writeln!(out, "{json}")?;
            return Ok(());
        }
        let answer = picture.answer();
        let ask = &self.question.ask;
        let note = numbers::note(&answer, ask);
        if out.is_terminal() {
            out.queue(Clear(ClearType::All))?.queue(MoveTo(0, 0))?;
            let lines = match terminal::size() {
                // A series ends with what is newest, which is what stays in sight if it is long.
                Ok((_, height)) if !answer.by.is_empty() => {
                    numbers::first_lines(answer, ask, usize::from(height).saturating_sub(BELOW))
                }
                _ => numbers::lines(&answer, ask),
            };
            print(&mut out, &lines, &note)?;
        } else {
            let lines = numbers::lines(&answer, ask);
            if self.shown.as_ref() == Some(&lines) {
                return Ok(());
            }
            if self.shown.is_some() {
                writeln!(out)?;
            }
            print(&mut out, &lines, &note)?;
            self.shown = Some(lines);
        }
        Ok(out.flush()?)
    }
}

fn print(out: &mut impl Write, lines: &[String], note: &str) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    writeln!(out, "{note}")
}
