//! The number of partitions: given when the topic is made, and held to. A client's hits go to a partition by that number:
//! with another one they would go elsewhere, where nothing is known of those that came before.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Settings;
use super::admin::{Admin, Done};
use super::link::missing;
use super::setup::TOPIC;
use crate::{Error, Result};

/// The property of the topic that says with how many partitions it was made.
const PINNED: &str = "hitmill.partitions";

/// Makes the topic if it is not there, and gives its number of partitions, which must be the one that it was made with.
pub(super) async fn prepare(admin: &Admin, settings: &Settings) -> Result<u16> {
    let found = match read(admin, settings).await? {
        Some(found) => found,
        None => {
            // A conflict means that another process was faster: its number holds.
            let path = path(settings);
            admin.change("make", Method::PUT, &path, Some(&json!(settings.partitions))).await?;
            read(admin, settings).await?.ok_or_else(|| missing(&path))?
        }
    };
    let partitions = found.count(settings)?;
    if !found.is_pinned(settings)? {
        pin(admin, settings, partitions).await?;
    }
    if partitions != settings.partitions {
        let asked = settings.partitions;
        tracing::info!(partitions, asked, "the topic is there and keeps its number of partitions");
    }
    Ok(partitions)
}

/// The number of partitions of a topic that must be there.
pub(super) async fn existing(admin: &Admin, settings: &Settings) -> Result<u16> {
    match read(admin, settings).await? {
        Some(found) => found.count(settings),
        None => {
            let namespace = &settings.namespace;
            let what = format!(
                "there is no topic {TOPIC} in namespace {namespace}: a service makes it at its first start"
            );
            Err(Error::Mismatch { what })
        }
    }
}

#[derive(Deserialize)]
struct Partitioned {
    partitions: u32,
    properties: Option<BTreeMap<String, String>>,
}

impl Partitioned {
    fn count(&self, settings: &Settings) -> Result<u16> {
        let found = self.partitions;
        u16::try_from(found).ok().filter(|partitions| *partitions > 0).ok_or_else(|| {
            let what = format!(
                "the topic {TOPIC} of namespace {} has {found} partitions: it must be a partitioned topic with 1 to 65535, \
                 remove it or choose another namespace",
                settings.namespace
            );
            Error::Mismatch { what }
        })
    }

    /// Whether it says with how many partitions it was made. Refused if that is another number.
    fn is_pinned(&self, settings: &Settings) -> Result<bool> {
        let Some(pinned) = self.properties.as_ref().and_then(|all| all.get(PINNED)) else { return Ok(false) };
        let found = self.partitions;
        if *pinned == found.to_string() {
            return Ok(true);
        }
        let what = format!(
            "the topic {TOPIC} of namespace {} was made with {pinned} partitions and now has {found}: hits of a client would \
             go to another partition than before, and what comes twice count twice; choose another namespace, or accept \
             that by setting the topic's property {PINNED} to {found}",
            settings.namespace
        );
        Err(Error::Mismatch { what })
    }
}

async fn read(admin: &Admin, settings: &Settings) -> Result<Option<Partitioned>> {
    admin.get("read", &path(settings)).await
}

/// Notes the number, at a topic that is new or was made before numbers were noted.
async fn pin(admin: &Admin, settings: &Settings, partitions: u16) -> Result<()> {
    let path = format!("persistent/{}/{TOPIC}/properties", settings.namespace);
    let body = json!({PINNED: partitions.to_string()});
    if admin.change("set the properties at", Method::PUT, &path, Some(&body)).await? == Done::Changed {
        return Ok(());
    }
    // Somebody else changed them at the same time, most likely to the same.
    match read(admin, settings).await? {
        Some(found) if found.is_pinned(settings)? => Ok(()),
        _ => Err(missing(&path)),
    }
}

fn path(settings: &Settings) -> String {
    format!("persistent/{}/{TOPIC}/partitions", settings.namespace)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Kind;
    use parking_lot::Mutex;

    use super::super::fake;
    use super::*;

    /// Opens a topic like this, or none, and says what became of it and what was changed.
    async fn opened(topic: Option<&str>) -> (Result<u16>, Vec<String>) {
        let topic = Mutex::new(topic.map(str::to_owned));
        let changes = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&changes);
        let settings = fake::serve(move |asked, body| {
            if let Some(change) = asked.strip_prefix("PUT persistent/public/hitmill/hits/") {
                seen.lock().push(format!("{change} {body}"));
                topic.lock().get_or_insert_with(|| format!(r#"{{"partitions":{body}}}"#));
                return (204, String::new());
            }
            match &*topic.lock() {
                Some(topic) => (200, topic.clone()),
                None => (404, String::new()),
            }
        })
        .await;
        let settings = Settings { partitions: 4, ..settings };
        let result = prepare(&Admin::new(&settings).unwrap(), &settings).await;
        let changes = changes.lock().clone();
        (result, changes)
    }

    #[tokio::test]
    async fn the_number_is_noted_once_and_held_to() {
        let (number, changes) = opened(None).await;
        assert_eq!(number.unwrap(), 4);
        assert_eq!(changes, ["partitions 4", r#"properties {"hitmill.partitions":"4"}"#]);

        let (number, changes) = opened(Some(r#"{"partitions":3,"deleted":false}"#)).await;
        assert_eq!(number.unwrap(), 3, "made before");
        assert_eq!(changes, [r#"properties {"hitmill.partitions":"3"}"#]);

        let (number, changes) =
            opened(Some(r#"{"partitions":3,"properties":{"a":"b","hitmill.partitions":"3"}}"#)).await;
        assert_eq!(number.unwrap(), 3);
        assert!(changes.is_empty(), "{changes:?}");

        let (number, changes) =
            opened(Some(r#"{"partitions":5,"properties":{"hitmill.partitions":"3"}}"#)).await;
        let refused = number.unwrap_err();
        assert_eq!(refused.kind(), Kind::Invalid);
        assert!(refused.to_string().contains("made with 3 partitions and now has 5"), "{refused}");
        assert!(changes.is_empty(), "{changes:?}");

        assert_eq!(opened(Some(r#"{"partitions":0}"#)).await.0.unwrap_err().kind(), Kind::Invalid);
    }
}
