//! What must be there before records are kept: tenant, namespace, topic; and that nothing of it deletes records.

use model::Partition;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::admin::{Admin, Done};
use super::{Settings, partitions};
use crate::{Error, MAX_RECORD_BYTES, Result};

/// The topic of the records, within the namespace.
pub(super) const TOPIC: &str = "hits";

/// Makes what is missing, and gives the number of partitions. Any number of processes may do it at once.
pub(super) async fn prepare(admin: &Admin, settings: &Settings) -> Result<u16> {
    brokers_take_records(admin, settings).await?;
    prepare_namespace(admin, settings).await?;
    offload_by_itself(admin, settings).await?;
    let partitions = partitions::prepare(admin, settings).await?;
    no_retention_of_its_own(admin, settings).await?;
    Ok(partitions)
}

/// Makes the namespace, if it is not there, and sees to it that it keeps records for ever.
pub(super) async fn prepare_namespace(admin: &Admin, settings: &Settings) -> Result<()> {
    let made = namespace(admin, &settings.namespace).await?;
    keep_all(admin, settings, made).await
}

/// The full name of a partition, as the client wants it.
pub(super) fn topic_of(namespace: &str, partition: Partition) -> String {
    format!("persistent://{namespace}/{TOPIC}-partition-{partition}")
}

/// The path of a partition, as the admin interface wants it.
pub(super) fn path_of(namespace: &str, partition: Partition) -> String {
    format!("persistent/{namespace}/{TOPIC}-partition-{partition}")
}

/// A record that is too large for a broker makes it cut the connection that all partitions share, again and again: so it
/// must not come to that.
async fn brokers_take_records(admin: &Admin, settings: &Settings) -> Result<()> {
    let path = "brokers/configuration/runtime";
    match admin.get::<Value>("read the configuration at", path).await {
        Ok(configuration) => takes_records(&configuration.unwrap_or_default(), &settings.admin_url),
        // Only a superuser may ask.
        Err(Error::Mismatch { what }) => {
            tracing::info!("the largest message that the brokers take is unknown: {what}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn takes_records(configuration: &Value, place: &str) -> Result<()> {
    // The message's metadata comes on top of the record.
    const NEEDED: usize = MAX_RECORD_BYTES + 16 * 1024;
    let limit: Option<usize> =
        configuration.get("maxMessageSize").and_then(Value::as_str).and_then(|size| size.parse().ok());
    match limit {
        Some(limit) if limit < NEEDED => {
            let what = format!(
                "the brokers at {place} take messages of at most {limit} bytes, and a record may be larger: set \
                 maxMessageSize to {NEEDED} or more"
            );
            Err(Error::Mismatch { what })
        }
        _ => Ok(()),
    }
}

/// Makes the namespace and its tenant, if they are not there. Says whether it made the namespace.
async fn namespace(admin: &Admin, namespace: &str) -> Result<bool> {
    let path = format!("namespaces/{namespace}");
    if admin.get::<Value>("read", &path).await?.is_some() {
        return Ok(false);
    }
    let tenant = format!("tenants/{}", namespace.split('/').next().unwrap_or_default());
    if admin.get::<Value>("read", &tenant).await?.is_none() {
        let clusters: Value = admin.get("read", "clusters").await?.unwrap_or_default();
        let body = json!({"adminRoles": [], "allowedClusters": clusters});
        admin.change("make", Method::PUT, &tenant, Some(&body)).await?;
    }
    // With its retention from the first moment on.
    let body = json!({"retention_policies": UNLIMITED});
    Ok(admin.change("make", Method::PUT, &path, Some(&body)).await? == Done::Changed)
}

/// How long the records of a topic are kept that no subscription holds back; we have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Retention {
    retention_time_in_minutes: i64,
    #[serde(rename = "retentionSizeInMB")]
    retention_size_in_mb: i64,
}

const UNLIMITED: Retention = Retention { retention_time_in_minutes: -1, retention_size_in_mb: -1 };

async fn keep_all(admin: &Admin, settings: &Settings, made: bool) -> Result<()> {
    let namespace = &settings.namespace;
    let path = format!("namespaces/{namespace}/retention");
    let found: Option<Retention> = admin.get("read", &path).await?;
    if found != Some(UNLIMITED) {
        if !made {
            tracing::warn!(namespace, ?found, "the namespace's retention was limited: set to unlimited");
        }
        admin.change("set the retention at", Method::POST, &path, Some(&json!(UNLIMITED))).await?;
    }
    // Brokers delete a topic without subscriptions that nobody is connected to, as they come from the factory.
    let path = format!("namespaces/{namespace}/inactiveTopicPolicies");
    let found: Value = admin.get("read", &path).await?.unwrap_or_default();
    if found.get("deleteWhileInactive") != Some(&Value::Bool(false)) {
        let body = json!({
            "inactiveTopicDeleteMode": "delete_when_no_subscriptions",
            "maxInactiveDurationSeconds": 86_400,
            "deleteWhileInactive": false,
        });
        admin.change("forbid the deletion of topics at", Method::POST, &path, Some(&body)).await?;
    }
    Ok(())
}

/// Says when the brokers move the topic to tiered storage without being asked. What was set before is taken back.
async fn offload_by_itself(admin: &Admin, settings: &Settings) -> Result<()> {
    // The interface counts in signed numbers.
    const NEVER: i64 = -1;
    let wanted = settings.offload_after_bytes.map_or(NEVER, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let path = format!("namespaces/{}/offloadThreshold", settings.namespace);
    let found: i64 = admin.get("read", &path).await?.unwrap_or(NEVER);
    if found != wanted {
        tracing::info!(namespace = settings.namespace, found, wanted, "the offload threshold is changed");
        admin.change("set the offload threshold at", Method::PUT, &path, Some(&json!(wanted))).await?;
    }
    Ok(())
}

/// What is set at the topic itself goes before what is set at the namespace.
async fn no_retention_of_its_own(admin: &Admin, settings: &Settings) -> Result<()> {
    let path = format!("persistent/{}/{TOPIC}/retention", settings.namespace);
    // Brokers without policies of topics keep to none. Any other refusal leaves open what they do.
    let own: Option<Retention> = admin.get_if_known("read", &path).await?;
    match own {
        Some(own) if own != UNLIMITED => {
            let what = format!(
                "the topic {TOPIC} of namespace {} has a retention of its own, {} minutes and {} MB, beyond which records \
                 would be deleted: remove it, only -1 and -1 is allowed",
                settings.namespace, own.retention_time_in_minutes, own.retention_size_in_mb
            );
            Err(Error::Mismatch { what })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Kind;
    use parking_lot::Mutex;

    use super::super::fake;
    use super::*;

    #[test]
    fn brokers_that_take_too_little_are_refused() {
        let with = |size: &str| takes_records(&json!({"maxMessageSize": size}), "http://h:8080");
        assert!(with("5242880").is_ok(), "Pulsar's own limit");
        assert!(with("4210688").is_ok());
        let refused = with("4194304").map_err(|error| error.to_string());
        let expected = "the brokers at http://h:8080 take messages of at most 4194304 bytes, and a record may be larger: set \
                        maxMessageSize to 4210688 or more";
        assert_eq!(refused, Err(expected.to_owned()));
        assert!(takes_records(&Value::Null, "").is_ok(), "unknown");
    }

    #[test]
    fn retention_is_written_as_the_brokers_write_it() {
        assert_eq!(json!(UNLIMITED), json!({"retentionTimeInMinutes": -1, "retentionSizeInMB": -1}));
    }

    /// Brokers with everything in place, but for what they say of the topic's own retention.
    async fn prepared(status: u16, retention: &str) -> Result<u16> {
        let retention = retention.to_owned();
        let settings = fake::serve(move |asked, _| match asked {
            "GET persistent/public/hitmill/hits/retention" => (status, retention.clone()),
            "GET persistent/public/hitmill/hits/partitions" => {
                (200, r#"{"partitions":3,"properties":{"hitmill.partitions":"3"}}"#.to_owned())
            }
            "GET namespaces/public/hitmill/offloadThreshold" => (200, "-1".to_owned()),
            "GET namespaces/public/hitmill/retention" => (200, json!(UNLIMITED).to_string()),
            "GET namespaces/public/hitmill/inactiveTopicPolicies" => {
                (200, r#"{"deleteWhileInactive":false}"#.to_owned())
            }
            _ if asked.starts_with("GET ") => (200, "{}".to_owned()),
            _ => (500, format!("nothing is to be changed: {asked}")),
        })
        .await;
        prepare(&Admin::new(&settings).unwrap(), &settings).await
    }

    #[tokio::test]
    async fn a_topic_that_may_lose_records_is_not_opened() {
        // As brokers of version 4.0.8 say it: without a policy, and with policies of topics turned off.
        let off =
            r#"{"reason":"Topic level policies is disabled, to enable the topic level policy and retry."}"#;
        for (status, said) in [(200, ""), (204, ""), (404, ""), (405, off)] {
            assert_eq!(prepared(status, said).await.unwrap(), 3, "{status}");
        }
        assert_eq!(prepared(200, &json!(UNLIMITED).to_string()).await.unwrap(), 3);
        let hour = r#"{"retentionTimeInMinutes":60,"retentionSizeInMB":-1}"#;
        for (status, said, kind) in [
            (500, "", Kind::Unavailable),
            (412, "", Kind::Unavailable),
            (403, "", Kind::Invalid),
            (200, hour, Kind::Invalid),
        ] {
            let refused = prepared(status, said).await.unwrap_err();
            assert_eq!(refused.kind(), kind, "{refused}");
        }
    }

    #[tokio::test]
    async fn the_threshold_is_set_and_taken_back() {
        let threshold = Arc::new(Mutex::new((7_i64, 0)));
        let held = Arc::clone(&threshold);
        let settings = fake::serve(move |asked, body| {
            let mut held = held.lock();
            if asked.starts_with("PUT ") {
                *held = (body.parse().unwrap(), held.1 + 1);
            }
            (200, held.0.to_string())
        })
        .await;
        let admin = Admin::new(&settings).unwrap();
        for (wanted, found, changes) in
            [(None, -1, 1), (None, -1, 1), (Some(0), 0, 2), (Some(u64::MAX), i64::MAX, 3)]
        {
            let settings = Settings { offload_after_bytes: wanted, ..settings.clone() };
            offload_by_itself(&admin, &settings).await.unwrap();
            assert_eq!(*threshold.lock(), (found, changes), "{wanted:?}");
        }
    }
}
