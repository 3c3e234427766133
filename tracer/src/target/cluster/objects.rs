//! The parts of the API server's answers that tracer reads: metadata, and how many pods a workload
//! wants.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A list, or a part of one.
#[derive(Debug, Deserialize)]
pub(super) struct ObjectList {
    #[serde(default)]
    pub(super) metadata: ListMetadata,
    #[serde(default)]
    pub(super) items: Option<Vec<Object>>,
}

/// Where a list stands.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) more: String,
}

/// An object.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Object {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: Option<Spec>,
    #[serde(default)]
    pub(super) status: Option<Status>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) uid: String,
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default)]
    pub(super) labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) owner_references: Option<Vec<OwnerReference>>,
}

/// What an object belongs to.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct OwnerReference {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) controller: Option<bool>,
}

/// How many pods a workload wants.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Spec {
    #[serde(default)]
    pub(super) replicas: Option<i64>,
    #[serde(default)]
    pub(super) suspend: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// Of a `DaemonSet`: the nodes that it fits.
    #[serde(default)]
    pub(super) desired_number_scheduled: Option<i64>,
}

impl Metadata {
    /// What made the object.
    pub(super) fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
    }
}

/// What happened to an object that is watched.
#[derive(Debug)]
pub(super) enum WatchEvent {
    /// It was made or changed.
    Is(Object),
    /// It is gone.
    Gone(Object),
    /// Nothing: it is as new as this.
    Bookmark(String),
    /// What was known is too old, or something else is wrong: a new beginning is due.
    Failed,
}

pub(super) fn list(bytes: &[u8]) -> Result<ObjectList, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

pub(super) fn event(line: &[u8]) -> Result<WatchEvent, String> {
    #[derive(Deserialize)]
    struct Line {
        r#type: String,
        object: Value,
    }
    let Line { r#type, object } =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if r#type == "ERROR" {
        return Ok(WatchEvent::Failed);
    }
    let object: Object = serde_json::from_value(object).map_err(|error| error.to_string())?;
    Ok(match r#type.as_str() {
        "DELETED" => WatchEvent::Gone(object),
        "BOOKMARK" => WatchEvent::Bookmark(object.metadata.resource_version),
        _ => WatchEvent::Is(object),
    })
}

/// The message of a refusal by the API server (`Status`); the whole text of any other answer.
pub(super) fn message(bytes: &[u8]) -> String {
    let status: Result<Value, _> = serde_json::from_slice(bytes);
    let message = status.ok().and_then(|status| Some(status["message"].as_str()?.to_owned()));
    message.unwrap_or_else(|| String::from_utf8_lossy(bytes).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_read_whatever_else_is_there() {
        let text = br#"{"kind":"PartialObjectMetadataList","metadata":{"resourceVersion":"7","continue":"x"},"items":[
            {"metadata":{"name":"web-1","namespace":"shop","uid":"u","labels":{"app":"web"},"managedFields":[{}],
             "ownerReferences":[{"kind":"Node","name":"n"},{"kind":"ReplicaSet","name":"web","controller":true,"uid":"r"}]}}]}"#;
        let read = list(text).expect("a list");
        assert_eq!(
            (read.metadata.resource_version.as_str(), read.metadata.more.as_str()),
            ("7", "x")
        );
        let items = read.items.expect("items");
        assert_eq!(items[0].metadata.controller().map(|one| one.name.as_str()), Some("web"));
        assert!(list(br#"{"items":null}"#).expect("a list").items.is_none());
        assert!(list(b"<html>").is_err() && list(br#"{"items":7}"#).is_err());
    }

    #[test]
    fn kinds_of_events_are_distinguished() {
        let read = |text: &str| event(text.as_bytes()).expect(text);
        let object = r#"{"metadata":{"name":"a","resourceVersion":"9"}}"#;
        let of = |kind: &str| read(&format!(r#"{{"type":"{kind}","object":{object}}}"#));
        assert!(matches!(of("ADDED"), WatchEvent::Is(one) if one.metadata.name == "a"));
        assert!(matches!(of("DELETED"), WatchEvent::Gone(_)));
        assert!(matches!(of("BOOKMARK"), WatchEvent::Bookmark(version) if version == "9"));
        assert!(matches!(read(r#"{"type":"ERROR","object":{"code":410}}"#), WatchEvent::Failed));
        assert!(event(b"{}").is_err());
        assert_eq!(message(br#"{"message":"pods is forbidden"}"#), "pods is forbidden");
        assert_eq!(message(b" not found\n"), "not found");
    }
}
