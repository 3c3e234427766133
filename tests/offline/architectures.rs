//! Profiles for programs of several ABIs: which architectures are listed, and under which names
//! calls are allowed.

use serde_json::json;
use tracer::profile::{ProfileOptions, Reason, RuntimeChoice};
use tracer::recording::Phase;
use tracer::syscalls::Abi;

use crate::profile::{derive, file, names, small, under};
use crate::recordings::{call, calls, numbered, recording, web_server};

tests::trials! {
    i386_calls_go_by_their_own_names,
    the_base_set_has_the_forms_of_32_bit_programs_where_they_run,
    the_architectures_are_those_that_were_seen,
}

fn i386_calls_go_by_their_own_names() {
    // 96 is gettimeofday for a 64-bit caller, getpriority for a 32-bit one.
    let all = vec![
        numbered(Abi::I386, 96, Phase::Workload),
        call(Abi::I386, "socketcall", Phase::Workload),
    ];
    let options = under(RuntimeChoice::None);
    let derivation = derive(&[recording(vec![all])], &options);
    assert!(
        names(&derivation).contains("getpriority") && names(&derivation).contains("socketcall")
    );
    assert!(names(&derivation).contains("clock_gettime64"), "the 32-bit vDSO has it");
    let file = file(&derivation.profile);
    assert_eq!(file["architectures"], json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
    let native = small(|_| {});
    for name in ["clock_gettime64", "set_thread_area", "geteuid32", "sigreturn"] {
        assert!(names(&derivation).contains(name), "{name}");
        assert!(!names(&native).contains(name), "{name}");
    }
}

fn the_base_set_has_the_forms_of_32_bit_programs_where_they_run() {
    let i386 =
        vec![call(Abi::I386, "getpid", Phase::Workload), call(Abi::X86_64, "setuid", Phase::Setup)];
    let with = derive(&[recording(vec![i386])], &ProfileOptions::default());
    let forms = [
        "getgid32",
        "setgid32",
        "setuid32",
        "setgroups32",
        "fchown32",
        "setresuid32",
        "mmap2",
        "fcntl64",
    ];
    for name in forms {
        let reasons = &with.profile.allowed[name];
        assert!(matches!(reasons.first(), Some(Reason::Form { .. })), "{name}: {reasons:?}");
        assert!(
            with.added.iter().any(|added| added.name == name && added.reason.contains("32-bit"))
        );
    }
    assert!(with.ineffective.is_empty());
    // No form of what was seen alone: 32-bit programs were seen to make their own calls.
    let seen = vec![
        call(Abi::I386, "getpid", Phase::Workload),
        call(Abi::X86_64, "truncate", Phase::Workload),
    ];
    assert!(
        !names(&derive(&[recording(vec![seen])], &ProfileOptions::default()))
            .contains("truncate64")
    );
    let asked = small(|options| options.all_architectures = true);
    assert!(names(&asked).contains("getegid32"), "they may run");
    let native = derive(&[web_server()], &ProfileOptions::default());
    assert!(forms.iter().all(|name| !names(&native).contains(name)));
}

fn the_architectures_are_those_that_were_seen() {
    let of = |all| {
        let derivation = derive(&[recording(vec![all])], &ProfileOptions::default());
        file(&derivation.profile)["architectures"].clone()
    };
    let native = json!(["SCMP_ARCH_X86_64"]);
    assert_eq!(of(calls(Phase::Workload, &["read"])), native);
    let x32 = call(Abi::X32, "execve", Phase::Workload);
    assert_eq!(of(vec![x32]), json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]));
    let read = call(Abi::X86_64, "read", Phase::Workload);
    for phase in [Phase::Setup, Phase::Denied] {
        assert_eq!(of(vec![call(Abi::I386, "read", phase), read.clone()]), native, "{phase:?}");
    }
    let all = small(|options| options.all_architectures = true);
    assert_eq!(all.profile.architectures, Abi::ALL.into());
}
