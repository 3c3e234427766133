//! Tests of the cgroup file system with plain files, and with the real one where there is one.

use super::*;
use crate::target::fresh::FreshCgroup;
use crate::target::testing::FakeHost;
use crate::target::watch::{CgroupEvents, CgroupState};

fn host() -> FakeHost {
    let mut host = FakeHost::new();
    host.mount("cgroup", "/", "memory", "rw,memory");
    host.cgroup("/system.slice/nginx.service", &[7]);
    host.cgroup("/system.slice/empty.service", &[]);
    fs::create_dir_all(host.path("memory/old/web")).expect("a v1 cgroup");
    host
}

#[test]
fn the_tree_is_sorted_and_knows_what_is_occupied() {
    let host = host();
    let tree = host.root().tree().expect("a tree");
    let seen: Vec<(&str, bool)> =
        tree.nodes.iter().map(|node| (node.path.as_str(), node.occupied)).collect();
    assert_eq!(
        seen,
        [
            ("/", true),
            ("/system.slice", false),
            ("/system.slice/empty.service", false),
            ("/system.slice/nginx.service", true),
        ]
    );
    let nginx = tree.node("/system.slice/nginx.service").expect("the cgroup");
    assert_eq!(host.root().id(&nginx.path).expect("an id"), nginx.id);
    let below = populated(&tree.root, "/system.slice/nginx.service").expect("a list");
    assert_eq!(below, std::slice::from_ref(nginx));
    assert!(populated(&tree.root, "/nowhere").is_err());
}

#[test]
fn paths_are_found_in_the_hierarchy_and_in_the_file_system() {
    let host = host();
    let root = host.root();
    let full = host.path("unified/system.slice/nginx.service").display().to_string();
    for typed in ["/system.slice/nginx.service", "//system.slice/./nginx.service/", full.as_str()] {
        assert_eq!(root.locate(typed).expect(typed), "/system.slice/nginx.service");
    }
    let mount = host.path("unified").display().to_string();
    assert_eq!(root.locate("/").expect("the root"), "/");
    assert_eq!(root.locate(&mount).expect("the root"), "/");
}

#[test]
fn other_paths_are_explained() {
    let host = host();
    let root = host.root();
    let v1 = host.path("memory/old").display().to_string();
    for typed in [v1.as_str(), "/old/web"] {
        match root.locate(typed) {
            Err(CgroupError::V1Path { controllers, unified, .. }) => {
                assert_eq!(controllers, "memory");
                assert_eq!(unified, host.path("unified"));
            }
            other => panic!("{typed}: {other:?}"),
        }
    }
    assert!(matches!(root.locate("/etc"), Err(CgroupError::NotACgroup { .. })));
    for typed in ["/system.slice/../x", "/..", "/a\0b"] {
        assert!(
            matches!(root.locate(typed), Err(CgroupError::ParentComponent { .. })),
            "{typed:?}"
        );
    }
    let missing = root.locate("/system.slice/ngnix.service/x\n").expect_err("missing").to_string();
    assert_eq!(
        missing,
        r"there is no cgroup /system.slice/ngnix.service/x\n: below /system.slice there are empty.service, nginx.service"
    );
}

#[test]
fn children_in_messages_are_bounded() {
    let host = host();
    for number in 10..40 {
        host.cgroup(&format!("/many/{number}"), &[]);
    }
    match host.root().locate("/many/x") {
        Err(CgroupError::Missing { ancestor, children, more, .. }) => {
            assert_eq!((ancestor.as_str(), children.len(), more), ("/many", 12, 18));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn processes() {
    let host = host();
    host.process("7", "9:name=systemd:/\n4:memory:/x\n0::/system.slice/nginx.service\n");
    host.process("8", "4:memory:/x\n");
    host.process("9", "0::/gone.service (deleted)\n");
    host.cgroup("/odd (deleted)", &[]);
    host.process("10", "0::/odd (deleted)\n");
    let root = host.root();
    assert_eq!(root.of_process(7).expect("nginx"), "/system.slice/nginx.service");
    assert!(matches!(root.of_process(8), Err(CgroupError::NoUnifiedLine { process: 8 })));
    assert!(
        matches!(root.of_process(9), Err(CgroupError::Removed { path, .. }) if path == "/gone.service")
    );
    assert_eq!(root.of_process(10).expect("an odd name"), "/odd (deleted)");
    assert!(matches!(root.of_process(11), Err(CgroupError::NoProcess { process: 11 })));
}

#[test]
fn a_mount_that_shows_a_part_of_the_hierarchy() {
    let mut host = FakeHost::without_mounts();
    host.mount("cgroup2", "/docker/ab", "unified", "ro");
    host.cgroup("/init", &[1]);
    let root = host.root();
    assert_eq!(root.directory("/docker/ab/init").expect("inside"), host.path("unified/init"));
    assert!(matches!(root.directory("/docker/cd"), Err(CgroupError::OutsideMount { .. })));
    assert!(matches!(root.directory("/docker/ab/../cd"), Err(CgroupError::OutsideMount { .. })));
    let full = host.path("unified/init").display().to_string();
    for typed in ["/init", "/docker/ab/init", &full] {
        assert_eq!(root.locate(typed).expect(typed), "/docker/ab/init");
    }
    let paths: Vec<CgroupPath> =
        root.tree().expect("a tree").nodes.into_iter().map(|node| node.path).collect();
    assert_eq!(paths, ["/docker/ab", "/docker/ab/init"]);
}

#[test]
fn the_whole_hierarchy_from_inside_a_cgroup_namespace() {
    let mut host = FakeHost::without_mounts();
    host.mount("cgroup2", "/../..", "unified", "rw");
    host.mount("cgroup2", "/", "own", "rw");
    host.cgroup("/system.slice/nginx.service", &[7]);
    host.process("1", "0::/../..\n");
    host.process("7", "0::/../../system.slice/nginx.service\n");
    host.process("8", "0::/\n");
    let root = host.root();
    assert_eq!(root.of_process(1).expect("the root"), "/");
    assert_eq!(root.of_process(7).expect("nginx"), "/system.slice/nginx.service");
    assert!(matches!(root.of_process(8), Err(CgroupError::InsideNamespace { .. })));
    let full = host.path("unified/system.slice").display().to_string();
    for typed in ["/system.slice", full.as_str()] {
        assert_eq!(root.locate(typed).expect(typed), "/system.slice");
    }
    assert!(root.tree().expect("a tree").node("/system.slice/nginx.service").is_some());
}

#[test]
fn hosts_without_cgroup_v2() {
    let mut host = FakeHost::without_mounts();
    assert!(matches!(CgroupRoot::find(&host.proc()), Err(CgroupError::NotMounted { v1: false })));
    host.mount("cgroup", "/", "memory", "rw,memory");
    assert!(matches!(CgroupRoot::find(&host.proc()), Err(CgroupError::NotMounted { v1: true })));
    assert!(matches!(
        CgroupRoot::find(Path::new("/nonexistent")),
        Err(CgroupError::Io { operation: Operation::Read, .. })
    ));
}

/// A real cgroup below the one that the tests run in; none, with the reason, where that cannot be
/// made.
fn fresh() -> Option<(CgroupRoot, CgroupPath, FreshCgroup)> {
    let made = CgroupRoot::find(Path::new("/proc")).and_then(|root| {
        let own = root.own()?;
        let fresh = FreshCgroup::create_below(&root, &own)?;
        Ok((root, own, fresh))
    });
    match made {
        Ok(made) => Some(made),
        Err(error) => {
            assert!(!crate::ci::is_ci(), "no fresh cgroup: {error}");
            eprintln!("skipped: no fresh cgroup: {error}");
            None
        }
    }
}

#[test]
fn a_fresh_cgroup_is_emptied_and_removed() {
    let Some((root, own, fresh)) = fresh() else { return };
    let path = fresh.path().to_owned();
    let directory = root.directory(&path).expect("a directory");
    assert_eq!(root.id(&path).expect("an id"), fresh.id());
    let events = CgroupEvents::open(&root, &path).expect("opens").expect("not the root");
    let state = |populated| CgroupState::Present { populated, frozen: false };
    assert_eq!(events.read().expect("a state"), state(false));

    let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
    let joined = fs::write(directory.join("cgroup.procs"), child.id().to_string());
    assert!(joined.is_ok(), "{joined:?}");
    assert_eq!(root.of_process(child.id()).expect("its cgroup"), path);
    assert_eq!(events.read().expect("a state"), state(true));
    fs::create_dir(directory.join("nested")).expect("a nested cgroup");
    let occupied: Vec<bool> =
        populated(&root, &path).expect("a list").iter().map(|node| node.occupied).collect();
    assert_eq!(occupied, [true, false]);

    assert_eq!(fresh.remove().expect("removed"), 1);
    assert!(!directory.exists());
    assert_eq!(events.read().expect("a state"), CgroupState::Gone);
    assert_eq!(root.of_process(child.id()).expect("its cgroup"), own);
    child.kill().expect("its end");
    child.wait().expect("its end");
}

#[test]
fn a_change_is_reported_as_urgent() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let Some((root, _, fresh)) = fresh() else { return };
    let events = CgroupEvents::open(&root, fresh.path()).expect("opens").expect("not the root");
    events.read().expect("a state");
    let urgent = |milliseconds: i64| {
        let mut waited = [PollFd::new(&events, PollFlags::PRI)];
        let limit = Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
        poll(&mut waited, Some(&limit)).expect("poll") > 0
    };
    assert!(!urgent(0));
    let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
    fs::write(
        root.directory(fresh.path()).expect("a directory").join("cgroup.procs"),
        child.id().to_string(),
    )
    .expect("joined");
    assert!(urgent(900));
    assert!(matches!(events.read(), Ok(CgroupState::Present { populated: true, .. })));
    child.kill().expect("its end");
    child.wait().expect("its end");
    assert!(urgent(900));
    assert!(matches!(events.read(), Ok(CgroupState::Present { populated: false, .. })));
    let directory = root.directory(fresh.path()).expect("a directory");
    drop(fresh);
    assert!(!directory.exists());
    assert!(matches!(events.read(), Ok(CgroupState::Gone)));
    // The root of the hierarchy has none; that of a cgroup namespace has.
    let at_top = root.mount_point().join("cgroup.events").exists();
    assert_eq!(CgroupEvents::open(&root, "/").expect("the root").is_some(), at_top);
}
