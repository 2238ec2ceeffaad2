use clap::{Args, Subcommand};
use model::MerchantId;
use proto::v1;
use serde::Serialize;

use super::shown::{self, Platform};
use crate::cli::Global;
use crate::client::Client;
use crate::failure::Usage;
use crate::output;

/// Merchants asked for at a time.
const PAGE: u32 = 1_000;

/// Make merchants, list them, and change what is set of them.
#[derive(Debug, Subcommand)]
pub(crate) enum Merchant {
    Create(Create),
    /// List all merchants, by id.
    List,
    Show(Show),
    Update(Update),
}

/// Make a merchant with a first data stream, a write key and a read key. The keys are shown only now.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill merchant create 'My shop'
  hitmill merchant create 'My app' --stream-name 'iPhone app' --platform ios --time-zone America/New_York
  hitmill merchant create Test --format json     prints {\"merchant_id\":1,\"write_key\":\"...\",\"read_key\":\"...\"}")]
pub(crate) struct Create {
    /// A name for people, 1 to 200 bytes.
    name: String,
    /// The time zone of its days, by its IANA name. UTC if not given.
    #[arg(long, value_name = "ZONE", default_value = "")]
    time_zone: String,
    /// Its main currency, by its ISO 4217 code. USD if not given.
    #[arg(long, value_name = "CODE", default_value = "")]
    currency: String,
    /// The name of its first data stream. `web` if not given.
    #[arg(long, value_name = "NAME", default_value = "")]
    stream_name: String,
    /// What sends into its first data stream.
    #[arg(long, value_enum, default_value_t)]
    platform: Platform,
    /// Over how many partitions of the log its clients are spread: more than 1 only if one cannot carry its hits. It
    /// cannot be changed later.
    #[arg(long, default_value_t = 1)]
    spread: u32,
    /// Hits per second that it may send to each ingest process, averaged over ten seconds; 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    hits_per_second: u64,
    /// Streams that it may have open at a time; 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    streams: u32,
}

/// Show one merchant.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id.
    id: MerchantId,
}

/// Change what is set of a merchant. What is not given stays.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill merchant update 7 --time-zone Europe/Paris     days of all its history are those of Paris from now on
  hitmill merchant update 7 --hits-per-second 5000       0 would take the limit away")]
pub(crate) struct Update {
    /// Its id.
    id: MerchantId,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// A new time zone. It holds for all of history.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// A new main currency.
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Hits per second that it may send to each ingest process; 0 is no limit.
    #[arg(long, value_name = "N")]
    hits_per_second: Option<u64>,
    /// Streams that it may have open at a time; 0 is no limit.
    #[arg(long, value_name = "N")]
    streams: Option<u32>,
}

/// What `create` prints as JSON: scripts go by these three names.
#[derive(Serialize)]
struct Created {
    merchant_id: u64,
    write_key: String,
    read_key: String,
}

#[derive(Serialize)]
struct Row {
    id: u64,
    name: String,
    time_zone: String,
    currency: String,
    hits_per_second: Option<u64>,
    streams: Option<u32>,
    spread: u32,
    version: u64,
    created_at: Option<String>,
}

const FIELDS: [&str; 9] =
    ["id", "name", "time_zone", "currency", "hits_per_second", "streams", "spread", "version", "created_at"];

impl Merchant {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run(global).await,
            Self::List => list(global).await,
            Self::Show(show) => show.run(global).await,
            Self::Update(update) => update.run(global).await,
        }
    }
}

impl Create {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let request = v1::CreateMerchantRequest {
            name: self.name,
            time_zone: self.time_zone,
            currency: self.currency,
            quota: Some(v1::Quota { hits_per_second: self.hits_per_second, streams: self.streams }),
            spread: self.spread,
            data_stream_name: self.stream_name,
            platform: v1::Platform::from(self.platform).into(),
        };
        let client = Client::connect(global).await?;
        let created =
            client.config().create_merchant(request).await.map_err(|s| client.explain(&s))?.into_inner();
        let created = Created {
            merchant_id: created.merchant.map_or(0, |m| m.id),
            write_key: created.write_key,
            read_key: created.read_key,
        };
        output::one(global.format, &["merchant_id", "write_key", "read_key"], &created)?;
        eprintln!("note: the keys are shown only now; the write key may be public, the read key is secret");
        Ok(())
    }
}

async fn list(global: &Global) -> anyhow::Result<()> {
    let client = Client::connect(global).await?;
    let mut config = client.config();
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let request =
            v1::ListMerchantsRequest { page_size: PAGE, after_id: rows.last().map_or(0, |row| row.id) };
        let page = config.list_merchants(request).await.map_err(|s| client.explain(&s))?.into_inner();
        let empty = page.merchants.is_empty();
        rows.extend(page.merchants.into_iter().map(Row::from));
        if !page.more || empty {
            break;
        }
    }
    output::list(global.format, &["id", "name", "time_zone", "currency", "created_at"], &rows)
}

impl Show {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let client = Client::connect(global).await?;
        output::one(global.format, &FIELDS, &Row::from(get(&client, self.id).await?))
    }
}

impl Update {
    async fn run(self, global: &Global) -> anyhow::Result<()> {
        let wants_quota = self.hits_per_second.is_some() || self.streams.is_some();
        if !wants_quota && self.name.is_none() && self.time_zone.is_none() && self.currency.is_none() {
            let what =
                "nothing to change: give --name, --time-zone, --currency, --hits-per-second or --streams";
            return Err(Usage(what.into()).into());
        }
        let client = Client::connect(global).await?;
        // A quota is replaced as a whole, so what is not given is taken from the one that holds.
        let quota = if wants_quota {
            let now = get(&client, self.id).await?.quota.unwrap_or_default();
            Some(v1::Quota {
                hits_per_second: self.hits_per_second.unwrap_or(now.hits_per_second),
                streams: self.streams.unwrap_or(now.streams),
            })
        } else {
            None
        };
        let request = v1::UpdateMerchantRequest {
            merchant_id: self.id.0,
            name: self.name.unwrap_or_default(),
            time_zone: self.time_zone.unwrap_or_default(),
            currency: self.currency.unwrap_or_default(),
            quota,
        };
        let updated =
            client.config().update_merchant(request).await.map_err(|s| client.explain(&s))?.into_inner();
        output::one(global.format, &FIELDS, &Row::from(updated.merchant.unwrap_or_default()))
    }
}

async fn get(client: &Client, id: MerchantId) -> anyhow::Result<v1::Merchant> {
    let request = v1::GetMerchantRequest { merchant_id: id.0 };
    let found = client.config().get_merchant(request).await.map_err(|s| client.explain(&s))?.into_inner();
    Ok(found.merchant.unwrap_or_default())
}

impl From<v1::Merchant> for Row {
    fn from(merchant: v1::Merchant) -> Self {
        let quota = merchant.quota.unwrap_or_default();
        Self {
            id: merchant.id,
            name: merchant.name,
            time_zone: merchant.time_zone,
            currency: merchant.currency,
            hits_per_second: shown::set(quota.hits_per_second),
            streams: shown::set(quota.streams),
            spread: merchant.spread,
            version: merchant.version,
            created_at: shown::time(merchant.created_at.as_ref()),
        }
    }
}
