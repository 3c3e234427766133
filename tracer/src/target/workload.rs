//! Recognises the workload of a pod by the pod's name: controllers name pods by rule. Pure.
//!
//! The rules: a Deployment's pod is `NAME-HASH-SUFFIX`, a `ReplicaSet`'s, `DaemonSet`'s or Job's
//! `NAME-SUFFIX` (of an indexed Job `NAME-INDEX-SUFFIX`), a `CronJob`'s `NAME-TIME-SUFFIX`, a
//! `StatefulSet`'s `NAME-ORDINAL` (Kubernetes `pkg/controller`).

use std::fmt;

use crate::recording::generated_names::{less_hash, less_suffix};

/// Pods that are meant together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pods {
    /// Those that a controller made.
    Of {
        /// What kind of controller.
        kind: WorkloadKind,
        /// Its name.
        name: String,
    },
    /// Those whose names begin so: `web-*`.
    Beginning(String),
}

/// What makes pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `deployment`, `deploy`
    Deployment,
    /// `replicaset`, `rs`
    ReplicaSet,
    /// `statefulset`, `sts`
    StatefulSet,
    /// `daemonset`, `ds`
    DaemonSet,
    /// `job`
    Job,
    /// `cronjob`, `cj`
    CronJob,
}

impl WorkloadKind {
    /// All of them, those first whose rule for names is the narrowest.
    const ALL: [Self; 6] = [
        Self::Deployment,
        Self::CronJob,
        Self::StatefulSet,
        Self::ReplicaSet,
        Self::DaemonSet,
        Self::Job,
    ];

    /// From a word as kubectl takes it.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "deployment" | "deployments" | "deploy" => Self::Deployment,
            "replicaset" | "replicasets" | "rs" => Self::ReplicaSet,
            "statefulset" | "statefulsets" | "sts" => Self::StatefulSet,
            "daemonset" | "daemonsets" | "ds" => Self::DaemonSet,
            "job" | "jobs" => Self::Job,
            "cronjob" | "cronjobs" | "cj" => Self::CronJob,
            _ => return None,
        })
    }

    /// From the name that the API server has for it: `Deployment`.
    pub fn of_api(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.api_name() == name)
    }

    /// The name that the API server has for it.
    pub fn api_name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// The word for it in targets, which kubectl takes as well.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::ReplicaSet => "replicaset",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::Job => "job",
            Self::CronJob => "cronjob",
        }
    }

    /// The name of what made the pod, if such a controller did.
    fn of(self, pod: &str) -> Option<&str> {
        match self {
            Self::Deployment => less_hash(less_suffix(pod)?),
            Self::ReplicaSet | Self::DaemonSet | Self::Job => less_suffix(pod),
            Self::CronJob => less_number(less_suffix(pod)?),
            Self::StatefulSet => less_number(pod),
        }
    }
}

impl Pods {
    /// What a pod can be named by: its owners as far as they are known, else the likeliest by its
    /// name; nothing of one that was named by hand.
    pub fn of_pod(pod: &str, owners: &[(WorkloadKind, String)]) -> Vec<Self> {
        if !owners.is_empty() {
            let of = |(kind, name): &(WorkloadKind, String)| Self::Of {
                kind: *kind,
                name: name.clone(),
            };
            return owners.iter().map(of).collect();
        }
        let of = |kind: WorkloadKind| Some(Self::Of { kind, name: kind.of(pod)?.to_owned() });
        WorkloadKind::ALL.into_iter().find_map(of).into_iter().collect()
    }

    /// Is a pod of this name one of them?
    pub fn hold(&self, pod: &str) -> bool {
        match self {
            Self::Beginning(start) => pod.starts_with(start.as_str()),
            Self::Of { kind: WorkloadKind::Job, name } => {
                let owner = less_suffix(pod);
                owner == Some(name) || owner.and_then(less_number) == Some(name)
            }
            Self::Of { kind, name } => kind.of(pod) == Some(name),
        }
    }
}

/// As it is typed behind the namespace: `deployment/web`, `web-*`.
impl fmt::Display for Pods {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of { kind, name } => write!(formatter, "{}/{name}", kind.word()),
            Self::Beginning(start) => write!(formatter, "{start}*"),
        }
    }
}

/// `NAMESPACE/KIND/NAME`, `NAMESPACE/BEGINNING*`, and a container of either.
pub(super) fn parse(text: &str) -> Option<(String, Pods, Option<String>)> {
    let mut parts = text.split('/');
    let (namespace, first) = (parts.next()?, parts.next()?);
    let (pods, fits) = match (WorkloadKind::parse(first), first.strip_suffix('*')) {
        (Some(kind), _) => {
            let name = parts.next()?.to_owned();
            let fits = is_pod_name(&name);
            (Pods::Of { kind, name }, fits)
        }
        (None, start) => {
            let start = start?;
            let fits = start.is_empty() || is_pod_name(start.trim_end_matches(['-', '.']));
            (Pods::Beginning(start.to_owned()), fits)
        }
    };
    let container = parts.next().map(str::to_owned);
    let fits = fits
        && is_label(namespace)
        && container.as_deref().is_none_or(is_label)
        && parts.next().is_none();
    fits.then(|| (namespace.to_owned(), pods, container))
}

/// A pod's name is a DNS subdomain of at most 253 characters.
pub(super) fn is_pod_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Labels in a pod's name may be longer than 63 characters; only the whole is limited.
pub(super) fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

pub(super) fn less_number(name: &str) -> Option<&str> {
    let (owner, number) = name.rsplit_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !owner.is_empty()).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(kind: &str, name: &str, pod: &str) -> bool {
        let kind = WorkloadKind::parse(kind).expect("a kind");
        Pods::Of { kind, name: name.to_owned() }.hold(pod)
    }

    #[test]
    fn a_pod_is_its_controllers() {
        assert!(holds("deployment", "web", "web-7696745d96-4xqh6"));
        assert!(holds("deploy", "shop-web", "shop-web-5d9c8b7f4-zz2xw"));
        assert!(holds("rs", "web-7696745d96", "web-7696745d96-4xqh6"));
        assert!(holds("sts", "web", "web-0"));
        assert!(holds("daemonset", "fluentd", "fluentd-9v5kc"));
        assert!(holds("job", "load", "load-x7k2p"));
        assert!(holds("job", "load", "load-3-x7k2p"), "indexed");
        assert!(holds("cronjob", "backup", "backup-28912340-x7k2p"));
    }

    #[test]
    fn a_pod_of_another_is_none() {
        assert!(!holds("deployment", "web", "web-api-7696745d96-4xqh6"));
        assert!(!holds("deployment", "web", "web-0"));
        assert!(!holds("deployment", "web", "web"));
        assert!(!holds("deployment", "web", "web-4xqh6"), "a DaemonSet's or a Job's");
        assert!(!holds("sts", "web", "web-api-0"));
        assert!(!holds("sts", "web", "web-4xqh6"));
        assert!(!holds("cronjob", "backup", "backup-x7k2p"));
        assert_eq!(WorkloadKind::parse("pod"), None);
        for word in ["deploy", "rs", "sts", "ds", "job", "cj"] {
            let kind = WorkloadKind::parse(word).expect("a kind");
            assert_eq!(WorkloadKind::parse(kind.word()), Some(kind));
        }
    }

    #[test]
    fn a_workload_is_typed_with_its_kind_or_as_a_beginning() {
        let of = |kind, name: &str| Pods::Of { kind, name: name.to_owned() };
        let shop = |pods, container: Option<&str>| {
            Some(("shop".to_owned(), pods, container.map(str::to_owned)))
        };
        let web = of(WorkloadKind::Deployment, "web");
        assert_eq!(parse("shop/deployment/web"), shop(web.clone(), None));
        assert_eq!(parse("shop/deploy/web/nginx"), shop(web, Some("nginx")));
        let begins = |start: &str| Pods::Beginning(start.to_owned());
        assert_eq!(parse("shop/web-*"), shop(begins("web-"), None));
        assert_eq!(parse("shop/web-*/nginx"), shop(begins("web-"), Some("nginx")));
        assert_eq!(parse("shop/*"), shop(begins(""), None));
        for other in [
            "shop/web-0",
            "shop/deployment",
            "Shop/deployment/web",
            "shop/deployment/Web",
            "shop/-*",
            "shop/deployment/web/nginx/x",
            "shop/w*b",
            "shop/web-*/nginx/x",
            "*",
            "shop",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_beginning_holds_what_begins_so() {
        let pods = Pods::Beginning("web-".to_owned());
        assert!(pods.hold("web-0") && pods.hold("web-api-x"));
        assert!(!pods.hold("web") && !pods.hold("aweb-0"));
        assert!(Pods::Beginning(String::new()).hold("anything"));
    }
}
