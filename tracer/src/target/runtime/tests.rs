//! Tests of the conversations with runtimes, on sockets of their own.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use super::interface::{Endpoint, ListError, PATIENCE, Runtime as _};
use super::{Addresses, UserEngines, ask, docker_api};
use crate::target::inventory::Inventory;
use crate::target::names::PodUid;
use crate::target::pod::Pod;
use crate::target::report::{AskedRuntime, ContainerState, RuntimeName, RuntimeResponse};
use crate::target::territory::Territory;

/// A socket whose every connection gets the bytes for each request that it sends; none: it is never
/// answered.
fn serve(socket: &Path, answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) {
    let listener = UnixListener::bind(socket).expect("a socket");
    // Ends with the test's process.
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            let mut request = [0; 4096];
            while let Ok(length @ 1..) = connection.read(&mut request) {
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                match answer(&request) {
                    Some(answer) if connection.write_all(&answer).is_ok() => {}
                    Some(_) => break,
                    None => thread::park(),
                }
            }
        }
    });
}

fn ok(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The host's runtimes below a directory.
fn addresses(directory: &Path) -> Addresses {
    let of_host = [
        (RuntimeName::Docker, "docker.sock"),
        (RuntimeName::Podman, "podman.sock"),
        (RuntimeName::PodmanStorage, "storage"),
        (RuntimeName::Cri, "cri.sock"),
        (RuntimeName::KubeletLogs, "logs"),
    ];
    let of_host = of_host.map(|(name, below)| (name, vec![directory.join(below)]));
    Addresses { of_host: of_host.into(), ..Addresses::default() }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

fn ask_at(directory: &Path) -> Inventory {
    block_on(ask(&addresses(directory)))
}

fn answer_of(inventory: &Inventory, name: RuntimeName) -> &RuntimeResponse {
    let asked = inventory.asked.iter().find(|asked| asked.name == name);
    let asked = asked.unwrap_or_else(|| panic!("{name} was asked: {inventory:?}"));
    assert!(asked.time < PATIENCE * 2, "bounded: {asked:?}");
    &asked.answer
}

#[test]
fn an_old_docker_is_understood_and_only_ids_are_taken() {
    let directory = tempfile::tempdir().expect("a directory");
    let id = "0123456789abcdef".repeat(4);
    let list = format!(
        r#"[{{"Id":"{id}","Names":["/web"],"Image":"nginx","State":"created"}},{{"Id":"../../x","Names":["/evil"]}}]"#
    );
    serve(&directory.path().join("docker.sock"), move |request| {
        let line = request.lines().next().unwrap_or_default();
        if line.contains("/version") {
            return Some(ok(r#"{"ApiVersion":"1.24","MinAPIVersion":"1.12"}"#));
        }
        assert!(line.starts_with("GET /") && line.contains("/containers/json?"), "{line}");
        Some(ok(&list))
    });
    let inventory = ask_at(directory.path());
    assert_eq!(answer_of(&inventory, RuntimeName::Docker), &RuntimeResponse::Containers(1));
    let web = inventory.container(&id).expect("the one with an id");
    assert_eq!((web.name.as_str(), web.state), ("web", ContainerState::Created));
    assert_eq!(answer_of(&inventory, RuntimeName::Podman), &RuntimeResponse::Absent);
}

#[test]
fn a_socket_that_refuses_hangs_or_sends_garbage_is_reported_as_a_failure() {
    let directory = tempfile::tempdir().expect("a directory");
    let docker = directory.path().join("docker.sock");
    drop(UnixListener::bind(&docker).expect("a socket"));
    serve(&directory.path().join("podman.sock"), |_| Some(b"\x1b[2Jwhat?\r\n\r\n".to_vec()));
    serve(&directory.path().join("cri.sock"), |_| Some(b"HTTP/1.1 200 OK\r\n\x1b\r\n".to_vec()));
    let inventory = ask_at(directory.path());
    for name in [RuntimeName::Docker, RuntimeName::Podman, RuntimeName::Cri] {
        let RuntimeResponse::Failed(why) = answer_of(&inventory, name) else {
            panic!("{inventory:?}")
        };
        assert!(!why.contains('\u{1b}'), "{why:?}");
    }
    for (name, socket) in
        [(RuntimeName::Docker, docker), (RuntimeName::Cri, directory.path().join("cri.sock"))]
    {
        std::fs::remove_file(&socket).expect("removed");
        serve(&socket, |_| None);
        let inventory = ask_at(directory.path());
        assert!(matches!(answer_of(&inventory, name), RuntimeResponse::Failed(_)), "{inventory:?}");
    }
}

#[test]
fn without_a_socket_podman_is_read_from_its_storage() {
    let directory = tempfile::tempdir().expect("a directory");
    let containers = directory.path().join("storage/overlay-containers");
    std::fs::create_dir_all(&containers).expect("made");
    let id = "fedcba9876543210".repeat(4);
    let text =
        format!(r#"[{{"id":"{id}","names":["web"],"layer":"x"}},{{"id":"short","names":["no"]}}]"#);
    std::fs::write(containers.join("containers.json"), text).expect("written");
    let inventory = ask_at(directory.path());
    assert_eq!(answer_of(&inventory, RuntimeName::PodmanStorage), &RuntimeResponse::Containers(1));
    assert_eq!(inventory.container(&id).expect("it").name, "web");
    std::fs::write(containers.join("volatile-containers.json"), "{").expect("written");
    assert!(matches!(
        answer_of(&ask_at(directory.path()), RuntimeName::PodmanStorage),
        RuntimeResponse::Failed(_)
    ));
}

#[test]
fn without_a_container_runtime_interface_the_logs_name_pods_and_containers() {
    let directory = tempfile::tempdir().expect("a directory");
    let (id, uid) = ("0123456789abcdef".repeat(4), "123e4567-e89b-12d3-a456-426614174000");
    let logs = directory.path().join("logs");
    for name in [&format!("shop_web-0_{uid}"), "no", "a_b_c_d"] {
        std::fs::create_dir_all(logs.join("pods").join(name)).expect("made");
    }
    std::fs::create_dir(logs.join("containers")).expect("made");
    for name in [&format!("web-0_shop_app-{id}.log"), "web-0_shop_app-short.log", "x_y-z.log"] {
        std::fs::write(logs.join("containers").join(name), "").expect("written");
    }
    let inventory = ask_at(directory.path());
    assert_eq!(answer_of(&inventory, RuntimeName::KubeletLogs), &RuntimeResponse::Containers(1));
    assert_eq!(inventory.container(&id).expect("it").full_name(), "shop/web-0/app");
    let pods: Vec<String> = inventory.pods().map(Pod::path).collect();
    assert_eq!(pods, ["shop/web-0"]);
    let uid = PodUid::parse(uid).expect("a UID");
    assert_eq!(inventory.pod(&uid).expect("the pod").path(), "shop/web-0");
}

#[test]
fn an_answer_without_an_end_is_not_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    // More than is read, in a form in which nothing says how much there will be.
    let list = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[".to_vec();
    let list = [list, vec![b' '; (docker_api::MAX_BYTES + (1 << 20)) as usize]].concat();
    serve(&directory.path().join("docker.sock"), move |request| {
        let line = request.lines().next().unwrap_or_default();
        Some(match line.contains("/version") {
            true => ok(r#"{"ApiVersion":"1.24","MinAPIVersion":"1.12"}"#),
            false => list.clone(),
        })
    });
    let socket = directory.path().join("docker.sock");
    let endpoint = Endpoint { address: &socket, user: None };
    let answer = block_on(docker_api::DOCKER.list_containers(endpoint));
    let Err(ListError::Failed(why)) = answer else { panic!("refused: {answer:?}") };
    println!("{why}");
}

/// A process of this test serves for `own`; nobody does for another user.
#[test]
fn a_users_engine_is_asked_only_when_that_user_serves_it_and_knows_only_that_users_tree() {
    let directory = tempfile::tempdir().expect("a directory");
    let own = rustix::process::geteuid().as_raw();
    let (docker, podman) = ("a".repeat(64), "b".repeat(64));
    let list = format!(r#"[{{"Id":"{docker}","Names":["/web"],"State":"running"}}]"#);
    let socket = directory.path().join("of-user.sock");
    serve(&socket, move |request| {
        let line = request.lines().next().unwrap_or_default();
        Some(match line.contains("/version") {
            true => ok(r#"{"ApiVersion":"1.24","MinAPIVersion":"1.12"}"#),
            false => ok(&list),
        })
    });
    let containers = directory.path().join("of-user/overlay-containers");
    std::fs::create_dir_all(&containers).expect("made");
    let text = format!(r#"[{{"id":"{podman}","names":["db"]}}]"#);
    std::fs::write(containers.join("containers.json"), text).expect("written");
    let link = containers.join("volatile-containers.json");
    std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
    let ask_as = |user: u32| {
        let nowhere = directory.path().join("nowhere");
        let of_user = vec![
            (RuntimeName::Docker, socket.clone()),
            (RuntimeName::Podman, nowhere.clone()),
            (RuntimeName::PodmanStorage, directory.path().join("of-user")),
        ];
        let users = vec![UserEngines { user, addresses: of_user }];
        block_on(ask(&Addresses { users, ..addresses(&nowhere) }))
    };
    let inventory = ask_as(own);
    let territory =
        |user, container: Option<&str>| Territory { user, container: container.map(Into::into) };
    for (id, name) in [(&docker, "web"), (&podman, "db")] {
        assert!(inventory.container(id).is_none(), "no container of the host");
        let found = inventory.of_user(id, &territory(own, None)).expect("in that user's tree");
        assert_eq!(found.name, name);
        for elsewhere in [territory(own + 1, None), territory(own, Some("/docker/x"))] {
            assert!(inventory.of_user(id, &elsewhere).is_none(), "{elsewhere:?}");
        }
    }
    let other = ask_as(own + 1);
    assert_eq!(other.of_users().count(), 0, "{other:?}");
    let failed = |asked: &AskedRuntime| matches!(asked.answer, RuntimeResponse::Failed(_));
    assert!(!other.asked.iter().any(failed), "no user makes a recording incomplete: {other:?}");
}
