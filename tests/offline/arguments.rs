//! Arguments: no profile is wider than Docker's default and RuntimeDefault, but for what was seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::{Stop, require};
use tracer::profile::defaults::DefaultsEngine;
use tracer::profile::oci::{self, Operator};
use tracer::profile::policy::{Policy, RuleContext, Verdict};
use tracer::profile::{
    ArgumentChoice, DefaultAction, Derivation, Errno, Profile, ProfileOptions, RuntimeChoice,
};
use tracer::recording::{Call, DenyOutcome, Phase, Recording};
use tracer::syscalls::Abi;
use tracer_ebpf::arguments::{LOWER_HALF, NAMESPACES, NEW_TIME, SHARING};

use crate::argument_grid::{Grid, number};
use crate::filter::agrees_with_libseccomp;
use crate::recordings::{call, calls, denied, recording, web_server, with_values};

tests::trials! {
    the_examples_are_not_wider_than_the_defaults,
    made_recordings_are_not_wider_than_the_defaults,
    libseccomp_makes_the_same_of_it,
    the_defaults_are_those_of_the_engines,
    what_was_seen_widens,
    clone3_is_left_to_clone,
    more_values_than_are_kept,
    the_form_has_one_condition_for_each_value,
    off_looks_at_names_alone,
}

fn derive(recordings: &[Recording], change: impl FnOnce(&mut ProfileOptions)) -> Derivation {
    let mut options = ProfileOptions::default();
    change(&mut options);
    Profile::derive(recordings, &options).expect("a profile")
}

fn file(derivation: &Derivation) -> Value {
    serde_json::from_str(&oci::write(&derivation.profile)).expect("JSON")
}

/// What happens to a call with this first argument, through x86_64.
fn verdict(policy: &Policy, name: &str, first: u64) -> Verdict {
    policy.decide(Abi::X86_64, number(Abi::X86_64, name), &[first, 0, 0, 0, 0, 0])
}

fn the_examples_are_not_wider_than_the_defaults() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/learned");
    let grid = Grid::new();
    let names = tests::file_names(&directory);
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let bytes = fs::read(directory.join(&name)).expect("it can be read");
        let read = oci::read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let policy = Policy::new(&read, &RuleContext::default()).expect("a policy");
        let wider = grid.wider(&policy);
        println!("{name}: {} points, {} wider", grid.points, wider.len());
        assert_eq!(wider, BTreeSet::new(), "{name}");
        for (call, first) in [("socket", 40), ("socket", 38), ("clone", 0x1000_0011)] {
            assert!(verdict(&policy, call, first).refuses(), "{name}: {call}({first:#x})");
        }
        assert_eq!(verdict(&policy, "clone3", 0), Verdict::Errno(38), "{name}");
    }
}

/// A workload that makes the calls whose arguments the defaults look at, without evidence of them.
fn plain() -> Vec<Call> {
    calls(Phase::Workload, &["clone", "clone3", "personality", "read", "socket", "socketpair"])
}

/// The same with what harmless programs pass.
fn harmless() -> Vec<Call> {
    let of = |name| call(Abi::X86_64, name, Phase::Workload);
    let values = |name, mask, values| with_values(of(name), 0, mask, Some(values));
    vec![
        values("socket", LOWER_HALF, &[1, 2, 10]),
        with_values(
            values("clone", NAMESPACES | SHARING, &[0, 0x10f00]),
            0,
            NAMESPACES,
            Some(&[0]),
        ),
        with_values(
            values("clone3", NAMESPACES | NEW_TIME | SHARING, &[0x10f00]),
            0,
            NAMESPACES | NEW_TIME,
            Some(&[0]),
        ),
        values("personality", LOWER_HALF, &[0xffff_ffff]),
        of("read"),
    ]
}

fn i386() -> Vec<Call> {
    let mut all = plain();
    all.extend(
        ["socket", "clone", "socketcall"].map(|name| call(Abi::I386, name, Phase::Workload)),
    );
    all
}

/// Recordings by name.
fn made() -> Vec<(&'static str, Recording)> {
    let one = |calls| recording(vec![calls]);
    vec![
        ("web server", web_server()),
        ("without arguments", one(plain())),
        ("harmless arguments", one(harmless())),
        ("with i386", one(i386())),
    ]
}

/// Every way to derive a profile that looks at arguments.
fn choices() -> Vec<ProfileOptions> {
    let actions = [
        DefaultAction::Errno(Errno::ENOSYS),
        DefaultAction::Errno(Errno::EPERM),
        DefaultAction::KillProcess,
        DefaultAction::Trap,
    ];
    let mut choices = Vec::new();
    for arguments in [ArgumentChoice::Default, ArgumentChoice::Observed] {
        for runtime in [RuntimeChoice::Any, RuntimeChoice::Youki, RuntimeChoice::None] {
            for default_action in actions {
                for all in [false, true] {
                    let mut options = ProfileOptions::default();
                    options.arguments = arguments;
                    options.runtime = runtime;
                    options.default_action = default_action;
                    options.all_architectures = all;
                    options.alternatives = all;
                    options.error_paths = all;
                    choices.push(options);
                }
            }
        }
    }
    choices
}

fn made_recordings_are_not_wider_than_the_defaults() {
    let grid = Grid::new();
    for (name, recording) in made() {
        for options in choices() {
            let recordings = std::slice::from_ref(&recording);
            let derivation = Profile::derive(recordings, &options).expect("a profile");
            let wider = grid.wider(&derivation.profile.policy());
            assert_eq!(wider, BTreeSet::new(), "{name}: {options:?}");
        }
        println!("{name}: {} points, 0 wider, {} choices", grid.points, choices().len());
    }
}

fn libseccomp_makes_the_same_of_it() -> Result<(), Stop> {
    for (name, recording) in made() {
        for arguments in [ArgumentChoice::Default, ArgumentChoice::Observed] {
            for action in [DefaultAction::Errno(Errno::EPERM), DefaultAction::KillProcess] {
                let derivation = derive(std::slice::from_ref(&recording), |options| {
                    options.arguments = arguments;
                    options.default_action = action;
                    options.all_architectures = true;
                });
                let policy = derivation.profile.policy();
                require!(agrees_with_libseccomp(name, &policy, &file(&derivation)));
            }
        }
    }
    Ok(())
}

/// What the sources of the engines say, comparison by comparison, against the embedded files.
fn the_defaults_are_those_of_the_engines() {
    let equal = |value| (Operator::Equal, value);
    let mut docker: Vec<(Operator, u64)> = vec![(Operator::Less, 12)];
    docker.extend([13, 14, 15, 16, 17, 18, 21, 22, 24].map(equal));
    docker.extend((26..=33).chain([35, 36, 39]).chain(41..=45).map(equal));
    let containerd = vec![(Operator::Less, 38), equal(39), (Operator::Greater, 40)];
    for (engine, rules) in
        [(DefaultsEngine::Docker, docker), (DefaultsEngine::Containerd, containerd)]
    {
        for family in 0..=1000_u64 {
            let holds = |(operator, value): &(Operator, u64)| match operator {
                Operator::Less => family < *value,
                Operator::Greater => family > *value,
                _ => family == *value,
            };
            for abi in Abi::ALL {
                let registers = [family, 1, 0, 0, 0, 0];
                let refuses =
                    engine.default_profile().refuses(abi, number(abi, "socket"), &registers);
                assert_eq!(refuses, !rules.iter().any(holds), "{} {family}", engine.name());
            }
        }
    }
}

fn what_was_seen_widens() {
    let of = |name| call(Abi::X86_64, name, Phase::Workload);
    let seen = vec![
        with_values(of("socket"), 0, LOWER_HALF, Some(&[1, 40])),
        with_values(of("clone"), 0, NAMESPACES, Some(&[0, 0x1000_0000])),
        with_values(of("personality"), 0, LOWER_HALF, Some(&[0x4_0000])),
        with_values(of("unshare"), 0, LOWER_HALF, Some(&[0x1000_0000])),
    ];
    let recordings = [recording(vec![seen])];
    let policy = derive(&recordings, |_| {}).profile.policy();
    let expected = BTreeSet::from([("socket", 40), ("personality", 0x4_0000)]);
    let found = Grid::new().wider(&policy);
    let clones = found.iter().filter(|(name, _)| *name == "clone");
    assert!(clones.clone().all(|(_, flags)| flags & NAMESPACES == 0x1000_0000), "{found:x?}");
    assert_eq!(clones.count(), 26, "with one of the other bits or none");
    let others = found.iter().filter(|(name, _)| !["clone", "unshare"].contains(name));
    assert_eq!(others.copied().collect::<BTreeSet<_>>(), expected);
    assert_eq!(verdict(&policy, "socket", 0x1_0000_0028), Verdict::Allow, "the kernel sees 40");
    assert!(verdict(&policy, "socket", 38).refuses());
    let derived = derive(&recordings, |_| {}).derived();
    let vsock = derived.values.iter().find(|one| one.name == "socket" && one.value == 40);
    assert_eq!(vsock.map(|one| one.reason.as_str()), Some("seen in the workload (x86_64)"));
    let unix = derived.values.iter().find(|one| one.name == "socket" && one.value == 1);
    assert!(unix.is_some_and(|one| one.reason.contains("; Docker's default and")), "{unix:?}");

    // Denied by a filter: on request alone.
    let vsock = denied(Abi::X86_64, "socket", DenyOutcome::Errno(1), Phase::Workload);
    let vsock = with_values(vsock, 0, LOWER_HALF, Some(&[40]));
    let mut all = calls(Phase::Workload, &["socket"]);
    all.push(vsock);
    let recordings = [recording(vec![all])];
    for include in [false, true] {
        let policy = derive(&recordings, |options| options.denied = include).profile.policy();
        assert_eq!(verdict(&policy, "socket", 40) == Verdict::Allow, include);
    }
}

fn clone3_is_left_to_clone() {
    let clone3 = |values: Option<&[u64]>| {
        let mask = NAMESPACES | NEW_TIME;
        let call = with_values(call(Abi::X86_64, "clone3", Phase::Workload), 0, mask, values);
        [recording(vec![vec![call]])]
    };
    let threads = clone3(Some(&[0]));
    for action in [
        DefaultAction::Errno(Errno::ENOSYS),
        DefaultAction::Errno(Errno::EPERM),
        DefaultAction::KillProcess,
        DefaultAction::Trap,
        DefaultAction::Log,
    ] {
        let derivation = derive(&threads, |options| options.default_action = action);
        let policy = derivation.profile.policy();
        assert_eq!(verdict(&policy, "clone3", 0), Verdict::Errno(38), "{action:?}");
        assert_eq!(verdict(&policy, "clone", 0x50f00), Verdict::Allow);
        assert!(verdict(&policy, "clone", 0x1000_0011) != Verdict::Allow);
        assert!(derivation.arguments.hidden);
        // A rule of its own always: there are engines that read no error number of the default
        // action.
        assert!(derivation.profile.answered.contains_key("clone3"));
    }
    // Namespaces that clone can make as well.
    let policy = derive(&clone3(Some(&[0x1000_0000])), |_| {}).profile.policy();
    assert!(verdict(&policy, "clone3", 0).refuses());
    assert_eq!(verdict(&policy, "clone", 0x1000_0011), Verdict::Allow);
    assert!(verdict(&policy, "clone", 0x4000_0011).refuses());
    // One that it cannot make.
    let policy = derive(&clone3(Some(&[NEW_TIME])), |_| {}).profile.policy();
    assert_eq!(verdict(&policy, "clone3", 0), Verdict::Allow);
    // Flags that could not be read open nothing.
    let policy = derive(&clone3(None), |_| {}).profile.policy();
    assert!(verdict(&policy, "clone3", 0).refuses());
    assert!(verdict(&policy, "clone", 0x1000_0011).refuses());
    // On request.
    let asked = ProfileOptions::default().with_include(["clone3".to_owned()]).expect("a call");
    let policy = Profile::derive(&threads, &asked).expect("a profile").profile.policy();
    assert_eq!(verdict(&policy, "clone3", 0), Verdict::Allow);
    // A filter that refused it had the same answer.
    let mut all = calls(Phase::Workload, &["clone"]);
    all.push(denied(Abi::X86_64, "clone3", DenyOutcome::Errno(38), Phase::Workload));
    let policy = derive(&[recording(vec![all])], |options| options.denied = true);
    assert!(verdict(&policy.profile.policy(), "clone3", 0).refuses());
}

fn more_values_than_are_kept() {
    let of = |name| call(Abi::X86_64, name, Phase::Workload);
    let any = with_values(of("socket"), 0, LOWER_HALF, None);
    let derivation = derive(&[recording(vec![vec![any]])], |_| {});
    assert_eq!(verdict(&derivation.profile.policy(), "socket", 38), Verdict::Allow);
    assert!(derivation.arguments.any.contains("socket"));
    // Fewer bits are enough.
    let clone = with_values(of("clone"), 0, NAMESPACES | SHARING, None);
    let clone = with_values(clone, 0, NAMESPACES, Some(&[0]));
    let derivation = derive(&[recording(vec![vec![clone]])], |_| {});
    assert!(verdict(&derivation.profile.policy(), "clone", 0x1000_0011).refuses());
    assert!(!derivation.arguments.any.contains("clone"));
    // An older recording.
    let derivation = derive(&[recording(vec![plain()])], |_| {});
    assert!(
        ["clone", "personality", "socket"]
            .iter()
            .all(|name| derivation.arguments.unknown.contains(*name))
    );
}

fn the_form_has_one_condition_for_each_value() {
    let file = file(&derive(&[recording(vec![harmless()])], |_| {}));
    let rules = file["syscalls"].as_array().expect("rules");
    let (limited, plain): (Vec<&Value>, Vec<&Value>) =
        rules.iter().partition(|rule| rule.get("args").is_some());
    let [plain @ .., answer] = &plain[..] else { panic!("rules without conditions") };
    assert_eq!((plain.len(), &answer["names"]), (1, &serde_json::json!(["clone3"])), "{answer}");
    assert_eq!(limited.len(), 37 + 5 + 1);
    for rule in &limited {
        let conditions = rule["args"].as_array().expect("conditions");
        let [condition] = &conditions[..] else { panic!("{rule}") };
        assert_eq!(condition["op"], "SCMP_CMP_MASKED_EQ");
        assert!(condition["value"].as_u64().is_some_and(|mask| mask <= LOWER_HALF), "{rule}");
        let names = rule["names"].as_array().expect("names");
        assert_eq!(names.len(), 1);
        let free = plain[0]["names"].as_array().expect("names");
        assert!(!free.contains(&names[0]), "a rule without conditions would decide: {rule}");
    }
}

fn off_looks_at_names_alone() {
    let derivation =
        derive(&[recording(vec![harmless()])], |options| options.arguments = ArgumentChoice::Off);
    assert!(derivation.profile.limited.is_empty());
    let policy = derivation.profile.policy();
    for name in ["clone", "clone3", "socket", "personality"] {
        assert_eq!(verdict(&policy, name, u64::MAX), Verdict::Allow, "{name}");
    }
    assert!(!derivation.arguments.hidden);
}
