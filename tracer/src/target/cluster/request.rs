//! One request to the API server. Pure.

use std::fmt;

use crate::target::workload::WorkloadKind;
use crate::text::escape;

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
}

impl Resource {
    pub(super) const PODS: Self = Self { group: "", version: "v1", plural: "pods" };

    /// Those of a kind of workloads, in the versions in which they are served: the newest first.
    pub(super) fn of(kind: WorkloadKind) -> &'static [Self] {
        const fn of(group: &'static str, version: &'static str, plural: &'static str) -> Resource {
            Resource { group, version, plural }
        }
        match kind {
            WorkloadKind::Deployment => &const { [of("apps", "v1", "deployments")] },
            WorkloadKind::ReplicaSet => &const { [of("apps", "v1", "replicasets")] },
            WorkloadKind::StatefulSet => &const { [of("apps", "v1", "statefulsets")] },
            WorkloadKind::DaemonSet => &const { [of("apps", "v1", "daemonsets")] },
            WorkloadKind::Job => &const { [of("batch", "v1", "jobs")] },
            WorkloadKind::CronJob => {
                &const { [of("batch", "v1", "cronjobs"), of("batch", "v1beta1", "cronjobs")] }
            }
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            "" => formatter.write_str(self.plural),
            group => write!(formatter, "{}.{group}", self.plural),
        }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `list` or `watch`.
    pub(super) verb: &'static str,
    pub(super) resource: Resource,
    pub(super) namespace: String,
    pub(super) query: Vec<(&'static str, String)>,
    /// The metadata alone.
    pub(super) is_partial: bool,
}

impl Request {
    pub(super) fn list(resource: Resource, namespace: &str) -> Self {
        let (namespace, query) = (namespace.to_owned(), Vec::new());
        Self { verb: "list", resource, namespace, query, is_partial: true }
    }

    pub(super) fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// Behind `kubectl auth can-i`.
    pub(super) fn allowance(&self) -> String {
        format!("{} {} -n {}", self.verb, self.resource, escape(&self.namespace))
    }

    pub(super) fn path(&self) -> String {
        let Resource { group, version, plural } = self.resource;
        let api = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        let mut path = format!("{api}/{version}/namespaces/{}/{plural}", encoded(&self.namespace));
        for (at, (key, value)) in self.query.iter().enumerate() {
            path.push(if at == 0 { '?' } else { '&' });
            path.push_str(&format!("{key}={}", encoded(value)));
        }
        path
    }

    pub(super) fn accept(&self) -> &'static str {
        match (self.is_partial, self.verb) {
            (false, _) => "application/json",
            (true, "watch") => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            (true, _) => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        }
    }
}

/// `list pods in the namespace shop`
impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, namespace, .. } = self;
        write!(formatter, "{verb} {resource} in the namespace {}", escape(namespace))
    }
}

/// Everything but what needs no escape in a URL (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(
            |byte| {
                if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_as_it_is_sent() {
        let request =
            Request::list(Resource::PODS, "shop").with("fieldSelector", "spec.nodeName=a b");
        assert_eq!(
            request.path(),
            "/api/v1/namespaces/shop/pods?fieldSelector=spec.nodeName%3Da%20b"
        );
        assert_eq!(request.to_string(), "list pods in the namespace shop");
        let [deployments] = Resource::of(WorkloadKind::Deployment) else { panic!("one version") };
        let request = Request::list(*deployments, "shop");
        assert_eq!(request.path(), "/apis/apps/v1/namespaces/shop/deployments");
        assert_eq!(request.allowance(), "list deployments.apps -n shop");
    }
}
