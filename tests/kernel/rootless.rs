//! Containers of engines that a user runs without root: found by the name that the user's engine
//! reports, in that user's tree only.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tests::{Cgroup, Outcome, Running, Tracer, Tracing, calls, ground_truth, temporary_directory};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    a_users_container_is_found_by_its_name_and_user,
    a_users_container_is_awaited_by_its_name_and_user,
    who_typed_may_mean_a_container_of_their_own,
    a_user_names_no_container_of_others,
}

/// Users that no other test knows, each test's own: containers in the tree of one user may all be
/// the one that is awaited.
static NEXT_USER: AtomicU32 = AtomicU32::new(41_717);

/// A host on which that user is logged in, and has a home: for one program only.
const LOGGED_IN: &str = r#"
mount --bind "$1/passwd" /etc/passwd
mount -t tmpfs tmpfs /run
mkdir -p "/run/user/$2"
shift 2
exec "$@"
"#;

/// The user's home, with podman's files in it, and the user's part of the hierarchy.
struct Home {
    user: u32,
    directory: TempDir,
    tree: Cgroup,
    launcher: Vec<String>,
}

impl Home {
    fn new(label: &str) -> Self {
        let user = NEXT_USER.fetch_add(2, Ordering::Relaxed);
        let directory = temporary_directory();
        let home = directory.path().display().to_string();
        let passwd = format!("root:x:0:0::/root:/bin/sh\ntester:x:{user}:{user}::{home}:/bin/sh\n");
        fs::write(directory.path().join("passwd"), passwd).expect("written");
        fs::create_dir_all(directory.path().join(CONTAINERS)).expect("made");
        let words = ["unshare", "--mount", "--propagation=private", "sh", "-ec", LOGGED_IN, "sh"];
        let own = [home, user.to_string()];
        let launcher = words.map(str::to_owned).into_iter().chain(own).collect();
        Self { user, directory, tree: Cgroup::delegated(label, user), launcher }
    }

    /// What podman writes of its containers.
    fn lists(&self, containers: &[(&str, &str)]) {
        let listed =
            containers.iter().map(|(id, name)| format!(r#"{{"id":"{id}","names":["{name}"]}}"#));
        let listed: Vec<String> = listed.collect();
        let file = self.directory.path().join(CONTAINERS).join("containers.json");
        let new = Path::new(&file).with_extension("new");
        fs::write(&new, format!("[{}]", listed.join(","))).expect("written");
        chown(&new, Some(self.user), Some(self.user)).expect("it is the user's");
        fs::rename(new, file).expect("renamed");
    }

    fn tracer(&self, target: &str) -> Tracer {
        Tracer::new().launcher(&self.launcher).args(["--cgroup", target])
    }
}

const CONTAINERS: &str = ".local/share/containers/storage/overlay-containers";

fn container_id(label: u32) -> String {
    format!("{:08x}{label:08x}", std::process::id()) + &"fedcba9876543210".repeat(3)
}

fn scope(id: &str) -> String {
    format!("libpod-{id}.scope")
}

/// A call in the container is recorded, and one in its neighbour is not.
fn records_only(tracing: Tracing, container: &Cgroup, neighbour: &Cgroup) -> Outcome {
    for (cgroup, call) in [(container, "x86_64:getuid"), (neighbour, "x86_64:getpgrp")] {
        let finished = Running::start(&mut ground_truth([cgroup.hop(), call.to_owned()])).finish();
        assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    }
    tracing.wait_until_idle();
    let outcome = tracing.stop().exits(0);
    let recording = outcome.recording();
    assert!(recording.cgroups.iter().all(|one| one.path == container.name()), "{recording:?}");
    assert!(calls(&recording, container.name()).contains_key(&(X86_64, 102)), "{recording:?}");
    outcome
}

fn a_users_container_is_found_by_its_name_and_user() {
    let home = Home::new("rootless");
    let user = home.user;
    let [web, db] = [1, 2].map(container_id);
    home.lists(&[(&web, "web"), (&db, "db")]);
    let [container, neighbour] = [&web, &db].map(|id| home.tree.child(&scope(id)));
    let target = format!("podman:user@{user}/web");
    let tracing = home.tracer(&target).start();
    assert!(tracing.process.stderr().contains(&format!("{target} is {}", container.name())));
    records_only(tracing, &container, &neighbour);
    let missing = home.tracer(&format!("podman:user@{user}/wbe")).run().exits(1);
    missing.says(&[&format!("there is {target}")]).writes_nothing();
    let bare = home.tracer("web").run().exits(1);
    bare.says(&["no container is named `web`", &format!("there is {target}")]).writes_nothing();
    drop([container, neighbour]);
}

fn a_users_container_is_awaited_by_its_name_and_user() {
    let home = Home::new("rootless-later");
    let user = home.user;
    let [web, db] = [3, 4].map(container_id);
    home.lists(&[(&db, "db")]);
    let target = format!("podman:user@{user}/web");
    let tracing = home.tracer(&target).args(["--wait"]).start();
    home.lists(&[(&web, "web"), (&db, "db")]);
    let [container, neighbour] = [&web, &db].map(|id| home.tree.child(&scope(id)));
    let outcome = records_only(tracing, &container, &neighbour);
    let said = format!("{target} is {} (in a tree of user {user})", container.name());
    outcome.says(&[&format!("waiting for {target}"), &said, "complete: nothing was lost"]);
    drop([container, neighbour]);
}

fn who_typed_may_mean_a_container_of_their_own() {
    let home = Home::new("rootless-own");
    let user = home.user;
    let [web, db] = [5, 6].map(container_id);
    home.lists(&[(&web, "rootless-own-web"), (&db, "rootless-own-db")]);
    let [container, neighbour] = [&web, &db].map(|id| home.tree.child(&scope(id)));
    let typed_by = |user: u32| {
        let user = user.to_string();
        let tracer = home.tracer("rootless-own-web").environment("SUDO_UID", &user);
        tracer.environment("SUDO_GID", &user)
    };
    records_only(typed_by(user).start(), &container, &neighbour);
    typed_by(user + 1).run().exits(1).says(&["no container is named"]).writes_nothing();
    drop([container, neighbour]);
}

fn a_user_names_no_container_of_others() {
    let home = Home::new("rootless-liar");
    let user = home.user;
    let hosts = Cgroup::new("hosts");
    let others = Cgroup::delegated("others", user + 1);
    let [host, other] = [7, 8].map(container_id);
    let _hosts = hosts.child(&scope(&host));
    let _others = others.child(&scope(&other));
    home.lists(&[(&host, "mine"), (&other, "theirs")]);
    for name in ["mine", "theirs"] {
        for target in
            [format!("podman:user@{user}/{name}"), format!("podman:{name}"), name.to_owned()]
        {
            home.tracer(&target).run().exits(1).writes_nothing();
        }
    }
}
