//! What is decided once somebody told, or nobody did in time.

use std::collections::BTreeMap;

use super::Selecting;
use crate::{
    session::unknown::{PATIENCE, Unknown},
    target::{
        cgroup::CgroupRoot,
        membership::Membership,
        pod::Pod,
        territory::containers_in,
        wanted::{Verdict, Wanted},
    },
    text::escape,
};

impl Selecting {
    /// The container's name is known, and not whether its pod is a target's.
    pub(super) fn lacks_facts(&self, id: &str) -> bool {
        let pod = self.inventory.container(id).and_then(|container| container.pod.as_ref());
        let is_open = |pod: &Pod| {
            let mut groups = self.wanted.iter().flat_map(Wanted::groups);
            groups.any(|group| self.inventory.members.membership(pod, group) == Membership::Unknown)
        };
        pod.is_some_and(is_open)
    }

    /// The cgroups of containers that nobody had told of before, those among them that were given up.
    pub(super) fn known_by_now(&mut self) -> Vec<(String, u64)> {
        let is_known = |id: &String, paths: &BTreeMap<String, u64>| {
            let all = paths.keys().flat_map(|path| containers_in(path));
            let mut its = all.filter(|(_, name)| name.id == *id);
            its.any(|(top, _)| self.knows(top, id))
        };
        // What is known of a pod may decide without its containers' names.
        let is_decided = |unknown: &Unknown| {
            unknown.doubt.undecided && !unknown.paths.keys().any(|path| self.is_in_doubt(path))
        };
        let is_found = |path: &String| {
            let known = self.known();
            self.wanted.iter().any(|one| matches!(one.judge(path, &known), Verdict::Target(_)))
        };
        let unknown = self
            .unknown
            .iter()
            .filter(|(id, unknown)| is_known(id, &unknown.paths) || is_decided(unknown));
        let foreign = self
            .foreign
            .iter()
            .filter(|(id, paths)| is_known(id, paths) || paths.keys().any(is_found));
        let known: Vec<String> =
            unknown.map(|(id, _)| id).chain(foreign.map(|(id, _)| id)).cloned().collect();
        let mut found = Vec::new();
        for id in known {
            found.extend(self.unknown.remove(&id).into_iter().flat_map(|unknown| unknown.paths));
            found.extend(self.foreign.remove(&id).into_iter().flatten());
        }
        found
    }

    /// Those that run, and that no runtime knows, are nobody's, unless one tells of them later: containerd tells of a pause
    /// container only when its network is there. Of pods that the API server did not tell of, others decide.
    pub(super) fn give_up(&mut self, root: &CgroupRoot) -> Vec<String> {
        for unknown in self.unknown.values_mut() {
            unknown.answers += 1;
        }
        let is_over = |unknown: &Unknown| unknown.since.elapsed() > PATIENCE;
        let lines = self.decide_without_api(is_over);
        let foreign: Vec<String> = self
            .unknown
            .iter()
            .filter(|(id, unknown)| is_over(unknown) && unknown.runs(root) && !self.lacks_facts(id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in foreign {
            let paths = self.unknown.remove(&id).map(|unknown| unknown.paths);
            self.foreign.insert(id, paths.unwrap_or_default());
        }
        lines
    }

    /// Lets names and labels decide of pods that the API server did not tell of.
    pub(in crate::session) fn decide_without_api(
        &mut self,
        is_over: impl Fn(&Unknown) -> bool,
    ) -> Vec<String> {
        let Self { inventory, unknown, .. } = self;
        let over = unknown.iter().filter(|(_, unknown)| is_over(unknown));
        let pods = over.filter_map(|(id, unknown)| {
            let by_path = || unknown.paths.keys().find_map(|path| inventory.pod_in(path));
            let container = inventory.container(id).and_then(|container| container.pod.as_ref());
            container.or_else(by_path).filter(|pod| inventory.members.awaits(pod))
        });
        let pods: Vec<Pod> = pods.cloned().collect();
        if pods.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for pod in &pods {
            inventory.members.give_up(&pod.uid);
            lines.push(format!(
                "warning: the API server did not tell of the pod {}: its name and labels decide",
                escape(&pod.path())
            ));
        }
        for (path, id) in self.known_by_now() {
            lines.extend(self.place(id, &path));
        }
        lines
    }
}
