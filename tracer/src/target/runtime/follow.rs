//! Asks the runtimes again and again, in the background, while a recording goes on.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::{Addresses, PATIENCE, ask, cri, docker};
use crate::target::cgroup::CgroupRoot;
use crate::target::cluster::{self, Heard};
use crate::target::inventory::{Container, Inventory, Told};
use crate::target::membership::{Group, WorkloadState};
use crate::target::names::Engine;
use crate::target::owner;
use crate::target::territory::Home;
use crate::text::escape;

/// Puts questions on behalf of a recording.
#[derive(Debug)]
pub struct Asker {
    everybody: mpsc::Sender<()>,
    /// Whose containers may be gone, and forgotten, by the time that everybody has answered.
    kubernetes: mpsc::Sender<()>,
}

/// Hears what comes of it.
#[derive(Debug)]
pub struct Listener(UnboundedReceiver<News>);

/// What is new.
#[derive(Debug)]
pub enum News {
    /// Everything, after a question.
    All(Inventory),
    /// What one of those who were asked told, before everybody has answered.
    Told(Told),
    /// A container that was made.
    Made(Container, Option<Home>),
    /// What the API server of Kubernetes told.
    Cluster(Heard),
    /// That engine tells nothing by itself, or no more.
    Silent(Engine),
}

/// Begins to listen to what Docker and Podman tell by themselves of containers that are made from now on, and to answer
/// questions. Within a tokio runtime.
pub fn follow(addresses: Addresses) -> (Asker, Listener) {
    // Questions that come while one is being answered are one question.
    let ((everybody, asked), (kubernetes, asked_soon)) = (mpsc::channel(1), mpsc::channel(1));
    let (sender, news) = unbounded_channel();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    for (socket, engine) in
        [(&addresses.docker, Engine::Docker), (&addresses.podman, Engine::Podman)]
    {
        let (socket, sender) = (socket.clone(), sender.clone());
        tokio::spawn(async move {
            let root = CgroupRoot::find(Path::new("/proc")).ok();
            let home = owner::home(root.as_ref(), &socket).await;
            let take = |container| sender.send(News::Made(container, home.clone())).is_ok();
            docker::follow(&socket, engine, now, take).await;
            // Nobody listens any more when the recording has ended.
            let _ = sender.send(News::Silent(engine));
        });
    }
    if let Some(question) = addresses.cluster.clone() {
        cluster::follow(question, &sender, News::Cluster);
    }
    tokio::spawn(answer_for_kubernetes(addresses.cri.clone(), asked_soon, sender.clone()));
    tokio::spawn(answer(addresses, asked, sender));
    (Asker { everybody, kubernetes }, Listener(news))
}

impl Asker {
    /// Asks for everything. An answer will come that began after this call.
    pub fn ask(&self) {
        // A question that waits already will be answered after now.
        let _ = self.kubernetes.try_send(());
        let _ = self.everybody.try_send(());
    }
}

impl Listener {
    /// The next news; never, when there will be none.
    pub async fn next(&mut self) -> News {
        match self.0.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

async fn answer(
    addresses: Addresses,
    mut asked: mpsc::Receiver<()>,
    sender: UnboundedSender<News>,
) {
    while asked.recv().await.is_some() {
        let inventory = ask(&addresses).await;
        if sender.send(News::All(inventory)).is_err() {
            return;
        }
    }
}

/// Asks the container runtimes of Kubernetes, on connections that stay open.
async fn answer_for_kubernetes(
    sockets: Vec<PathBuf>,
    mut asked: mpsc::Receiver<()>,
    sender: UnboundedSender<News>,
) {
    let mut connections: Vec<Option<cri::Connection>> = sockets.iter().map(|_| None).collect();
    while asked.recv().await.is_some() {
        for (socket, connection) in sockets.iter().zip(&mut connections) {
            let Some(told) = timeout(PATIENCE, told_by(socket, connection)).await.ok().flatten()
            else {
                // Whatever is wrong, the answer of everybody says so.
                *connection = None;
                continue;
            };
            if sender.send(News::Told(told)).is_err() {
                return;
            }
        }
    }
}

async fn told_by(socket: &Path, connection: &mut Option<cri::Connection>) -> Option<Told> {
    if connection.is_none() && socket.exists() {
        *connection = cri::Connection::open(socket).await.ok();
    }
    connection.as_mut()?.told().await.ok()
}

impl News {
    /// What a person should know of it.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::Cluster(Heard::Silent(why)) => Some(format!(
                "warning: {why}; until it answers again, names and labels decide which pods are meant"
            )),
            Self::Cluster(Heard::Again) => Some("the API server answers again".to_owned()),
            Self::Cluster(Heard::State(group, state)) => Some(changed(group, state)),
            _ => None,
        }
    }

    /// Takes it into an inventory; true when it answers a question.
    pub fn take_into(self, inventory: &mut Inventory) -> bool {
        match self {
            Self::All(all) => {
                inventory.merge(all);
                true
            }
            Self::Made(container, home) => {
                inventory.add(Told { containers: vec![container], home, ..Told::default() });
                false
            }
            Self::Told(told) => {
                inventory.add(told);
                false
            }
            Self::Cluster(heard) => {
                match heard {
                    Heard::Told(told) => inventory.add(told),
                    Heard::State(group, state) => inventory.members.states.push((group, state)),
                    Heard::Silent(_) => inventory.members.is_silent = true,
                    Heard::Again => inventory.members.is_silent = false,
                }
                false
            }
            Self::Silent(_) => false,
        }
    }
}

/// What became of a workload while it was recorded.
fn changed(group: &Group, state: &WorkloadState) -> String {
    let name = escape(&format!("{}/{}", group.namespace, group.pods));
    match state {
        WorkloadState::Present => format!("{name} is there again, and wants pods"),
        WorkloadState::Idle => {
            format!("warning: {name} was scaled to 0 or suspended: no more pods of it will come")
        }
        WorkloadState::Absent(others) => {
            let others: Vec<String> = others.iter().take(5).map(|other| escape(other)).collect();
            let others = if others.is_empty() {
                String::new()
            } else {
                format!("; there is {}", others.join(", "))
            };
            format!(
                "warning: {name} was deleted while it was recorded, or has another name now{others}"
            )
        }
    }
}
