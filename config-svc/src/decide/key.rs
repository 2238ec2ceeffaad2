use std::sync::Arc;

use catalog::{Item, Key};
use model::{DataStreamId, Invalid, MerchantId, Role};
use proto::v1;

use super::{Basis, Plan};
use crate::secret::Draw;
use crate::{Error, Result, validate};

/// A key.
pub fn create_key(basis: &Basis<'_>, request: &v1::CreateKeyRequest) -> Result<Plan<v1::CreateKeyResponse>> {
    let (role, merchant, data_stream) = rights(basis, request)?;
    let mut draw = Draw::new(basis.seed);
    let (key, secret) = basis.new_key(&mut draw, role, merchant, data_stream);
    let summary = format!("made {} key {}{}", role.name(), key.id, of(&key));
    let answer = v1::CreateKeyResponse { key: Some((&*key).into()), secret };
    Ok(Plan::change(basis, answer, vec![Item::Key(key)], summary))
}

/// A key that may do the same as another, which is revoked.
pub fn rotate_key(basis: &Basis<'_>, request: &v1::RotateKeyRequest) -> Result<Plan<v1::RotateKeyResponse>> {
    let old = basis.key(&request.key_id)?;
    if let Some(at) = old.revoked_at {
        return Err(Error::Revoked { id: old.id.clone(), at });
    }
    let mut draw = Draw::new(basis.seed);
    let (new, secret) = basis.new_key(&mut draw, old.role, old.merchant, old.data_stream);
    let summary = format!("replaced {} key {} by {}{}", old.role.name(), old.id, new.id, of(&new));
    let answer = v1::RotateKeyResponse { key: Some((&*new).into()), secret };
    Ok(Plan::change(basis, answer, vec![Item::Key(new), Item::Key(revoked(basis, old))], summary))
}

/// The end of a key; nothing if it has ended before.
pub fn revoke_key(basis: &Basis<'_>, request: &v1::RevokeKeyRequest) -> Result<Plan<v1::RevokeKeyResponse>> {
    let old = basis.key(&request.key_id)?;
    if old.revoked_at.is_some() {
        return Ok(Plan::nothing(basis, v1::RevokeKeyResponse { key: Some((&**old).into()) }));
    }
    if old.role == Role::Admin && admin_keys(basis).all(|other| other.id == old.id) {
        return Err(Error::LastAdmin(old.id.clone()));
    }
    let key = revoked(basis, old);
    let summary = format!("revoked {} key {}{}", key.role.name(), key.id, of(&key));
    let answer = v1::RevokeKeyResponse { key: Some((&*key).into()) };
    Ok(Plan::change(basis, answer, vec![Item::Key(key)], summary))
}

/// An admin key, if there is none: the one that the operator gave, or a new one, which is the answer.
pub fn install_admin_key(basis: &Basis<'_>, given: Option<&str>) -> Result<Plan<Option<String>>> {
    if admin_keys(basis).next().is_some() {
        return Ok(Plan::nothing(basis, None));
    }
    let mut draw = Draw::new(basis.seed);
    let (mut key, made) = basis.new_key(&mut draw, Role::Admin, None, None);
    let Some(given) = given else {
        let summary = format!("made the first admin key {}", key.id);
        return Ok(Plan::change(basis, Some(made), vec![Item::Key(key)], summary));
    };
    validate::given_key(given)?;
    // A drawn id unless it has one: an id that follows from the key would help to guess a weak one.
    let named =
        catalog::key_id(given).filter(|id| id.starts_with("hm_a_") && basis.snapshot.key(id).is_none());
    let id = named.map_or_else(|| key.id.clone(), Into::into);
    key = Arc::new(Key { id, hash: catalog::hash(given), ..Key::clone(&key) });
    let summary = format!("took the operator's own admin key in as {}", key.id);
    Ok(Plan::change(basis, None, vec![Item::Key(key)], summary))
}

type Rights = (Role, Option<MerchantId>, Option<DataStreamId>);

/// What the new key may do, if the request asks for something that there is.
fn rights(basis: &Basis<'_>, request: &v1::CreateKeyRequest) -> Result<Rights> {
    let refuse =
        |what, value: u64, allowed: &str| Error::from(Invalid::new(what, value.to_string(), allowed));
    let data_stream = DataStreamId(request.data_stream_id);
    match v1::KeyRole::try_from(request.role) {
        Ok(v1::KeyRole::Write) => {
            let merchant = basis.merchant(request.merchant_id)?.id;
            Ok((Role::Write, Some(merchant), Some(data_stream_of(basis, merchant, data_stream)?)))
        }
        Ok(v1::KeyRole::Read | v1::KeyRole::Admin) if data_stream.0 != 0 => {
            Err(refuse("data stream id", data_stream.0.into(), "0: only a write key is for a data stream"))
        }
        Ok(v1::KeyRole::Read) => Ok((Role::Read, Some(basis.merchant(request.merchant_id)?.id), None)),
        Ok(v1::KeyRole::Admin) if request.merchant_id != 0 => {
            Err(refuse("merchant id", request.merchant_id, "0: an admin key is for all merchants"))
        }
        Ok(v1::KeyRole::Admin) => Ok((Role::Admin, None, None)),
        Ok(v1::KeyRole::Unspecified) | Err(_) => {
            let allowed = "write (1), read (2) or admin (3)";
            Err(Invalid::new("role of a key", request.role.to_string(), allowed).into())
        }
    }
}

/// The data stream asked for, if it is the merchant's; its first one for 0.
fn data_stream_of(basis: &Basis<'_>, merchant: MerchantId, asked: DataStreamId) -> Result<DataStreamId> {
    if asked.0 == 0 {
        return basis.snapshot.first_data_stream(merchant).ok_or(Error::NoDataStream(asked));
    }
    let found = basis.snapshot.data_stream(asked).ok_or(Error::NoDataStream(asked))?;
    if found.merchant == merchant {
        Ok(asked)
    } else {
        Err(Error::NotItsDataStream { data_stream: asked, merchant })
    }
}

fn admin_keys<'a>(basis: &'a Basis<'_>) -> impl Iterator<Item = &'a Arc<Key>> {
    basis.snapshot.keys_of(None).filter(|key| key.revoked_at.is_none())
}

fn revoked(basis: &Basis<'_>, key: &Key) -> Arc<Key> {
    Arc::new(Key { revoked_at: Some(basis.now), ..key.clone() })
}

/// Whose it is, for people.
fn of(key: &Key) -> String {
    match (key.merchant, key.data_stream) {
        (Some(merchant), Some(stream)) => format!(" of data stream {stream} of merchant {merchant}"),
        (Some(merchant), None) => format!(" of merchant {merchant}"),
        (None, _) => String::new(),
    }
}
