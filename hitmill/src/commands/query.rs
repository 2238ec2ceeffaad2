use std::io::{self, Write};

use clap::Args;
use proto::v1;
use query_svc::render;

use super::asked::{Asked, Question};
use super::numbers;
use crate::cli::Global;
use crate::client::Client;
use crate::output::Format;

/// Read numbers: totals, time series, breakdowns.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill query --merchant 7                                   the last 24 hours in one row
  hitmill query --merchant 7 --granularity hour --from today   a series; buckets without hits have zeros
  hitmill query --merchant 7 --by page --last 7d --limit 10    the pages with most views
  hitmill query --merchant 7 --by page --filter 'page^=/shop|/blog' --order visitors
  hitmill query --merchant 7 --metrics revenue --granularity day --from 2015-05-01 --to 2015-06-01 --format csv
  hitmill query --merchant 7 --metrics visitors --format json | jq '.rows[0].metrics.visitors'

With --by, rows of which every number is zero are left out. The JSON is the same as over HTTP at
/v1/merchants/ID/query: {\"rows\":[{\"start\",\"dimensions\",\"metrics\"}],\"complete_until\",\"generation\",
\"rules_version\",\"revision\",\"methods\"}.")]
pub(crate) struct Query {
    #[command(flatten)]
    asked: Asked,
}

impl Query {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let client = Client::connect(global).await?;
        let question = self.asked.question(&client).await?;
        let answer = ask(&client, &question).await?;
        let mut out = io::stdout().lock();
        match global.format {
            Format::Json => writeln!(out, "{}", render::json(&answer, question.zone())?)?,
            Format::Csv => out.write_all(render::csv(&answer, question.zone())?.as_bytes())?,
            Format::Table => {
                for line in numbers::lines(&answer, &question.ask) {
                    writeln!(out, "{line}")?;
                }
                eprintln!("{}", numbers::note(&answer, &question.ask));
            }
        }
        Ok(())
    }
}

/// The whole answer: in pieces, so that none is too large for a message.
async fn ask(client: &Client, question: &Question) -> anyhow::Result<v1::QueryResponse> {
    let explain = |status| client.explain(&status);
    let mut pieces =
        client.query().stream_query(question.request.clone()).await.map_err(explain)?.into_inner();
    let (mut answer, mut rows) = (v1::QueryResponse::default(), Vec::new());
    while let Some(mut piece) = pieces.message().await.map_err(explain)? {
        rows.append(&mut piece.rows);
        answer = piece;
    }
    answer.rows = rows;
    Ok(answer)
}
