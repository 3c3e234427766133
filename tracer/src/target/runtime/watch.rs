//! Keeps what the runtimes report up to date while a recording goes on.
//!
//! The runtimes are asked on a thread of their own. A runtime forgets a container that is removed
//! right after its end, and the session may be busy at that moment.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::addresses::Addresses;
use super::ask::ask;
use super::interface::{OpenConnection, Runtime};
use super::table::RUNTIMES;
use crate::target::cluster::{self, ClusterUpdate};
use crate::target::inventory::Inventory;
use crate::target::membership::{PodGroup, WorkloadState};
use crate::target::report::{Container, RuntimeName, RuntimeReport};
use crate::target::territory::Home;
use crate::text::escape;

/// Most other workloads of a namespace that a line names.
const OTHERS_SHOWN: usize = 5;

/// Polls the runtimes on behalf of a recording, from any thread.
#[derive(Clone, Debug)]
pub struct Poller {
    all: mpsc::Sender<()>,
    /// The runtimes whose answer must not wait for those of others.
    connected: Vec<mpsc::Sender<()>>,
}

/// Receives what the runtimes report.
#[derive(Debug)]
pub struct Updates {
    reported: UnboundedReceiver<RuntimeUpdate>,
    /// Holds one answer: all runtimes are asked again when their last answer was read, so that no
    /// answer is old when it is read.
    answers: mpsc::Receiver<RuntimeUpdate>,
    /// Ends the thread when it is dropped.
    _running: oneshot::Sender<()>,
}

/// Something new from the runtimes or the API server.
#[derive(Debug)]
pub enum RuntimeUpdate {
    /// The answers of all runtimes to a poll, and when that began.
    All(Inventory, Instant),
    /// What is new in the answer of one runtime to a poll, before all have answered.
    Report(RuntimeReport),
    /// A container that a runtime created.
    Created(Container, Option<Home>),
    /// From the API server of Kubernetes.
    Cluster(ClusterUpdate),
    /// That runtime does not report what it creates, or stopped doing so.
    EventsEnded(RuntimeName),
}

/// Begins to watch what the runtimes create from now on, and to answer polls.
///
/// # Errors
/// The thread, or its event loop, could not be made.
pub fn watch(addresses: Addresses) -> io::Result<(Poller, Updates)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Polls that come while one is being answered are one poll.
    let (all, polls) = mpsc::channel(1);
    let (sender, reported) = unbounded_channel();
    let (answer, answers) = mpsc::channel(1);
    let (running, ended) = oneshot::channel();
    let (connected, to_poll): (Vec<_>, Vec<_>) = connections(&addresses)
        .into_iter()
        .map(|runtime| {
            let (one, polls) = mpsc::channel(1);
            (one, (runtime, polls))
        })
        .unzip();
    thread::Builder::new().name("runtimes".to_owned()).spawn(move || {
        runtime.block_on(async move {
            watch_creations(&addresses, &sender);
            if let Some(question) = addresses.cluster.clone() {
                cluster::watch(question, &sender, RuntimeUpdate::Cluster);
            }
            for (runtime, polls) in to_poll {
                tokio::spawn(poll_connected(runtime, polls, sender.clone()));
            }
            tokio::spawn(poll_all(addresses, polls, answer));
            // An error: the recording has ended.
            let _ = ended.await;
        });
    })?;
    Ok((Poller { all, connected }, Updates { reported, answers, _running: running }))
}

impl Poller {
    /// Asks for everything. An answer will come that began after this call.
    pub fn poll(&self) {
        // A poll that waits already will be answered after now.
        for one in self.connected.iter().chain([&self.all]) {
            let _ = one.try_send(());
        }
    }
}

impl Updates {
    /// The next update; never, when there will be none.
    pub async fn next(&mut self) -> RuntimeUpdate {
        tokio::select! {
            biased;
            Some(update) = self.reported.recv() => update,
            Some(answer) = self.answers.recv() => answer,
            else => std::future::pending().await,
        }
    }
}

/// Watches the runtimes that report by themselves what they create.
fn watch_creations(addresses: &Addresses, sender: &UnboundedSender<RuntimeUpdate>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    for runtime in RUNTIMES {
        let mut is_watched = false;
        for address in addresses.of(runtime.name()) {
            let created = {
                let sender = sender.clone();
                move |container, home| sender.send(RuntimeUpdate::Created(container, home)).is_ok()
            };
            let events = runtime.watch(address.clone(), now, Box::new(created));
            let Some(events) = events else { continue };
            is_watched = true;
            let sender = sender.clone();
            tokio::spawn(async move {
                events.await;
                // Nobody listens any more when the recording has ended.
                let _ = sender.send(RuntimeUpdate::EventsEnded(runtime.name()));
            });
        }
        if !is_watched {
            let _ = sender.send(RuntimeUpdate::EventsEnded(runtime.name()));
        }
    }
}

async fn poll_all(
    addresses: Addresses,
    mut polls: mpsc::Receiver<()>,
    sender: mpsc::Sender<RuntimeUpdate>,
) {
    while polls.recv().await.is_some() {
        let began = Instant::now();
        let inventory = ask(&addresses).await;
        if sender.send(RuntimeUpdate::All(inventory, began)).await.is_err() {
            return;
        }
    }
}

/// How long a runtime may take to answer a poll while others are asked as well: on a busy node it
/// takes seconds, and nobody waits for it.
const PATIENCE_OF_POLLS: Duration = Duration::from_secs(10);

/// A runtime that is polled on a connection that stays open.
struct Connected {
    runtime: &'static dyn Runtime,
    address: PathBuf,
    connection: Option<OpenConnection>,
}

fn connections(addresses: &Addresses) -> Vec<Connected> {
    let of = |runtime: &&'static dyn Runtime| {
        let runtime = *runtime;
        let addresses = addresses.of(runtime.name()).iter().cloned();
        addresses.map(move |address| Connected { runtime, address, connection: None })
    };
    RUNTIMES.iter().flat_map(of).collect()
}

async fn poll_connected(
    mut runtime: Connected,
    mut polls: mpsc::Receiver<()>,
    sender: UnboundedSender<RuntimeUpdate>,
) {
    let mut known = RuntimeReport::default();
    // The first answer must not wait for a connection: a container may be removed by then.
    runtime.open().await;
    while polls.recv().await.is_some() {
        let Some(report) = timeout(PATIENCE_OF_POLLS, runtime.report()).await.ok().flatten() else {
            // Whatever is wrong, the answer to the poll of all says so.
            runtime.connection = None;
            continue;
        };
        // A session that is busy finds what it missed, and nothing twice.
        let new = report.beyond(&known);
        known = report;
        if !new.is_empty() && sender.send(RuntimeUpdate::Report(new)).is_err() {
            return;
        }
    }
}

impl Connected {
    /// Opens the connection, when there is none and the runtime can be polled on one.
    async fn open(&mut self) {
        if self.connection.is_none()
            && let Some(connection) = self.runtime.connect(&self.address)
        {
            self.connection = timeout(PATIENCE_OF_POLLS, connection).await.ok().flatten();
        }
    }

    async fn report(&mut self) -> Option<RuntimeReport> {
        self.open().await;
        self.connection.as_mut()?.list_containers().await.ok()
    }
}

impl RuntimeUpdate {
    /// What a person should know of it.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::Cluster(ClusterUpdate::Silent(why)) => Some(format!(
                "warning: {why}; until it answers again, names and labels decide which pods belong to the target"
            )),
            Self::Cluster(ClusterUpdate::Again) => Some("the API server answers again".to_owned()),
            Self::Cluster(ClusterUpdate::State(group, state)) => Some(changed(group, state)),
            _ => None,
        }
    }

    /// Adds it to an inventory. Returns when the poll of all runtimes began that it answers.
    pub fn add_to(self, inventory: &mut Inventory) -> Option<Instant> {
        match self {
            Self::All(all, began) => {
                inventory.merge(all);
                return Some(began);
            }
            Self::Created(container, home) => {
                let containers = vec![container];
                inventory.add(RuntimeReport { containers, home, ..RuntimeReport::default() });
            }
            Self::Report(report) | Self::Cluster(ClusterUpdate::Pods(report)) => {
                inventory.add(report);
            }
            Self::Cluster(ClusterUpdate::State(group, state)) => {
                inventory.members.states.push((group, state));
            }
            Self::Cluster(ClusterUpdate::Silent(_)) => inventory.members.is_silent = true,
            Self::Cluster(ClusterUpdate::Again) => inventory.members.is_silent = false,
            Self::EventsEnded(_) => {}
        }
        None
    }
}

/// How a workload changed while it was recorded.
fn changed(group: &PodGroup, state: &WorkloadState) -> String {
    let name = escape(&format!("{}/{}", group.namespace, group.pods));
    match state {
        WorkloadState::Present => format!("{name} exists again, and wants pods"),
        WorkloadState::Idle => {
            format!("warning: {name} was scaled to 0 or suspended: it starts no more pods")
        }
        WorkloadState::Absent(others) => {
            let others: Vec<_> =
                others.iter().take(OTHERS_SHOWN).map(|other| escape(other)).collect();
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
