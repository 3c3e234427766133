//! Finds the objects that made a pod, by its owner references, up to the Deployment or the
//! `CronJob`.

use std::collections::BTreeMap;

use super::client::Client;
use super::error::ApiError;
use super::objects::{self, Metadata};
use super::question::Question;
use super::request::{Request, Resource};
use crate::recording::generated_names::less_hash;
use crate::target::workload::{WorkloadKind, less_number};

/// Most owners that are remembered.
const MAX_KNOWN: usize = 1 << 12;
/// The label that a Deployment puts on the pods of each of its `ReplicaSets`, which are named after
/// it (`pkg/controller/deployment`, `getNewReplicaSet`).
const TEMPLATE_HASH: &str = "pod-template-hash";

/// An owner: its kind and its name.
type Owner = (WorkloadKind, String);

/// The owners of owners, as far as they were looked up.
pub(super) struct Owners<'a> {
    question: &'a Question,
    /// By namespace, kind and name.
    known: BTreeMap<(String, Owner), Option<Owner>>,
}

impl<'a> Owners<'a> {
    pub(super) fn new(question: &'a Question) -> Self {
        Self { question, known: BTreeMap::new() }
    }

    /// Makes sure that what will be looked up may be.
    pub(super) async fn check(&self, client: &Client, namespace: &str) -> Result<(), ApiError> {
        for (above, below) in BETWEEN {
            if self.question.needs(namespace, above) {
                let request = Request::list(Resource::of(below)[0], namespace);
                client.ask(&request.with("limit", "1")).await?;
            }
        }
        Ok(())
    }

    /// What made a pod, and what made that.
    pub(super) async fn of(
        &mut self,
        client: &Client,
        pod: &Metadata,
    ) -> Result<Vec<Owner>, ApiError> {
        let Some(owner) = controller(pod) else { return Ok(Vec::new()) };
        let between = BETWEEN.iter().find(|(_, below)| *below == owner.0);
        let above = match between {
            Some((above, _)) if self.question.needs(&pod.namespace, *above) => {
                self.look_up(client, &pod.namespace, &owner).await?
            }
            Some((above, _)) => by_name(&owner, pod).map(|name| (*above, name.to_owned())),
            None => None,
        };
        Ok(std::iter::once(owner).chain(above).collect())
    }

    async fn look_up(
        &mut self,
        client: &Client,
        namespace: &str,
        owner: &Owner,
    ) -> Result<Option<Owner>, ApiError> {
        let key = (namespace.to_owned(), owner.clone());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let request = Request::list(Resource::of(owner.0)[0], namespace)
            .with("fieldSelector", format!("metadata.name={}", owner.1));
        let bytes = client.ask(&request).await?;
        let list = objects::list(&bytes).map_err(|why| client.answered(&request, &why))?;
        // One that is gone already does not come again under this name.
        let found = list.items.into_iter().flatten().next();
        let above = found.as_ref().and_then(|found| controller(&found.metadata));
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(key, above.clone());
        Ok(above)
    }
}

/// What stands between a pod and what made it: above, and right above the pod.
const BETWEEN: [(WorkloadKind, WorkloadKind); 2] = [
    (WorkloadKind::Deployment, WorkloadKind::ReplicaSet),
    (WorkloadKind::CronJob, WorkloadKind::Job),
];

fn controller(of: &Metadata) -> Option<Owner> {
    let owner = of.controller()?;
    Some((WorkloadKind::of_api(&owner.kind)?, owner.name.clone()))
}

/// The name of what made an owner, by the rules of names: good enough to call a profile after it.
fn by_name<'a>(owner: &'a Owner, pod: &Metadata) -> Option<&'a str> {
    match owner.0 {
        WorkloadKind::ReplicaSet => {
            let hash = pod.labels.as_ref()?.get(TEMPLATE_HASH)?;
            let name = owner.1.strip_suffix(hash.as_str())?.strip_suffix('-')?;
            less_hash(&owner.1).filter(|by_rule| *by_rule == name)
        }
        WorkloadKind::Job => less_number(&owner.1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::cluster::objects::OwnerReference;

    #[test]
    fn a_deployment_is_known_by_the_label_of_its_template() {
        let owner = |kind: &str, name: &str| OwnerReference {
            kind: kind.to_owned(),
            name: name.to_owned(),
            controller: Some(true),
        };
        let pod = |kind: &str, name: &str, hash: &str| Metadata {
            labels: Some([(TEMPLATE_HASH.to_owned(), hash.to_owned())].into()),
            owner_references: Some(vec![owner(kind, name)]),
            ..Metadata::default()
        };
        let name_of = |pod: &Metadata| {
            let owner = controller(pod).expect("an owner");
            by_name(&owner, pod).map(str::to_owned)
        };
        assert_eq!(
            name_of(&pod("ReplicaSet", "a-b-7696745d96", "7696745d96")).as_deref(),
            Some("a-b")
        );
        assert_eq!(name_of(&pod("ReplicaSet", "a-b-7696745d96", "")), None);
        assert_eq!(name_of(&pod("ReplicaSet", "a-b", "b")), None);
        assert_eq!(name_of(&pod("Job", "backup-28912340", "")).as_deref(), Some("backup"));
        assert_eq!(name_of(&pod("Job", "load", "")), None);
        assert!(controller(&pod("Node", "n", "")).is_none(), "a mirror of a static pod");
    }
}
