//! The last line of a recording: what to type next.
//!
//! It is shown where one answer is right for what was recorded. Each reason for an incomplete
//! recording has its own hint, and several profiles have several answers.

use std::path::Path;

use super::outputs::{DerivedProfile, Outputs};
use crate::{
    cli::Record,
    output::formats::{PATCH, PROFILE, RECORDING},
    recording::{Recording, TargetKind},
    session::SessionOutcome,
};

/// The line; nothing when no answer is right for certain.
pub(super) fn line(
    typed: &Record,
    outcome: &SessionOutcome,
    products: &[DerivedProfile],
    outputs: &Outputs,
) -> Option<String> {
    let [product @ DerivedProfile { derivation: Ok(_), recording, .. }] = products else {
        return None;
    };
    if typed.derivation.quiet || outcome.failure().is_some() && !typed.ignore_status {
        return None;
    }
    let files = outputs.files(product)?;
    let [profile, patch, evidence] = [PROFILE, PATCH, RECORDING].map(|format| files.path(format));
    let paths = [&profile, &patch, &evidence].map(|path| plain_path(path));
    let [Some(profile), Some(patch), Some(evidence)] = paths else { return None };
    let next = if recording.complete {
        of_complete(recording, &Names { profile, patch, evidence })
    } else {
        of_late(typed, recording)?
    };
    Some(format!("next: {next}"))
}

/// The names of files that were written, as a shell takes them.
struct Names<'a> {
    profile: &'a str,
    patch: &'a str,
    evidence: &'a str,
}

/// How the profile is used by what it was made for.
fn of_complete(recording: &Recording, names: &Names<'_>) -> String {
    let Names { profile, patch, evidence } = names;
    let kinds = |wanted: TargetKind| recording.targets.iter().all(|one| one.kind == wanted);
    let identities = || recording.cgroups.iter().filter_map(|one| one.container.as_ref());
    if kinds(TargetKind::Command) {
        return format!("tracer enforce {profile} -- COMMAND");
    }
    if kinds(TargetKind::Pod) || identities().any(|one| one.pod.is_some()) {
        return format!("copy {profile} to the nodes, and apply {patch}: its first lines say how");
    }
    if kinds(TargetKind::Unit) {
        return format!("tracer convert {evidence} --to systemd --conditional allow");
    }
    if kinds(TargetKind::Container)
        && let Some(engine) = engine(recording)
    {
        let image = match recording.targets.as_slice() {
            [one] => one.image.as_deref().filter(|image| is_plain(image)),
            _ => None,
        };
        let image = image.unwrap_or("IMAGE");
        return format!("{engine} run --security-opt seccomp={profile} {image}");
    }
    format!("tracer explain {profile}")
}

/// The engine of every target, when its command line takes a profile as Docker's does.
fn engine(recording: &Recording) -> Option<&'static str> {
    ["docker", "podman"].into_iter().find(|engine| {
        recording.targets.iter().all(|target| target.runtime.as_deref() == Some(*engine))
    })
}

/// How a start that was missed is recorded, when nothing else is missing.
fn of_late(typed: &Record, recording: &Recording) -> Option<String> {
    let restarts = |kind| !matches!(kind, TargetKind::Process | TargetKind::Command);
    let [target] = recording.targets.as_slice() else { return None };
    let only_late = recording.losses.late_start > 0 && recording.incomplete_reasons.len() == 1;
    if !only_late || typed.targets.len() != 1 || !restarts(target.kind) {
        return None;
    }
    let options: Vec<&str> = [("--wait", typed.wait), ("--merge", typed.merge)]
        .into_iter()
        .filter_map(|(option, typed)| (!typed).then_some(option))
        .collect();
    let with = match options.as_slice() {
        [] => String::new(),
        options => format!(" with {}", options.join(" and ")),
    };
    Some(format!("the same command{with}; restart the workload meanwhile"))
}

/// A path that a shell takes as it is, and no program as an option.
fn plain_path(path: &Path) -> Option<&str> {
    path.to_str().filter(|path| is_plain(path))
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:@+".contains(&byte);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::Cli,
        recording::{ContainerIdentity, json},
    };

    const TEXT: &str = r#"{
        "version": 1, "tracer": "0", "started": "2026-01-01T00:00:00Z", "duration_seconds": 1.0,
        "host": { "kernel": "6", "arch": "x86_64", "cpus": 2, "btf": true },
        "targets": [{ "name": "web", "kind": "KIND", "runtime": "RUNTIME", "image": "IMAGE", "cgroups": [0] }],
        "cgroups": [{
            "id": 7, "path": "/u", "late_start": false, "exact": false, "ambiguous": true, "no_new_privs": false,
            "calls": [{ "abi": "x86_64", "number": 46, "name": "sendmsg", "phase": "workload" }]
        }],
        "losses": { "table_full": 0, "recursion_misses": 0, "unnamed": 0, "filtered": 0, "late_start": 0 },
        "complete": true
    }"#;

    fn recording(kind: &str, runtime: &str, image: &str) -> Recording {
        let text = TEXT.replace("KIND", kind).replace("RUNTIME", runtime).replace("IMAGE", image);
        json::from_json(text.as_bytes()).expect("a recording")
    }

    fn complete(recording: &Recording) -> String {
        let names =
            Names { profile: "p.json", patch: "p.kubernetes.yaml", evidence: "p.recording.json" };
        of_complete(recording, &names)
    }

    #[test]
    fn each_kind_of_target_has_its_own_next_command() {
        for (kind, runtime, image, next) in [
            ("command", "", "", "tracer enforce p.json -- COMMAND"),
            (
                "container",
                "docker",
                "nginx:1.27",
                "docker run --security-opt seccomp=p.json nginx:1.27",
            ),
            ("container", "podman", "$(reboot)", "podman run --security-opt seccomp=p.json IMAGE"),
            (
                "container",
                "docker",
                "--privileged",
                "docker run --security-opt seccomp=p.json IMAGE",
            ),
            ("container", "containerd", "x", "tracer explain p.json"),
            ("unit", "", "", "tracer convert p.recording.json --to systemd --conditional allow"),
            ("path", "", "", "tracer explain p.json"),
            ("process", "", "", "tracer explain p.json"),
            (
                "pod",
                "",
                "",
                "copy p.json to the nodes, and apply p.kubernetes.yaml: its first lines say how",
            ),
        ] {
            assert_eq!(complete(&recording(kind, runtime, image)), next, "{kind} {runtime}");
        }
    }

    #[test]
    fn a_container_of_a_pod_is_no_container_of_a_person() {
        let mut recording = recording("container", "docker", "nginx");
        recording.cgroups[0].container = Some(ContainerIdentity {
            engine: Some("docker".to_owned()),
            id: "0".repeat(64),
            name: Some("nginx".to_owned()),
            namespace: Some("shop".to_owned()),
            pod: Some("web-0".to_owned()),
            workload: None,
            image: None,
            user: None,
        });
        assert!(complete(&recording).starts_with("copy p.json to the nodes"));
    }

    #[test]
    fn targets_of_several_kinds_are_looked_at() {
        let mut recording = recording("container", "docker", "nginx");
        let mut other = recording.targets[0].clone();
        recording.targets.push(other.clone());
        assert!(complete(&recording).ends_with("seccomp=p.json IMAGE"));
        other.runtime = Some("podman".to_owned());
        recording.targets[1] = other.clone();
        assert_eq!(complete(&recording), "tracer explain p.json");
        other.kind = TargetKind::Unit;
        recording.targets[1] = other;
        assert_eq!(complete(&recording), "tracer explain p.json");
    }

    #[test]
    fn a_late_start_alone_is_recorded_with_a_restart() {
        let line = |recording: &Recording, words: &str| {
            let words = std::iter::once("tracer").chain(words.split(' '));
            of_late(&Cli::try_parse_from(words).expect("a command line").record, recording)
        };
        let mut late = recording("container", "docker", "nginx");
        late.losses.late_start = 1;
        late.incomplete_reasons = vec!["late start".to_owned()];
        for (words, with) in [
            ("--cgroup web", " with --wait and --merge"),
            ("--cgroup web --wait", " with --merge"),
            ("--cgroup web --wait --merge", ""),
        ] {
            let expected = format!("the same command{with}; restart the workload meanwhile");
            assert_eq!(line(&late, words), Some(expected), "{words}");
        }
        assert_eq!(line(&late, "--all-containers"), None);
        late.targets[0].kind = TargetKind::Process;
        assert_eq!(line(&late, "--cgroup pid:7"), None);
        late.targets[0].kind = TargetKind::Container;
        late.incomplete_reasons.push("calls were lost".to_owned());
        assert_eq!(line(&late, "--cgroup web"), None);
    }

    #[test]
    fn what_a_shell_would_read_otherwise_is_not_printed() {
        for path in ["p.json", "/srv/a-b/p_1.json", "web:8.json"] {
            assert_eq!(plain_path(Path::new(path)), Some(path));
        }
        for path in ["my profile.json", "a;b", "-p.json", "ä.json", "$HOME/p.json", "~/p", ""] {
            assert_eq!(plain_path(Path::new(path)), None, "{path}");
        }
    }
}
