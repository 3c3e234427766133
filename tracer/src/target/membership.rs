//! Which pods are a workload's, by the best that is known of each: what the API server told, the labels that a runtime told, or
//! its name. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::names::PodUid;
use super::pod::Pod;
use super::selector::{Labels, Selector};
use super::workload::{Pods, WorkloadKind};
use crate::recording::ToldBy;

/// The pods that are meant together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
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
    pub labels: Labels,
    /// What made it, and what made that; only the API server tells.
    pub owners: Vec<(WorkloadKind, String)>,
    /// Who told: a runtime ([`ToldBy::Labels`]) or the API server.
    pub told_by: ToldBy,
}

/// What is known of pods beyond their names, and what will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// By the digits of the pods' UIDs.
    facts: BTreeMap<String, PodFacts>,
    /// The namespaces of which the API server tells.
    asked: BTreeSet<String>,
    /// What it told of workloads.
    pub states: Vec<(Group, WorkloadState)>,
    /// It does not answer now.
    pub is_silent: bool,
    /// UIDs of pods of which the API server did not tell in time.
    untold: BTreeSet<String>,
}

/// Whether a workload is there, as the API server told.
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
pub enum Membership {
    /// It is.
    Is(ToldBy),
    /// It is not.
    IsNot,
    /// Nobody told what decides it.
    Unknown,
}

impl Membership {
    /// By a name that decides.
    pub fn by_name(is: bool) -> Self {
        if is { Self::Is(ToldBy::Names) } else { Self::IsNot }
    }
}

impl Members {
    /// Takes in what somebody told of a pod. What the API server told is not replaced by what a runtime tells.
    pub fn add(&mut self, uid: &str, facts: PodFacts) {
        let Some(uid) = PodUid::parse(uid) else { return };
        let known = self.facts.get(uid.digits());
        if facts.told_by == ToldBy::Api || known.is_none_or(|known| known.told_by != ToldBy::Api) {
            self.facts.insert(uid.digits().to_owned(), facts);
        }
    }

    /// Takes in what another one knows.
    pub fn merge(&mut self, other: Self) {
        for (uid, facts) in other.facts {
            self.add(&uid, facts);
        }
    }

    /// The API server tells of the pods of a namespace from now on.
    pub fn ask_of(&mut self, namespace: &str) {
        self.asked.insert(namespace.to_owned());
    }

    /// The API server tells of the pods of a namespace.
    pub fn is_asked(&self, namespace: &str) -> bool {
        self.asked.contains(namespace)
    }

    /// The API server did not tell of a pod in time: others decide.
    pub fn give_up(&mut self, uid: &str) {
        self.untold.extend(PodUid::parse(uid).map(|uid| uid.digits().to_owned()));
    }

    /// What the API server told of the workload of a group last.
    pub fn state(&self, group: &Group) -> Option<&WorkloadState> {
        self.states.iter().rfind(|(known, _)| known == group).map(|(_, state)| state)
    }

    /// What is known of a pod.
    pub fn facts(&self, uid: &str) -> Option<&PodFacts> {
        self.facts.get(PodUid::parse(uid)?.digits())
    }

    /// The API server will tell of the pod.
    pub fn awaits(&self, pod: &Pod) -> bool {
        let is_told = |uid: PodUid| {
            self.untold.contains(uid.digits())
                || self.facts.get(uid.digits()).is_some_and(|known| known.told_by == ToldBy::Api)
        };
        // One whose UID nobody told is found by no UID.
        self.asked.contains(&pod.namespace)
            && !self.is_silent
            && PodUid::parse(&pod.uid).is_some_and(|uid| !is_told(uid))
    }

    /// Whether a pod is one of a group, by the best that is known.
    pub fn membership(&self, pod: &Pod, group: &Group) -> Membership {
        let Group { namespace, pods, selector } = group;
        let is_by_name = matches!(pods, Pods::Beginning(_));
        // What decides by the name alone needs nobody.
        if pod.namespace != *namespace || (is_by_name && !pods.hold(&pod.name)) {
            return Membership::IsNot;
        }
        if is_by_name && selector.is_empty() {
            return Membership::Is(ToldBy::Names);
        }
        match self.facts(&pod.uid) {
            Some(facts) if facts.told_by == ToldBy::Api => {
                let is_made_by = match pods {
                    Pods::Beginning(_) => true,
                    Pods::Of { kind, name } => facts.owners.contains(&(*kind, name.clone())),
                };
                is(is_made_by && selector.holds(&facts.labels), ToldBy::Api)
            }
            _ if self.awaits(pod) => Membership::Unknown,
            _ if !pods.hold(&pod.name) => Membership::IsNot,
            _ if selector.is_empty() => Membership::Is(ToldBy::Names),
            Some(facts) => is(selector.holds(&facts.labels), ToldBy::Labels),
            None => Membership::Unknown,
        }
    }
}

fn is(is: bool, told_by: ToldBy) -> Membership {
    if is { Membership::Is(told_by) } else { Membership::IsNot }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "123e4567-e89b-12d3-a456-426614174000";

    fn pod(name: &str) -> Pod {
        Pod { namespace: "shop".into(), name: name.into(), uid: UID.into() }
    }

    fn group(pods: Pods, selector: &str) -> Group {
        let selector = selector.parse().unwrap_or_default();
        Group { namespace: "shop".into(), pods, selector }
    }

    fn deployment(name: &str) -> Pods {
        Pods::Of { kind: WorkloadKind::Deployment, name: name.into() }
    }

    fn facts(told_by: ToldBy, owner: Option<(WorkloadKind, &str)>) -> PodFacts {
        let labels = [("app".to_owned(), "web".to_owned())].into();
        let owners = owner.into_iter().map(|(kind, name)| (kind, name.to_owned())).collect();
        PodFacts { labels, owners, told_by }
    }

    #[test]
    fn without_anybody_names_decide() {
        let members = Members::default();
        let judged =
            |name: &str, pods, selector| members.membership(&pod(name), &group(pods, selector));
        let by_name = Membership::Is(ToldBy::Names);
        assert_eq!(judged("web-7696745d96-4xqh6", deployment("web"), ""), by_name);
        assert_eq!(judged("web-0", deployment("web"), ""), Membership::IsNot);
        assert_eq!(judged("web-0", Pods::Beginning("web".into()), ""), by_name);
        let labelled = judged("web-0", Pods::Beginning(String::new()), "app=web");
        assert_eq!(labelled, Membership::Unknown, "nobody told its labels");
    }

    #[test]
    fn labels_of_a_runtime_decide_by_labels_alone() {
        let mut members = Members::default();
        members.add(UID, facts(ToldBy::Labels, None));
        let all = |selector| group(Pods::Beginning(String::new()), selector);
        let judged = |selector| members.membership(&pod("x"), &all(selector));
        assert_eq!(judged("app=web"), Membership::Is(ToldBy::Labels));
        assert_eq!(judged("app=api"), Membership::IsNot);
        let of = members.membership(&pod("x"), &group(deployment("web"), "app=web"));
        assert_eq!(of, Membership::IsNot, "the name says another");
    }

    #[test]
    fn the_api_server_knows_what_names_do_not_tell() {
        let mut members = Members::default();
        members.ask_of("shop");
        let looks_so = pod("web-7696745d96-4xqh6");
        let web = group(deployment("web"), "");
        assert_eq!(members.membership(&looks_so, &web), Membership::Unknown, "it will tell");
        members.add(UID, facts(ToldBy::Api, None));
        assert_eq!(members.membership(&looks_so, &web), Membership::IsNot, "a bare pod");
        members.add(UID, facts(ToldBy::Api, Some((WorkloadKind::Deployment, "web"))));
        let renamed = pod("a-name-that-was-cut");
        assert_eq!(members.membership(&renamed, &web), Membership::Is(ToldBy::Api));
        members.add(UID, facts(ToldBy::Labels, None));
        assert_eq!(members.membership(&renamed, &web), Membership::Is(ToldBy::Api));
        let labelled = group(deployment("web"), "app=api");
        assert_eq!(members.membership(&renamed, &labelled), Membership::IsNot);
    }

    #[test]
    fn who_is_not_told_of_is_judged_by_name() {
        let (replica, web) = (pod("web-7696745d96-4xqh6"), group(deployment("web"), ""));
        let mut members = Members::default();
        members.ask_of("shop");
        members.is_silent = true;
        assert_eq!(members.membership(&replica, &web), Membership::Is(ToldBy::Names));
        members.is_silent = false;
        members.give_up(UID);
        assert_eq!(members.membership(&replica, &web), Membership::Is(ToldBy::Names));
        let other = Pod { namespace: "test".into(), ..replica };
        assert_eq!(members.membership(&other, &web), Membership::IsNot);
    }
}
