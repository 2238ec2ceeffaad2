use std::sync::Arc;

use catalog::Catalog;
use clock::Clock;
use store::Store;

use crate::{Result, Writer, decide};

/// Makes an admin key if there is none, as at the first start: the one that the operator gave, or else a new one, which
/// is returned to be shown once. A key that is given when there are admin keys already is not taken in: whoever sets the
/// environment of a running installation does not become its admin by that.
pub async fn bootstrap(
    store: Arc<dyn Store>,
    catalog: Catalog,
    clock: Clock,
    given_admin_key: Option<String>,
) -> Result<Option<String>> {
    let given = given_admin_key.as_deref();
    let writer = Writer::new(store, catalog.clone(), clock);
    let made = writer.change(None, |basis| decide::install_admin_key(basis, given)).await?;
    if given.is_some_and(|given| catalog.snapshot().authenticate(given).and_then(|it| it.admin()).is_err()) {
        tracing::warn!("the given admin key is not one of this installation: it has others, made before");
    }
    Ok(made)
}
