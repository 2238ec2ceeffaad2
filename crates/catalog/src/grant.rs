use std::sync::Arc;

use model::{DataStreamId, MerchantId, Role};

use crate::Denied;

/// What the bearer of a good key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Id of the key.
    pub key_id: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// Its merchant; `None` for an admin key.
    pub merchant: Option<MerchantId>,
    /// Its data stream, if it is a write key.
    pub data_stream: Option<DataStreamId>,
}

impl Grant {
    /// Whether it may read this merchant's numbers and configuration.
    pub fn read(&self, merchant: MerchantId) -> Result<(), Denied> {
        let id = || self.key_id.clone();
        match self.role {
            Role::Admin => Ok(()),
            Role::Read if self.merchant == Some(merchant) => Ok(()),
            Role::Read => Err(Denied::OtherMerchant { id: id(), merchant }),
            Role::Write => Err(Denied::NotReader { id: id(), role: self.role, merchant }),
        }
    }

    /// Whether it may do everything.
    pub fn admin(&self) -> Result<(), Denied> {
        match self.role {
            Role::Admin => Ok(()),
            Role::Read | Role::Write => Err(Denied::NotAdmin { id: self.key_id.clone(), role: self.role }),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Kind;

    use super::*;

    fn grant(role: Role, merchant: Option<u64>) -> Grant {
        Grant { key_id: "id".into(), role, merchant: merchant.map(MerchantId), data_stream: None }
    }

    #[test]
    fn each_role_may_do_only_its_own() {
        let read = |role, merchant| grant(role, merchant).read(MerchantId(7)).map_err(|denied| denied.kind());
        assert_eq!(read(Role::Admin, None), Ok(()));
        assert_eq!(read(Role::Read, Some(7)), Ok(()));
        assert_eq!(read(Role::Read, Some(8)), Err(Kind::Forbidden));
        assert_eq!(read(Role::Write, Some(7)), Err(Kind::Forbidden));

        let admin = |role, merchant| grant(role, merchant).admin().map_err(|denied| denied.kind());
        assert_eq!(admin(Role::Admin, None), Ok(()));
        assert_eq!(admin(Role::Read, Some(7)), Err(Kind::Forbidden));
        assert_eq!(admin(Role::Write, Some(7)), Err(Kind::Forbidden));
    }
}
