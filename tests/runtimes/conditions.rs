//! A profile with conditions on capabilities, as Docker's own has them: `tracer verify` evaluates
//! them by the container's.

use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tests::{Cgroup, Stop, Tracer, temporary_directory};

use crate::cases::Cases;
use crate::engine::Order;
use crate::world::{Kind, World};

/// Podman's own default profile, where Debian's package golang-github-containers-common puts it.
const PODMANS: &str = "/usr/share/containers/seccomp.json";
/// An engine's own default set has it not.
const CAPABILITY: &str = "CAP_SYS_ADMIN";

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let kinds = [Kind::Docker, Kind::PodmanRunc];
    let trial = |kind: Kind| {
        let name = format!("conditions::{}_by_the_containers_capabilities", kind.name());
        cases.trial(name, move |world| is_evaluated_for_the_container(world, kind))
    };
    let mut trials: Vec<Trial> = kinds.into_iter().map(trial).collect();
    let name = "conditions::podman_runc_under_podmans_own_default".into();
    trials.push(cases.trial(name, is_read_as_podman_reads_it));
    trials
}

/// `symlink` fails where the container lacks the capability, `mkdir` where it has it.
fn conditional() -> Value {
    let refused = |names: [&str; 2], part: &str| json!({ "names": names, "action": "SCMP_ACT_ERRNO", part: { "caps": [CAPABILITY] } });
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [
            refused(["symlink", "symlinkat"], "excludes"),
            refused(["mkdir", "mkdirat"], "includes"),
        ],
    })
}

fn is_evaluated_for_the_container(world: &World, kind: Kind) -> Result<(), Stop> {
    let engine = world.engine(kind).map_err(Stop::Skip)?;
    let parent = Cgroup::new("conditions");
    let directory = temporary_directory();
    let [profile, amended] =
        ["profile.json", "amended.json"].map(|name| directory.path().join(name));
    fs::write(&profile, conditional().to_string()).expect("the profile is written");
    let words = ["/worker", "idle"];
    let order = Order {
        words: &words,
        user: 0,
        no_new_privs: false,
        profile: Some(&profile),
        parent: parent.name(),
    };
    let container = engine.start(&order)?;
    let words = ["verify".as_ref(), profile.as_os_str(), "-v".as_ref()];
    let verify = Tracer::new().without_out().args(words);
    let tracing = verify.cgroup(&parent).args(["--amend".as_ref(), amended.as_os_str()]).spawn();
    tracing.wait_for_message("verifying");
    let said = container.exec(None, &["/worker", "probe", "symlink", "mkdir"])?;
    if !said.contains("symlink 1") || !said.contains("mkdir 0") {
        return Err(Stop::Fail(format!("the engine decides otherwise: {said}")));
    }
    tracing.wait_for_message("symlink");
    let outcome = tracing.stop().exits(4).says(&[
        "the target's bounding set (process ",
        "with none of them; without CAP_SYS_ADMIN",
        "add symlink to the profile",
    ]);
    assert!(!outcome.stderr.contains("denied: mkdir"), "{}", outcome.stderr);
    drop(container);

    let container = engine.start(&Order { profile: Some(&amended), ..order })?;
    let said = container.exec(None, &["/worker", "probe", "symlink"])?;
    if said.contains("symlink 0") {
        Ok(())
    } else {
        Err(Stop::Fail(format!("under the amended profile: {said}")))
    }
}

/// A container under the profile that Podman uses when nobody says otherwise.
fn is_read_as_podman_reads_it(world: &World) -> Result<(), Stop> {
    let engine = world.engine(Kind::PodmanRunc).map_err(Stop::Skip)?;
    let profile = Path::new(PODMANS);
    if !profile.exists() {
        return Err(Stop::Skip(format!("needs {PODMANS} (golang-github-containers-common)")));
    }
    let parent = Cgroup::new("default");
    let words = ["/worker", "idle"];
    let (profile, parent_name) = (Some(profile), parent.name());
    let order = Order { words: &words, user: 0, no_new_privs: false, profile, parent: parent_name };
    let container = engine.start(&order)?;
    let verify = Tracer::new().without_out().args(["verify", PODMANS, "--accept-late-start"]);
    let tracing = verify.cgroup(&parent).spawn();
    tracing.wait_for_message("verifying");
    let said = container.exec(None, &["/worker", "probe", "symlink", "mkdir"])?;
    assert!(said.contains("symlink 0") && said.contains("mkdir 0"), "it works under it: {said}");
    let outcome = tracing.stop().exits(0).says(&[
        "errors are written by name beside the same number (defaultErrno to ",
        "without CAP_DAC_READ_SEARCH, ",
        "nothing was denied",
    ]);
    assert_eq!(outcome.stderr.matches("warning: profile").count(), 1, "{}", outcome.stderr);
    Ok(())
}
