//! Watches pods and workloads in the background while a recording goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::client::Client;
use super::error::ApiError;
use super::objects::{self, WatchEvent};
use super::owners::Owners;
use super::question::Question;
use super::{pods, workloads};
use crate::target::membership::{PodGroup, WorkloadState};
use crate::target::report::RuntimeReport;

/// How long tracer waits before it asks an API server again that failed.
const PAUSE: Duration = Duration::from_secs(2);

/// How long tracer waits before it asks an API server again that ended an answer: one that ends
/// each at once must not be kept busy.
const BREATH: Duration = Duration::from_millis(200);

/// Something new from the API server.
#[derive(Debug)]
pub enum ClusterUpdate {
    /// Pods that are new or changed.
    Pods(RuntimeReport),
    /// A workload is gone, wants no pods, or is there again.
    State(PodGroup, WorkloadState),
    /// The API server does not answer: why.
    Silent(String),
    /// It answers again.
    Again,
}

/// Begins to watch the pods of all namespaces that the targets name. Within a tokio runtime.
pub fn watch<T>(question: Question, sender: &UnboundedSender<T>, update: fn(ClusterUpdate) -> T)
where
    T: Send + 'static,
{
    let question = Arc::new(question);
    for namespace in question.namespaces() {
        let (question, sender) = (Arc::clone(&question), sender.clone());
        let namespace = namespace.to_owned();
        tokio::spawn(async move {
            let send = move |one| sender.send(update(one)).is_ok();
            watch_namespace(&question, &namespace, send).await;
        });
    }
}

async fn watch_namespace(
    question: &Question,
    namespace: &str,
    send: impl Fn(ClusterUpdate) -> bool,
) {
    let Ok(client) = Client::new(&question.access) else { return };
    let mut watched = Watched {
        question,
        namespace,
        client: &client,
        send,
        states: Vec::new(),
        is_silent: false,
    };
    loop {
        match watched.once().await {
            // Nobody listens any more.
            Ok(false) => return,
            Ok(true) | Err(ApiError::Gone) => tokio::time::sleep(BREATH).await,
            Err(error) => {
                if !watched.is_silent && !(watched.send)(ClusterUpdate::Silent(error.state())) {
                    return;
                }
                watched.is_silent = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A namespace whose pods are watched.
struct Watched<'a, F> {
    question: &'a Question,
    namespace: &'a str,
    client: &'a Client,
    /// Hands an update out; false when nobody listens any more.
    send: F,
    /// The last known states of its workloads.
    states: Vec<(PodGroup, WorkloadState)>,
    is_silent: bool,
}

impl<F: Fn(ClusterUpdate) -> bool> Watched<'_, F> {
    /// Lists all pods and watches what changes, until a new beginning is due. False when nobody
    /// listens any more.
    async fn once(&mut self) -> Result<bool, ApiError> {
        let Self { question, namespace, client, .. } = *self;
        let mut owners = Owners::new(question);
        let listed = pods::list(client, question, namespace, &mut owners).await?;
        let mut version = listed.version;
        if !(self.send)(ClusterUpdate::Pods(listed.report)) {
            return Ok(false);
        }
        if std::mem::take(&mut self.is_silent) && !(self.send)(ClusterUpdate::Again) {
            return Ok(false);
        }
        loop {
            self.look_at_workloads().await?;
            let mut lines = pods::watch(client, question, namespace, &version).await?;
            // The server ends it now and then, also in the middle of a line.
            while let Ok(Some(line)) = lines.next().await {
                let Ok(event) = objects::event(&line) else { break };
                let object = match event {
                    WatchEvent::Bookmark(newer) => {
                        version = newer;
                        continue;
                    }
                    WatchEvent::Failed => return Ok(true),
                    WatchEvent::Gone(object) => {
                        self.look_at_workloads().await?;
                        object
                    }
                    WatchEvent::Is(object) => object,
                };
                version.clone_from(&object.metadata.resource_version);
                let mut report = RuntimeReport::default();
                pods::add_to(client, &mut owners, &object.metadata, &mut report).await?;
                if !(self.send)(ClusterUpdate::Pods(report)) {
                    return Ok(false);
                }
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Hands out each workload that is gone, wants no pods any more, or is back.
    async fn look_at_workloads(&mut self) -> Result<(), ApiError> {
        let Self { question, namespace, client, .. } = *self;
        for (group, kind, name) in question.workloads() {
            if group.namespace != namespace {
                continue;
            }
            let state = workloads::state(client, namespace, kind, name).await?;
            let at = self.states.iter().position(|(known, _)| known == group);
            let was = at.map(|at| std::mem::replace(&mut self.states[at].1, state.clone()));
            let is_other =
                |was: &WorkloadState| std::mem::discriminant(was) != std::mem::discriminant(&state);
            match was {
                None => self.states.push((group.clone(), state)),
                Some(was) if is_other(&was) => {
                    (self.send)(ClusterUpdate::State(group.clone(), state));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
