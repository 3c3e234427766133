//! Hears of pods as they come, in the background, while a recording goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::client::Client;
use super::error::ApiError;
use super::objects::{self, Event};
use super::owners::Owners;
use super::question::Question;
use super::{pods, workloads};
use crate::target::inventory::Told;
use crate::target::membership::{Group, WorkloadState};

/// How long it waits before it asks again an API server that failed.
const PAUSE: Duration = Duration::from_secs(2);

/// How long it waits before it asks again one that ended an answer: who ends each at once must not be kept busy.
const BREATH: Duration = Duration::from_millis(200);

/// What is heard.
#[derive(Debug)]
pub enum Heard {
    /// Of pods.
    Told(Told),
    /// A workload is gone, wants no pods, or is there again.
    State(Group, WorkloadState),
    /// The API server tells nothing: why.
    Silent(String),
    /// It tells again.
    Again,
}

/// Begins to hear of the pods of all namespaces that are asked for. Within a tokio runtime.
pub fn follow<T>(question: Question, sender: &UnboundedSender<T>, news: fn(Heard) -> T)
where
    T: Send + 'static,
{
    let question = Arc::new(question);
    for namespace in question.namespaces() {
        let (question, sender) = (Arc::clone(&question), sender.clone());
        let namespace = namespace.to_owned();
        tokio::spawn(async move {
            let take = move |heard| sender.send(news(heard)).is_ok();
            follow_namespace(&question, &namespace, take).await;
        });
    }
}

async fn follow_namespace(question: &Question, namespace: &str, take: impl Fn(Heard) -> bool) {
    let Ok(client) = Client::new(&question.access) else { return };
    let mut followed = Followed {
        question,
        namespace,
        client: &client,
        take,
        states: Vec::new(),
        is_silent: false,
    };
    loop {
        match followed.once().await {
            // Nobody listens any more.
            Ok(false) => return,
            Ok(true) | Err(ApiError::Gone) => tokio::time::sleep(BREATH).await,
            Err(error) => {
                if !followed.is_silent && !(followed.take)(Heard::Silent(error.state())) {
                    return;
                }
                followed.is_silent = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A namespace whose pods are heard of.
struct Followed<'a, F> {
    question: &'a Question,
    namespace: &'a str,
    client: &'a Client,
    take: F,
    /// What was told of its workloads.
    states: Vec<(Group, WorkloadState)>,
    is_silent: bool,
}

impl<F: Fn(Heard) -> bool> Followed<'_, F> {
    /// Lists all pods and hears of what changes, until a new beginning is due. False when nobody listens any more.
    async fn once(&mut self) -> Result<bool, ApiError> {
        let Self { question, namespace, client, .. } = *self;
        let mut owners = Owners::new(question);
        let listed = pods::list(client, question, namespace, &mut owners).await?;
        let mut version = listed.version;
        if !(self.take)(Heard::Told(listed.told)) {
            return Ok(false);
        }
        if std::mem::take(&mut self.is_silent) && !(self.take)(Heard::Again) {
            return Ok(false);
        }
        loop {
            self.look_at_workloads().await?;
            let mut lines = pods::watch(client, question, namespace, &version).await?;
            // The server ends it now and then, also in the middle of a line.
            while let Ok(Some(line)) = lines.next().await {
                let Ok(event) = objects::event(&line) else { break };
                let object = match event {
                    Event::Bookmark(newer) => {
                        version = newer;
                        continue;
                    }
                    Event::Failed => return Ok(true),
                    Event::Gone(object) => {
                        self.look_at_workloads().await?;
                        object
                    }
                    Event::Is(object) => object,
                };
                version.clone_from(&object.metadata.resource_version);
                let mut told = Told::default();
                pods::take(client, &mut owners, &object.metadata, &mut told).await?;
                if !(self.take)(Heard::Told(told)) {
                    return Ok(false);
                }
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Tells of workloads that are gone or want no pods any more.
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
                    (self.take)(Heard::State(group.clone(), state));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
