//! Asks all container runtimes of this host at once.

use std::path::Path;
use std::time::Instant;

use futures_util::future::join_all;

use super::addresses::{Addresses, UserEngines};
use super::interface::{Endpoint, ListError, PATIENCE, Runtime};
use super::table::RUNTIMES;
use crate::target::inventory::Inventory;
use crate::target::report::{AskedRuntime, RuntimeReport, RuntimeResponse};
use crate::text::escape_path;

/// A runtime that was asked, and its report when it gave one.
type RuntimeAnswer = (AskedRuntime, Option<RuntimeReport>);

/// Asks all of them at once; those that stand in for others after these.
pub async fn ask(addresses: &Addresses) -> Inventory {
    let is_first = |runtime: &&&dyn Runtime| runtime.stands_in_for().is_none();
    let firsts = RUNTIMES.iter().filter(is_first).flat_map(|runtime| of_host(*runtime, addresses));
    let mut answers: Vec<RuntimeAnswer> = join_all(firsts).await;
    for runtime in RUNTIMES {
        let Some(replaced) = runtime.stands_in_for() else { continue };
        let has_answered =
            |(asked, report): &RuntimeAnswer| asked.name == replaced && report.is_some();
        if !answers.iter().any(has_answered) {
            answers.extend(join_all(of_host(runtime, addresses)).await);
        }
    }
    let mut inventory = Inventory::default();
    for (asked, report) in answers {
        inventory.asked.push(asked);
        inventory.add(report.unwrap_or_default());
    }
    for (user, answers) in join_all(addresses.users.iter().map(ask_user)).await {
        for (asked, report) in answers {
            // An engine that does not answer, or not as it should, counts as absent: no user makes
            // a recording incomplete.
            let Some(report) = report else { continue };
            inventory.asked.push(asked);
            inventory.add_of_user(user, report);
        }
    }
    inventory
}

/// The questions to one runtime of the host, at each of its addresses.
fn of_host<'a>(
    runtime: &'static dyn Runtime,
    addresses: &'a Addresses,
) -> impl Iterator<Item = impl Future<Output = RuntimeAnswer> + 'a> {
    let addresses = addresses.of(runtime.name()).iter();
    addresses.map(move |address| ask_one(runtime, address, None))
}

/// Asks the engines of one user, all at once: no user makes others wait.
async fn ask_user(engines: &UserEngines) -> (u32, Vec<RuntimeAnswer>) {
    let questions = engines.addresses.iter().filter_map(|(name, address)| {
        let runtime = RUNTIMES.iter().find(|runtime| runtime.name() == *name)?;
        Some(ask_one(*runtime, address, Some(engines.user)))
    });
    (engines.user, join_all(questions).await)
}

/// Asks one runtime, which may take as long as [`PATIENCE`].
async fn ask_one(
    runtime: &'static dyn Runtime,
    address: &Path,
    user: Option<u32>,
) -> RuntimeAnswer {
    let began = Instant::now();
    let list = runtime.list_containers(Endpoint { address, user });
    let (answer, report) = match tokio::time::timeout(PATIENCE, list).await {
        Ok(Ok(report)) => (RuntimeResponse::Containers(report.containers.len()), Some(report)),
        Ok(Err(ListError::Absent)) => (RuntimeResponse::Absent, None),
        Ok(Err(ListError::Failed(error))) => (RuntimeResponse::Failed(error), None),
        Err(_) => {
            (RuntimeResponse::Failed(format!("no answer within {} s", PATIENCE.as_secs())), None)
        }
    };
    let address = escape_path(address);
    (AskedRuntime { name: runtime.name(), user, address, answer, time: began.elapsed() }, report)
}
