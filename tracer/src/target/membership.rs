//! Decides which pods belong to a workload, by the best evidence for each: the owners and labels
//! that the API server reports, the labels that a runtime reports, or the pod's name. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::names::PodUid;
use super::pod::Pod;
use super::selector::{PodLabels, Selector};
use super::workload::{Pods, WorkloadKind};
use crate::recording::MembershipSource;

/// A group of pods that one target names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodGroup {
    /// The pods' namespace.
    pub namespace: String,
    /// Which pods, by what made them or by their names.
    pub pods: Pods,
    /// Which labels they have.
    pub selector: Selector,
}

/// What is known of a pod beyond its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// Its labels.
    pub labels: PodLabels,
    /// The object that made it, and the one that made that; only the API server reports them.
    pub owners: Vec<(WorkloadKind, String)>,
    /// The reporter: a runtime ([`MembershipSource::Labels`]) or the API server.
    pub source: MembershipSource,
}

/// What is known of pods beyond their names, and which reports are still to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    facts: BTreeMap<PodUid, PodFacts>,
    /// The namespaces whose pods the API server reports.
    asked: BTreeSet<String>,
    /// What it reported of workloads.
    pub states: Vec<(PodGroup, WorkloadState)>,
    /// It does not answer now.
    pub is_silent: bool,
    /// Pods that the API server did not report in time.
    overdue: BTreeSet<PodUid>,
}

/// Whether a workload is there, as the API server reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadState {
    /// It is.
    Present,
    /// It is, and wants no pods: it is scaled to 0 or suspended, or fits no node.
    Idle,
    /// There is none of that name; those of its kind that there are.
    Absent(Vec<String>),
}

/// Whether a pod is one of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodMembership {
    /// It is.
    Is(MembershipSource),
    /// It is not.
    IsNot,
    /// The report that decides it is missing.
    Unknown,
}

impl PodMembership {
    /// By a name that decides.
    pub fn by_name(is: bool) -> Self {
        if is { Self::Is(MembershipSource::Names) } else { Self::IsNot }
    }
}

impl Members {
    /// Adds what was reported of a pod. A report of a runtime does not replace one of the API
    /// server.
    pub fn add(&mut self, uid: PodUid, facts: PodFacts) {
        let known = self.facts.get(&uid);
        if facts.source == MembershipSource::Api
            || known.is_none_or(|known| known.source != MembershipSource::Api)
        {
            self.facts.insert(uid, facts);
        }
    }

    /// Adds what another one knows.
    pub fn merge(&mut self, other: Self) {
        for (uid, facts) in other.facts {
            self.add(uid, facts);
        }
    }

    /// The API server reports the pods of a namespace from now on.
    pub fn ask_of(&mut self, namespace: &str) {
        self.asked.insert(namespace.to_owned());
    }

    /// Whether the API server reports the pods of a namespace.
    pub fn is_asked(&self, namespace: &str) -> bool {
        self.asked.contains(namespace)
    }

    /// The API server did not report a pod in time: the other evidence decides.
    pub fn stop_awaiting(&mut self, pod: Pod) {
        self.overdue.extend(pod.uid);
    }

    /// What the API server reported last of the workload of a group.
    pub fn state(&self, group: &PodGroup) -> Option<&WorkloadState> {
        self.states.iter().rfind(|(known, _)| known == group).map(|(_, state)| state)
    }

    /// What is known of a pod.
    pub fn facts(&self, pod: &Pod) -> Option<&PodFacts> {
        self.facts.get(pod.uid.as_ref()?)
    }

    /// Whether the API server will still report the pod.
    pub fn awaits(&self, pod: &Pod) -> bool {
        let is_settled = |uid: &PodUid| {
            self.overdue.contains(uid)
                || self.facts.get(uid).is_some_and(|known| known.source == MembershipSource::Api)
        };
        // Reports are found by the UID alone.
        self.asked.contains(&pod.namespace)
            && !self.is_silent
            && pod.uid.as_ref().is_some_and(|uid| !is_settled(uid))
    }

    /// Whether a pod is one of a group, by the best that is known.
    pub fn membership(&self, pod: &Pod, group: &PodGroup) -> PodMembership {
        let PodGroup { namespace, pods, selector } = group;
        let is_by_name = matches!(pods, Pods::Beginning(_));
        // Where the name alone decides, no report is needed.
        if pod.namespace != *namespace || (is_by_name && !pods.hold(&pod.name)) {
            return PodMembership::IsNot;
        }
        if is_by_name && selector.is_empty() {
            return PodMembership::Is(MembershipSource::Names);
        }
        match self.facts(pod) {
            Some(facts) if facts.source == MembershipSource::Api => {
                let is_made_by = match pods {
                    Pods::Beginning(_) => true,
                    Pods::Of { kind, name } => facts.owners.contains(&(*kind, name.clone())),
                };
                is(is_made_by && selector.holds(&facts.labels), MembershipSource::Api)
            }
            _ if self.awaits(pod) => PodMembership::Unknown,
            _ if !pods.hold(&pod.name) => PodMembership::IsNot,
            _ if selector.is_empty() => PodMembership::Is(MembershipSource::Names),
            Some(facts) => is(selector.holds(&facts.labels), MembershipSource::Labels),
            None => PodMembership::Unknown,
        }
    }
}

fn is(is: bool, source: MembershipSource) -> PodMembership {
    if is { PodMembership::Is(source) } else { PodMembership::IsNot }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "123e4567-e89b-12d3-a456-426614174000";

    fn uid() -> PodUid {
        PodUid::parse(UID).expect("a UID")
    }

    fn pod(name: &str) -> Pod {
        Pod { namespace: "shop".into(), name: name.into(), uid: PodUid::parse(UID) }
    }

    fn group(pods: Pods, selector: &str) -> PodGroup {
        let selector = selector.parse().unwrap_or_default();
        PodGroup { namespace: "shop".into(), pods, selector }
    }

    fn deployment(name: &str) -> Pods {
        Pods::Of { kind: WorkloadKind::Deployment, name: name.into() }
    }

    fn facts(source: MembershipSource, owner: Option<(WorkloadKind, &str)>) -> PodFacts {
        let labels = [("app".to_owned(), "web".to_owned())].into();
        let owners = owner.into_iter().map(|(kind, name)| (kind, name.to_owned())).collect();
        PodFacts { labels, owners, source }
    }

    #[test]
    fn without_a_report_names_decide() {
        let members = Members::default();
        let membership =
            |name: &str, pods, selector| members.membership(&pod(name), &group(pods, selector));
        let by_name = PodMembership::Is(MembershipSource::Names);
        assert_eq!(membership("web-7696745d96-4xqh6", deployment("web"), ""), by_name);
        assert_eq!(membership("web-0", deployment("web"), ""), PodMembership::IsNot);
        assert_eq!(membership("web-0", Pods::Beginning("web".into()), ""), by_name);
        let labelled = membership("web-0", Pods::Beginning(String::new()), "app=web");
        assert_eq!(labelled, PodMembership::Unknown, "its labels are not known");
    }

    #[test]
    fn labels_of_a_runtime_decide_by_labels_alone() {
        let mut members = Members::default();
        members.add(uid(), facts(MembershipSource::Labels, None));
        let all = |selector| group(Pods::Beginning(String::new()), selector);
        let membership = |selector| members.membership(&pod("x"), &all(selector));
        assert_eq!(membership("app=web"), PodMembership::Is(MembershipSource::Labels));
        assert_eq!(membership("app=api"), PodMembership::IsNot);
        let of = members.membership(&pod("x"), &group(deployment("web"), "app=web"));
        assert_eq!(of, PodMembership::IsNot, "the name says another");
    }

    #[test]
    fn the_api_server_knows_what_names_do_not_tell() {
        let mut members = Members::default();
        members.ask_of("shop");
        let looks_so = pod("web-7696745d96-4xqh6");
        let web = group(deployment("web"), "");
        assert_eq!(
            members.membership(&looks_so, &web),
            PodMembership::Unknown,
            "it will report the pod"
        );
        members.add(uid(), facts(MembershipSource::Api, None));
        assert_eq!(members.membership(&looks_so, &web), PodMembership::IsNot, "a bare pod");
        members.add(uid(), facts(MembershipSource::Api, Some((WorkloadKind::Deployment, "web"))));
        let renamed = pod("a-name-that-was-cut");
        assert_eq!(members.membership(&renamed, &web), PodMembership::Is(MembershipSource::Api));
        members.add(uid(), facts(MembershipSource::Labels, None));
        assert_eq!(members.membership(&renamed, &web), PodMembership::Is(MembershipSource::Api));
        let labelled = group(deployment("web"), "app=api");
        assert_eq!(members.membership(&renamed, &labelled), PodMembership::IsNot);
    }

    #[test]
    fn a_pod_that_the_api_server_does_not_report_is_judged_by_name() {
        let (replica, web) = (pod("web-7696745d96-4xqh6"), group(deployment("web"), ""));
        let mut members = Members::default();
        members.ask_of("shop");
        members.is_silent = true;
        assert_eq!(members.membership(&replica, &web), PodMembership::Is(MembershipSource::Names));
        members.is_silent = false;
        members.stop_awaiting(replica.clone());
        assert_eq!(members.membership(&replica, &web), PodMembership::Is(MembershipSource::Names));
        let other = Pod { namespace: "test".into(), ..replica };
        assert_eq!(members.membership(&other, &web), PodMembership::IsNot);
    }
}
