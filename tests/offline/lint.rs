//! What lint finds in profiles that people write, and what its corrections make of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tracer::command;
use tracer::profile::capability::Capability;
use tracer::profile::oci::{self, Architectures, Constraint, OciProfile};
use tracer::profile::policy::{Policy, RuleContext, Verdict};
use tracer::profile::{OciRuntime, lacking::Lacking};
use tracer::syscalls::{self, Abi};
use tracer::workbench::lint::consumer::Audience;
use tracer::workbench::lint::finding::Severity;
use tracer::workbench::lint::fixing::{Extent, fix};
use tracer::workbench::lint::report::{self, LintedFile};
use tracer::workbench::lint::{LintReport, lint};

tests::trials! {
    profiles_of_the_note_come_out_as_they_were_meant,
    a_profile_that_only_logs_stays,
    the_old_form_is_corrected_without_a_change_of_meaning,
    podmans_form_means_the_same_to_all_when_it_is_corrected,
    a_profile_of_ours_is_clean,
    the_audience_decides_what_is_wrong,
    an_update_is_a_warning_before_it_breaks,
    other_processors_are_no_fault,
    what_is_no_profile_is_told,
    the_command_writes_the_file_and_keeps_the_old_one,
}

/// Examples as tutorials have them: architectures of Go, the old form, no actions, comments, a
/// default that allows.
const NOTE_BASIC: &str = r#"{
  "defaultAction": "SCMP_ACT_ALLOW",
  "architectures": [
    "amd64",
    "x86_64"
  ],
  "syscalls": [
    {
      "name": "accept4",
      "action": "SCMP_ACT_ALLOW"
    },
    {
      "name": "access",
      "action": "SCMP_ACT_ALLOW"
    },
    {
      "name": "adjtimex",
      "action": "SCMP_ACT_ALLOW"
    },
    // ... additional syscalls ...
  ]
}
"#;
const NOTE_FILTER: &str = r#"{
  "defaultAction": "SCMP_ACT_ALLOW",
  "architectures": ["amd64"],
  "syscalls": [
    { "name": "read" },
    { "name": "write" },
    { "name": "exit" }
  ]
}
"#;
pub const NOTE_CUSTOM: &str = r#"## custom.json 
{
  "defaultAction": "SCMP_ACT_ALLOW",
  "architectures": ["amd64"],
  "syscalls": [
    { "name": "read", "action": "SCMP_ACT_ALLOW" },
    { "name": "write", "action": "SCMP_ACT_ALLOW" },
    { "name": "exit", "action": "SCMP_ACT_ALLOW" },
    { "name": "exit_group", "action": "SCMP_ACT_ALLOW" },
    { "name": "open", "action": "SCMP_ACT_ALLOW" },
    { "name": "mmap", "action": "SCMP_ACT_ALLOW" }
    // Add more syscalls as needed
  ]
}
"#;
/// The form of Podman's default: a map of architectures, errors by name, conditions on
/// capabilities, names that i386 programs reach through `socketcall`.
pub const PODMAN: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 38,
  "defaultErrno": "ENOSYS",
  "archMap": [
    { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
    { "architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"] }
  ],
  "syscalls": [
    { "names": ["bdflush", "ptrace"], "action": "SCMP_ACT_ERRNO", "args": [], "errno": "EPERM" },
    { "names": ["read", "write", "recv", "arm_fadvise64_64"], "action": "SCMP_ACT_ALLOW", "args": [], "comment": "" },
    { "names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["amd64", "x32"] }, "excludes": {} },
    { "names": ["mount", "umount2"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] }, "excludes": {} },
    { "names": ["mount", "umount2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "errno": "EPERM",
      "includes": {}, "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
    { "names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_CHROOT"] }, "excludes": {} },
    { "names": ["socket"], "action": "SCMP_ACT_ALLOW",
      "args": [{ "index": 0, "value": 40, "valueTwo": 0, "op": "SCMP_CMP_NE" }] }
  ]
}
"#;

fn audience(text: &str) -> Audience {
    let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
    Audience::parse(&parts).expect("consumers")
}

pub fn everybody() -> Audience {
    Audience::default()
}

fn codes(report: &LintReport) -> BTreeSet<&'static str> {
    report.findings.iter().map(|finding| finding.rule.code).collect()
}

fn fixed(text: &str, extent: Extent) -> String {
    fix(text.as_bytes(), &everybody(), extent).map_or(text.to_owned(), |fixed| fixed.text)
}

/// A container with Docker's default capabilities.
fn context() -> RuleContext {
    RuleContext { capabilities: Capability::dockers().collect(), kernel: (7, 0) }
}

fn policy(text: &str) -> Policy {
    let profile = oci::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Policy::new(&profile, &context()).expect("a policy")
}

/// The meaning for containerd, which knows neither maps of architectures nor conditions on the
/// machine.
fn literal(profile: &OciProfile) -> Policy {
    let mut profile = profile.clone();
    if matches!(profile.architectures, Architectures::Map(_)) {
        profile.architectures = Architectures::Listed(Vec::new());
    }
    for rule in &mut profile.syscalls {
        (rule.includes, rule.excludes) = (Constraint::default(), Constraint::default());
    }
    Policy::new(&profile, &context()).expect("a policy")
}

/// The calls of the native ABI that always pass.
fn allowed(policy: &Policy) -> BTreeSet<&'static str> {
    let passes = |number: i32| {
        let number = u32::try_from(number).expect("a number of the table");
        policy.always(Abi::NATIVE, number).is_some_and(Verdict::lets_pass)
    };
    syscalls::entries(Abi::NATIVE)
        .filter(|(number, _)| passes(*number))
        .map(|(_, name)| name)
        .collect()
}

fn base_sets() -> BTreeSet<&'static str> {
    let calls = [OciRuntime::Runc, OciRuntime::Crun].map(|runtime| &runtime.base_set().calls);
    calls.into_iter().flatten().map(|call| call.name.as_str()).collect()
}

fn profiles_of_the_note_come_out_as_they_were_meant() {
    for (text, meant) in [
        (NOTE_BASIC, &["accept4", "access", "adjtimex"][..]),
        (NOTE_FILTER, &["read", "write", "exit"]),
        (NOTE_CUSTOM, &["read", "write", "exit", "exit_group", "open", "mmap"]),
    ] {
        assert!(codes(&lint(text.as_bytes(), &everybody())).contains("default-allow"), "{text}");
        let corrected = fixed(text, Extent::All);
        let after = lint(corrected.as_bytes(), &everybody());
        assert_eq!(after.worst(), None, "{:?}\n{corrected}", after.findings);
        let policy = policy(&corrected);
        assert_eq!(policy.default_verdict(), Verdict::Errno(38), "C libraries fall back");
        let mut expected = base_sets();
        expected.extend(meant);
        assert_eq!(allowed(&policy), expected, "{corrected}");
        assert!(policy.table(Abi::I386).is_none(), "the architecture that was named, and no other");
        for runtime in [OciRuntime::Runc, OciRuntime::Crun] {
            assert!(Lacking::of(runtime, &policy).is_none(), "it starts: {corrected}");
        }
        // What is safe is corrected; what nobody said is not.
        let safe = fixed(text, Extent::Safe);
        let left = codes(&lint(safe.as_bytes(), &everybody()));
        let guesses = ["default-allow", "action-missing"];
        assert!(left.iter().all(|code| guesses.contains(code)), "{left:?}");
    }
}

fn a_profile_that_only_logs_stays() {
    for text in [
        "{\n  \"defaultAction\": \"SCMP_ACT_LOG\"\n}\n",
        "{\n  \"defaultAction\": \"SCMP_ACT_ALLOW\"\n}\n",
    ] {
        let report = lint(text.as_bytes(), &everybody());
        assert_eq!(report.worst(), Some(Severity::Warning));
        assert_eq!(fix(text.as_bytes(), &everybody(), Extent::All), None, "it may be meant");
    }
    let deny = "{\n  \"defaultAction\": \"SCMP_ACT_ERRNO\"\n}\n";
    assert!(codes(&lint(deny.as_bytes(), &everybody())).contains("does-not-start"));
    assert_eq!(fix(deny.as_bytes(), &everybody(), Extent::Safe), None);
}

/// As Chrome's profile: a rule for each call, by `name`, with a list of no conditions.
fn the_old_form_is_corrected_without_a_change_of_meaning() {
    let names: Vec<&str> = syscalls::entries(Abi::NATIVE).map(|(_, name)| name).take(307).collect();
    let rule = |name: &&str| {
        format!(
            "\t\t{{\n\t\t\t\"name\": \"{name}\",\n\t\t\t\"action\": \"SCMP_ACT_ALLOW\",\n\t\t\t\"args\": null\n\t\t}}"
        )
    };
    let rules: Vec<String> = names.iter().map(rule).collect();
    let text = format!(
        "{{\n\t\"defaultAction\": \"SCMP_ACT_ERRNO\",\n\t\"defaultErrnoRet\": 38,\n\t\"architectures\": [\"SCMP_ARCH_X86_64\"],\n\t\"syscalls\": [\n{}\n\t]\n}}\n",
        rules.join(",\n")
    );
    let report = lint(text.as_bytes(), &everybody());
    assert_eq!(report.findings.iter().filter(|it| it.rule.code == "old-name").count(), 307);
    let found = codes(&lint(text.as_bytes(), &audience("docker,podman")));
    assert!(!found.contains("old-name"), "{found:?}");
    let corrected = fixed(&text, Extent::Safe);
    assert_eq!(policy(&corrected), policy(&text), "Docker's reading stays");
    let profile = oci::read(corrected.as_bytes()).expect("a profile");
    assert!(profile.remarks.is_empty() && profile.syscalls.len() == 307);
    assert_eq!(literal(&profile), policy(&text), "and becomes everybody's");
    assert_eq!(
        corrected,
        text.replace("\"name\": \"", "\"names\": [\"")
            .replace("\",\n\t\t\t\"action\"", "\"],\n\t\t\t\"action\""),
        "nothing else is touched"
    );
    let report = lint(text.as_bytes(), &everybody());
    let linted = LintedFile { name: "chrome.json", text: &text, report: &report };
    let shown = report::text::write(&linted, 80);
    assert!(shown.contains("and 304 more"), "{shown}");
}

fn podmans_form_means_the_same_to_all_when_it_is_corrected() {
    let before = policy(PODMAN);
    let safe = fixed(PODMAN, Extent::Safe);
    assert_eq!(policy(&safe), before, "a safe correction changes the meaning for nobody: {safe}");
    let report = lint(PODMAN.as_bytes(), &everybody());
    let conditional = report.findings.iter().filter(|it| it.rule.code == "conditional-rule");
    assert_eq!(conditional.count(), 3, "a condition on this architecture is harmless");
    let containerd = audience("containerd");
    let all = fix(PODMAN.as_bytes(), &containerd, Extent::All).expect("corrected").text;
    let profile = oci::read(all.as_bytes()).expect("a profile");
    let (docker, literal) = (allowed(&before), allowed(&literal(&profile)));
    assert!(docker.is_subset(&literal) && !literal.contains("mount"), "{all}");
    let added: BTreeSet<&str> = literal.difference(&docker).copied().collect();
    assert!(added.is_subset(&base_sets()), "only what the runtime needs: {added:?}");
    assert!(literal.contains("chroot"), "Docker's containers may");
    assert_eq!(lint(all.as_bytes(), &containerd).worst(), None, "{all}");
}

fn a_profile_of_ours_is_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/learned");
    for name in tests::file_names(&root) {
        let bytes = fs::read(root.join(&name)).expect("a profile");
        let report = lint(&bytes, &everybody());
        assert!(report.worst() <= Some(Severity::Note), "{name}: {:?}", report.findings);
        assert_eq!(fix(&bytes, &everybody(), Extent::All), None, "{name}");
    }
}

fn the_audience_decides_what_is_wrong() {
    let found = |audience_of: &str| codes(&lint(PODMAN.as_bytes(), &audience(audience_of)));
    assert!(!found("podman").contains("conditional-rule"));
    assert!(
        !found("podman").contains("errno-by-name") && found("docker").contains("errno-by-name")
    );
    assert!(found("podman,containerd").contains("conditional-rule"));
    assert!(found("containerd").contains("arch-map"));
    let flags = "{\"defaultAction\":\"SCMP_ACT_LOG\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"]}";
    let found =
        |of: &str| codes(&lint(flags.as_bytes(), &audience(of))).contains("flags-unsupported");
    assert!(found("runc,1.1.5") && !found("runc,1.2.0") && !found("crun") && !found("runc"));
}

fn an_update_is_a_warning_before_it_breaks() {
    let names: Vec<String> = base_sets()
        .into_iter()
        .filter(|name| !["statx", "openat2"].contains(name))
        .map(|name| format!("\"{name}\""))
        .collect();
    let text = format!(
        "{{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":[\"SCMP_ARCH_X86_64\"],\"syscalls\":[{{\"names\":[{}],\"action\":\"SCMP_ACT_ALLOW\"}}]}}",
        names.join(",")
    );
    let found = |of: &str| lint(text.as_bytes(), &audience(of));
    let message = |report: &LintReport, code: &str| {
        let finding = report.findings.iter().find(|finding| finding.rule.code == code);
        finding.map(|finding| finding.message.clone())
    };
    let old = found("runc,1.1.5");
    assert_eq!(old.worst(), Some(Severity::Warning));
    let said = message(&old, "breaks-by-update").expect("a warning");
    assert!(said.contains("statx (from 1.2.8, 1.3.3 and 1.4.0 on)"), "{said}");
    assert!(said.contains("openat2 (1.2.8 and 1.3.3 alone)"), "{said}");
    let patched = found("runc,1.3.3");
    let said = message(&patched, "does-not-start").expect("an error");
    assert!(said.contains("statx") && said.contains("openat2"), "{said}");
    let newer = message(&found("runc,1.4.0"), "does-not-start").expect("an error");
    assert!(newer.contains("statx") && !newer.contains("openat2"), "it falls back: {newer}");
    assert!(message(&found("docker"), "does-not-start").is_some(), "today's, where none is named");
    let crun = found("crun");
    assert!(message(&crun, "does-not-start").is_none(), "crun needs neither for a start");
    assert!(message(&crun, "may-not-start").is_some_and(|said| said.contains("statx")));
}

fn other_processors_are_no_fault() {
    let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64","SCMP_ARCH_S390X"],"syscalls":[{"names":["arm_fadvise64_64","s390_pci_mmio_read","riscv_hwprobe","send"],"action":"SCMP_ACT_ALLOW"}]}"#;
    let found = codes(&lint(text.as_bytes(), &everybody()));
    for code in ["unknown-syscall", "unlisted-abi", "unknown-architecture"] {
        assert!(!found.contains(code), "{found:?}");
    }
}

fn what_is_no_profile_is_told() {
    let deep = "[".repeat(200_000);
    let large = vec![b' '; oci::MAX_BYTES + 1];
    for (bytes, code, part) in [
        (&b""[..], "encoding", "empty"),
        (b"\xff\xfe{\0", "encoding", "UTF-16"),
        (b"\xef\xbb\xbf{}", "encoding", "byte order mark"),
        (b"{\"a\": \"\xe9\"}", "encoding", "line 1, column 8"),
        (b"{\"defaultAction\":", "not-json", "ends before"),
        (b"{\"defaultAction\" \"x\"}", "not-json", "not JSON"),
        (deep.as_bytes(), "not-json", "127 deep"),
        (&large, "not-a-profile", "16777216"),
        (b"{\"version\":1,\"cgroups\":[],\"losses\":{}}", "not-a-profile", "recording"),
        (b"[{\"Id\":\"x\",\"State\":{}}]", "not-a-profile", "inspect"),
        (b"{\"ociVersion\":\"1.0\",\"linux\":{}}", "not-a-profile", "OCI container"),
        (b"apiVersion: v1\nkind: Pod\n", "not-a-profile", "Pod"),
        (b"[]", "wrong-type", "must be an object"),
    ] {
        let report = lint(bytes, &everybody());
        let finding = report.findings.iter().find(|finding| finding.rule.code == code);
        let shown = bytes.get(..40).unwrap_or(bytes).escape_ascii();
        let finding = finding.unwrap_or_else(|| panic!("{shown}: {:?}", report.findings));
        assert!(finding.message.contains(part), "{shown}: {}", finding.message);
        assert!(!finding.remedy.is_empty() && finding.severity == Severity::Error, "{shown}");
    }
    // A profile within another file is linted in its place.
    let config = "{\"ociVersion\":\"1.0\",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"amd64\"]}}}";
    let report = lint(config.as_bytes(), &everybody());
    let finding = report.findings.iter().find(|it| it.rule.code == "unknown-architecture");
    assert_eq!(finding.expect("found").path, "linux.seccomp.architectures[0]");
    assert!(fixed(config, Extent::Safe).contains("\"architectures\":[\"SCMP_ARCH_X86_64\"]"));
}

fn the_command_writes_the_file_and_keeps_the_old_one() {
    let directory = tests::temporary_directory();
    let path = directory.path().join("custom.json");
    fs::write(&path, NOTE_CUSTOM).expect("written");
    let run = |words: &[&str]| {
        let words = ["tracer", "lint"].iter().chain(words).map(Into::into);
        let cli = tracer::cli::Cli::read(words).expect("a command line");
        command::run(&cli).expect("no failure").code()
    };
    let file = path.to_str().expect("a plain name");
    assert_eq!(run(&["--json", file]), 4);
    assert_eq!(fs::read_to_string(&path).expect("there"), NOTE_CUSTOM, "it only looks");
    assert_eq!(run(&["--json", "--fix=all", file]), 0);
    let corrected = fs::read_to_string(&path).expect("there");
    assert_eq!(corrected, fixed(NOTE_CUSTOM, Extent::All));
    let old = fs::read_to_string(directory.path().join("custom.json.old")).expect("kept");
    assert_eq!(old, NOTE_CUSTOM);
    assert_eq!(tests::file_names(directory.path()), ["custom.json", "custom.json.old"]);
    assert_eq!(run(&["--json", file, "/nonexistent/profile.json"]), 1);
    fs::write(&path, "{\"defaultAction\":\"SCMP_ACT_LOG\"}").expect("written");
    assert_eq!(run(&["--json", file]), 0, "a warning");
    assert_eq!(run(&["--json", "--fail-on", "warning", file]), 4);
}
