use clap::{Args, Subcommand};
use model::MerchantId;
use proto::v1;
use serde::Serialize;

use super::shown::{self, Platform};
use crate::cli::Global;
use crate::client::Client;
use crate::output;

/// Make and list data streams: the sources of a merchant's hits, each with write keys of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Stream {
    Create(Create),
    List(List),
}

/// Make a data stream and its write key, which is shown only now.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  hitmill stream create 'Android app' --merchant 7 --platform android")]
pub(crate) struct Create {
    /// A name for people, 1 to 200 bytes: what the dimension data_stream shows.
    name: String,
    /// Its merchant.
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    /// What sends.
    #[arg(long, value_enum, default_value_t)]
    platform: Platform,
}

/// List the data streams of a merchant.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The merchant.
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
}

#[derive(Serialize)]
struct Created {
    data_stream_id: u32,
    write_key: String,
}

#[derive(Serialize)]
struct Row {
    id: u32,
    name: String,
    platform: &'static str,
    merchant_id: u64,
}

impl Stream {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run(global).await,
            Self::List(list) => list.run(global).await,
        }
    }
}

impl Create {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let client = Client::connect(global).await?;
        let request = v1::CreateDataStreamRequest {
            merchant_id: self.merchant.0,
            name: self.name,
            platform: v1::Platform::from(self.platform).into(),
        };
        let created =
            client.config().create_data_stream(request).await.map_err(|s| client.explain(&s))?.into_inner();
        let data_stream_id = created.data_stream.map_or(0, |stream| stream.id);
        let created = Created { data_stream_id, write_key: created.write_key };
        output::one(global.format, &["data_stream_id", "write_key"], &created)
    }
}

impl List {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let client = Client::connect(global).await?;
        let request = v1::ListDataStreamsRequest { merchant_id: self.merchant.0 };
        let found =
            client.config().list_data_streams(request).await.map_err(|s| client.explain(&s))?.into_inner();
        let rows: Vec<Row> = found.data_streams.into_iter().map(Row::from).collect();
        output::list(global.format, &["id", "name", "platform"], &rows)
    }
}

impl From<v1::DataStream> for Row {
    fn from(stream: v1::DataStream) -> Self {
        let platform = shown::platform(stream.platform());
        Self { id: stream.id, name: stream.name, platform, merchant_id: stream.merchant_id }
    }
}
