//! Where tracer asks the container runtimes: as options say, else as the environment says, else in
//! the usual places.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use crate::{
    cli::Sockets,
    message::print_err,
    target::{
        report::RuntimeName,
        runtime::{Addresses, UserDirectories, UserEngines},
    },
    text::{escape, escape_path},
};

/// Most users whose engines are asked.
const MAX_USERS: usize = 64;

/// A socket that was named is not there.
#[derive(Debug, thiserror::Error)]
#[error("{who} at {}: not there\n\nhint: {option} names that socket; without it tracer asks in the usual places", escape_path(.socket))]
pub(super) struct NoSocketError {
    /// Who was to answer.
    who: &'static str,
    /// What named it.
    option: &'static str,
    /// Its path.
    socket: PathBuf,
}

/// Where the runtimes are asked.
///
/// # Errors
/// A socket that an option names is not there.
pub(super) fn addresses(typed: &Sockets) -> Result<Addresses, NoSocketError> {
    let mut addresses = Addresses::default();
    let mut ignored = Vec::new();
    if let Some(socket) =
        one("docker", "--docker-host", typed.docker_host.as_deref(), "DOCKER_HOST", &mut ignored)?
    {
        addresses.of_host.insert(RuntimeName::Docker, vec![socket]);
    }
    if let Some(socket) = one(
        "podman",
        "--podman-host",
        typed.podman_host.as_deref(),
        "CONTAINER_HOST",
        &mut ignored,
    )? {
        addresses.of_host.insert(RuntimeName::Podman, vec![socket]);
    }
    for socket in &typed.cri_endpoint {
        named("CRI", "--cri-endpoint", socket)?;
    }
    if !typed.cri_endpoint.is_empty() {
        addresses.of_host.insert(RuntimeName::Cri, typed.cri_endpoint.clone());
    } else if let Some(socket) = of_environment("CONTAINER_RUNTIME_ENDPOINT", &mut ignored) {
        addresses.of_host.insert(RuntimeName::Cri, vec![socket]);
    }
    addresses.ignored = ignored;
    addresses.users = users();
    Ok(addresses)
}

/// Warns of sockets that were named and cannot be asked.
pub(super) fn warn_of_ignored(addresses: &Addresses) {
    for ignored in &addresses.ignored {
        print_err(&format!("warning: not asked: {ignored}"));
    }
}

/// The users who are logged in, or whose managers run: each has a directory for sockets, and may
/// run engines without root (`file-hierarchy(7)`, `/run/user/`).
fn users() -> Vec<UserEngines> {
    let entries = fs::read_dir("/run/user").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|user| *user != 0).take(MAX_USERS).map(engines_of).collect()
}

fn engines_of(user: u32) -> UserEngines {
    let runtime = Path::new("/run/user").join(user.to_string());
    let known = nix::unistd::User::from_uid(Uid::from_raw(user)).ok().flatten();
    let home = known.as_ref().map(|known| known.dir.as_path());
    UserEngines::usual(user, UserDirectories { runtime: &runtime, home })
}

fn one(
    who: &'static str,
    option: &'static str,
    typed: Option<&Path>,
    variable: &str,
    ignored: &mut Vec<String>,
) -> Result<Option<PathBuf>, NoSocketError> {
    match typed {
        Some(socket) => named(who, option, socket).map(Some),
        None => Ok(of_environment(variable, ignored)),
    }
}

fn named(who: &'static str, option: &'static str, socket: &Path) -> Result<PathBuf, NoSocketError> {
    // A socket that tracer may not look at counts as there: asking it gives the reason.
    if socket.try_exists().unwrap_or(true) {
        Ok(socket.to_owned())
    } else {
        Err(NoSocketError { who, option, socket: socket.to_owned() })
    }
}

/// The socket that a variable names, as the programs of the runtimes read it.
fn of_environment(variable: &str, ignored: &mut Vec<String>) -> Option<PathBuf> {
    let text = env::var_os(variable).filter(|text| !text.is_empty())?;
    let text = text.to_string_lossy();
    match unix_socket(&text) {
        Some(socket) if socket.try_exists().unwrap_or(true) => return Some(socket),
        Some(socket) => ignored.push(format!("{variable}: {}: not there", escape_path(&socket))),
        None => ignored
            .push(format!("{variable}: {}: tracer asks only sockets of this host", escape(&text))),
    }
    None
}

fn unix_socket(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("unix://").unwrap_or(text);
    path.starts_with('/').then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_of_this_host_are_taken() {
        for (text, socket) in [
            ("unix:///run/x.sock", Some("/run/x.sock")),
            ("/run/x.sock", Some("/run/x.sock")),
            ("tcp://10.0.0.1:2375", None),
            ("ssh://user@host", None),
            ("unix://relative", None),
        ] {
            assert_eq!(unix_socket(text).as_deref(), socket.map(Path::new), "{text}");
        }
    }

    #[test]
    fn a_socket_that_was_named_and_is_not_there_is_an_error() {
        let typed = |docker: Option<&str>, cri: &[&str]| Sockets {
            docker_host: docker.map(PathBuf::from),
            podman_host: None,
            cri_endpoint: cri.iter().map(PathBuf::from).collect(),
        };
        for (docker, cri, part) in [
            (Some("/nowhere/docker.sock"), &[][..], "--docker-host names"),
            (None, &["/nowhere/cri.sock"], "CRI at /nowhere/cri.sock: not there"),
        ] {
            let error = addresses(&typed(docker, cri)).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(addresses(&typed(None, &[])).is_ok(), "the usual places need not be there");
    }
}
