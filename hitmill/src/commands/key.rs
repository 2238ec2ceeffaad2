use clap::{Args, Subcommand, ValueEnum};
use model::{DataStreamId, MerchantId};
use proto::v1;
use serde::Serialize;

use super::shown;
use crate::cli::Global;
use crate::client::Client;
use crate::output;

/// Make keys, list them, replace them and end them.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    Create(Create),
    List(List),
    Rotate(Rotate),
    Revoke(Revoke),
}

/// Make a key, which is shown only now.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill key create read --merchant 7
  hitmill key create write --merchant 7 --stream 12     without --stream, for its first data stream
  hitmill key create admin")]
pub(crate) struct Create {
    /// What it may do.
    #[arg(value_enum)]
    role: Role,
    /// Its merchant. Not for admin keys.
    #[arg(long, value_name = "ID", required_if_eq_any([("role", "read"), ("role", "write")]))]
    merchant: Option<MerchantId>,
    /// Its data stream. Only for write keys.
    #[arg(long, value_name = "ID")]
    stream: Option<DataStreamId>,
}

/// List keys, without their secrets.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The merchant whose keys to list. Without it, the admin keys.
    #[arg(long, value_name = "ID")]
    merchant: Option<MerchantId>,
}

/// Make a key that may do the same as another, and revoke that one.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Id of the key to replace: see `hitmill key list`.
    id: String,
}

/// End a key: within a second it works nowhere.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Id of the key: see `hitmill key list`.
    id: String,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Send hits into one data stream. Public.
    Write,
    /// Read one merchant. Secret.
    Read,
    /// Everything. Secret.
    Admin,
}

#[derive(Serialize)]
struct Made {
    key_id: String,
    key: String,
}

#[derive(Serialize)]
struct Row {
    id: String,
    role: &'static str,
    merchant_id: Option<u64>,
    data_stream_id: Option<u32>,
    created_at: Option<String>,
    revoked_at: Option<String>,
}

const FIELDS: [&str; 6] = ["id", "role", "merchant_id", "data_stream_id", "created_at", "revoked_at"];

impl Key {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let client = Client::connect(global).await?;
        match self {
            Self::Create(create) => create.run(global, &client).await,
            Self::List(list) => list.run(global, &client).await,
            Self::Rotate(rotate) => rotate.run(global, &client).await,
            Self::Revoke(revoke) => revoke.run(global, &client).await,
        }
    }
}

impl Create {
    async fn run(self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let request = v1::CreateKeyRequest {
            role: v1::KeyRole::from(self.role).into(),
            merchant_id: self.merchant.map_or(0, |id| id.0),
            data_stream_id: self.stream.map_or(0, |id| id.0),
        };
        let made = client.config().create_key(request).await.map_err(|s| client.explain(&s))?.into_inner();
        print_made(global, made.key, made.secret)
    }
}

impl List {
    async fn run(self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let request = v1::ListKeysRequest { merchant_id: self.merchant.map_or(0, |id| id.0) };
        let found = client.config().list_keys(request).await.map_err(|s| client.explain(&s))?.into_inner();
        let rows: Vec<Row> = found.keys.into_iter().map(Row::from).collect();
        output::list(global.format, &FIELDS, &rows)
    }
}

impl Rotate {
    async fn run(self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let request = v1::RotateKeyRequest { key_id: id_of(self.id) };
        let made = client.config().rotate_key(request).await.map_err(|s| client.explain(&s))?.into_inner();
        print_made(global, made.key, made.secret)
    }
}

impl Revoke {
    async fn run(self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let request = v1::RevokeKeyRequest { key_id: id_of(self.id) };
        let revoked = client.config().revoke_key(request).await.map_err(|s| client.explain(&s))?.into_inner();
        output::one(global.format, &FIELDS, &Row::from(revoked.key.unwrap_or_default()))
    }
}

/// The id that was meant: who has only the key at hand may give all of it.
fn id_of(given: String) -> String {
    match catalog::key_id(&given) {
        Some(id) => {
            eprintln!("note: that was the whole key; using its id {id}");
            id.to_owned()
        }
        None => given,
    }
}

fn print_made(global: &Global, key: Option<v1::Key>, secret: String) -> anyhow::Result<()> {
    let made = Made { key_id: key.unwrap_or_default().id, key: secret };
    output::one(global.format, &["key_id", "key"], &made)
}

impl From<Role> for v1::KeyRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Write => Self::Write,
            Role::Read => Self::Read,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<v1::Key> for Row {
    fn from(key: v1::Key) -> Self {
        let role = match key.role() {
            v1::KeyRole::Unspecified => "",
            v1::KeyRole::Write => "write",
            v1::KeyRole::Read => "read",
            v1::KeyRole::Admin => "admin",
        };
        Self {
            id: key.id,
            role,
            merchant_id: shown::set(key.merchant_id),
            data_stream_id: shown::set(key.data_stream_id),
            created_at: shown::time(key.created_at.as_ref()),
            revoked_at: shown::time(key.revoked_at.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_key_stands_for_its_id() {
        let id = "hm_w_1a2B3c4D";
        assert_eq!(id_of(format!("{id}_{}", "a1B2".repeat(8))), id);
        assert_eq!(id_of(id.to_owned()), id);
        assert_eq!(id_of("hm_w_1a2B3c4D_short".to_owned()), "hm_w_1a2B3c4D_short");
    }
}
