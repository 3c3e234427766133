//! Tests of the names, against the kernel's headers of this host where they are there.

use std::fs;

use super::*;

#[test]
fn values_have_the_names_of_the_field() {
    for (of, index, number, name) in [
        ("socket", 0, 40, "AF_VSOCK"),
        ("socket", 0, 38, "AF_ALG"),
        ("socket", 0, 1, "AF_UNIX"),
        ("socket", 0, 27, "AF_IB"),
        ("socket", 0, 45, "AF_MCTP"),
        ("socket", 0, 12, "AF_DECnet"),
        ("socket", 0, 46, "0x2e"),
        ("socket", 0, 0xffff_ffff, "0xffffffff"),
        ("socketpair", 1, 1, "SOCK_STREAM"),
        ("socket", 1, 0x8_0802, "SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC"),
        ("socket", 1, 0x80_0001, "0x800001"),
        ("socket", 2, 6, "6"),
        ("clone", 0, 0x1000_0000, "CLONE_NEWUSER"),
        ("clone", 0, 0, "0"),
        ("clone", 0, 17, "SIGCHLD"),
        ("clone", 0, 0x1000_0011, "CLONE_NEWUSER|SIGCHLD"),
        ("clone3", 0, 0x1000_0080, "CLONE_NEWUSER|CLONE_NEWTIME"),
        ("unshare", 0, 0x1000_0081, "CLONE_NEWUSER|CLONE_NEWTIME|0x1"),
        ("setns", 1, 0x4000_0000, "CLONE_NEWNET"),
        ("personality", 0, 0, "PER_LINUX"),
        ("personality", 0, 0x2_0008, "PER_LINUX32|UNAME26"),
        ("personality", 0, 0x4_0000, "PER_LINUX|ADDR_NO_RANDOMIZE"),
        ("personality", 0, 0xffff_ffff, "0xffffffff"),
        ("personality", 0, 0x99, "0x99"),
        ("prctl", 0, 22, "PR_SET_SECCOMP"),
        ("prctl", 0, 0x5356_4d41, "PR_SET_VMA"),
        ("ioctl", 1, 0x5412, "TIOCSTI"),
        ("ioctl", 1, 0x5401, "TCGETS"),
        ("ioctl", 1, 0x5413, "TIOCGWINSZ"),
        ("ioctl", 1, 0x541b, "FIONREAD"),
        ("ioctl", 1, 0x8946, "SIOCETHTOOL"),
        ("ioctl", 1, 0xdead, "0xdead"),
        ("mmap", 2, 4, "PROT_EXEC"),
        ("mprotect", 2, 0, "0"),
        ("keyctl", 0, 32, "KEYCTL_WATCH_KEY"),
        ("bpf", 0, 5, "BPF_PROG_LOAD"),
        ("bpf", 0, 9999, "0x270f"),
        ("fcntl64", 1, 13, "F_SETLK64"),
        ("fcntl", 1, 1030, "F_DUPFD_CLOEXEC"),
        ("madvise", 2, 4, "MADV_DONTNEED"),
        ("setsockopt", 1, 1, "SOL_SOCKET"),
        ("setsockopt", 2, 9, "9"),
        ("prlimit64", 1, 7, "RLIMIT_NOFILE"),
        ("kcmp", 2, 0, "KCMP_FILE"),
        ("seccomp", 0, 1, "SECCOMP_SET_MODE_FILTER"),
        ("arch_prctl", 0, 0x1002, "ARCH_SET_FS"),
        ("read", 0, 3, "0x3"),
        ("socket", 5, 3, "0x3"),
    ] {
        assert_eq!(value(of, index, number), name, "{of} {index} {number:#x}");
    }
}

#[test]
fn every_family_has_a_name() {
    for family in 0..46 {
        assert!(value("socket", 0, family).starts_with("AF_"), "{family}");
    }
}

#[test]
fn a_call_is_written_with_what_the_table_looks_at() {
    for (of, registers, written) in [
        ("socket", [40, 0x8_0001, 0, 7, 7, 7], "socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC, 0)"),
        ("socket", [2, 3, 1, 0, 0, 0], "socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)"),
        ("socket", [16, 3, 0, 0, 0, 0], "socket(AF_NETLINK, SOCK_RAW, 0)"),
        ("socket", [16, 3, 9, 0, 0, 0], "socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)"),
        ("socket", [17, 3, 0x300, 0, 0, 0], "socket(AF_PACKET, SOCK_RAW, 768)"),
        // The kernel ignores the upper half.
        ("socket", [0xdead_0000_0000_0026, 5, 0, 0, 0, 0], "socket(AF_ALG, SOCK_SEQPACKET, 0)"),
        ("unshare", [0x1000_0000, 9, 9, 9, 9, 9], "unshare(CLONE_NEWUSER)"),
        ("clone", [0x11, 0, 0, 0, 0, 0], "clone(SIGCHLD)"),
        (
            "ioctl",
            [0xffff_ffff_0000_0005, 0x5413, 0, 0, 0, 0],
            "ioctl(0xffffffff00000005, TIOCGWINSZ)",
        ),
        ("setsockopt", [3, 1, 9, 0, 0, 0], "setsockopt(0x3, SOL_SOCKET, SO_KEEPALIVE)"),
        ("setsockopt", [3, 6, 1, 0, 0, 0], "setsockopt(0x3, SOL_TCP, TCP_NODELAY)"),
        ("setsockopt", [3, 270, 1, 0, 0, 0], "setsockopt(0x3, SOL_NETLINK, 1)"),
        ("mprotect", [0x1000, 0x2000, 5, 0, 0, 0], "mprotect(0x1000, 0x2000, PROT_READ|PROT_EXEC)"),
        ("clone3", [0x7fff_0000, 88, 0, 0, 0, 0], "clone3(0x7fff0000)"),
    ] {
        assert_eq!(call(of, &registers).as_deref(), Some(written));
    }
    assert_eq!(call("read", &[1; 6]), None);
    assert_eq!(call("", &[1; 6]), None);
}

#[test]
fn what_a_pointer_points_to_is_written_where_it_is_known() {
    let written = |pointed| call_with("clone3", &[0x7fff_0000, 88, 0, 0, 0, 0], pointed);
    assert_eq!(written(None).as_deref(), Some("clone3(0x7fff0000)"));
    let flags = written(Some(0x2_1000_0100));
    assert_eq!(
        flags.as_deref(),
        Some("clone3({flags=CLONE_VM|CLONE_NEWUSER|CLONE_INTO_CGROUP}, 0x58)")
    );
    let socket = call_with("socket", &[1, 1, 0, 0, 0, 0], Some(7));
    assert_eq!(socket.as_deref(), Some("socket(AF_UNIX, SOCK_STREAM, 0)"));
}

#[test]
fn the_table_is_one_of_calls_that_there_are() {
    for argument in &ARGUMENTS {
        for abi in Abi::ALL {
            let number = number(argument, abi);
            let known = crate::syscalls::name(abi, number);
            assert_eq!(known, (number >= 0).then_some(argument.call), "{}", abi.name());
            let has = crate::syscalls::number(abi, argument.call).is_some();
            // The `mmap` of i386 takes its arguments from memory.
            assert_eq!(
                has,
                number >= 0 || (abi, argument.call) == (Abi::I386, "mmap"),
                "{argument:?}"
            );
        }
    }
}

#[test]
fn calls_are_told_apart_by_all_that_is_looked_at() {
    let all = told_apart();
    let of = |abi, number| all.iter().find(|one| (one.0, one.1) == (abi, number)).map(|one| one.2);
    let socket = ToldApart { masks: [LOWER_HALF, 0xfff7_f7ff, LOWER_HALF], pointed: 0 };
    assert_eq!(of(Abi::X86_64, 41), Some(socket));
    assert_eq!(of(Abi::I386, 359), Some(socket));
    assert_eq!(of(Abi::X32, 541).map(|one| one.masks), Some([0, LOWER_HALF, LOWER_HALF]));
    let clone3 = of(Abi::X86_64, 435).expect("clone3");
    assert_eq!((clone3.masks, clone3.pointed), ([0; 3], 0xfe03_ef80));
    assert_eq!(of(Abi::X86_64, 0), None);
    assert_eq!(of(Abi::I386, 90), None, "mmap takes its arguments from memory");
    assert!(
        ARGUMENTS.iter().all(|argument| argument.index < 3),
        "only three registers are distinguished"
    );
    assert!(all.len() <= 128, "{}", all.len());
}

/// A generator of numbers that are spread over all bits.
fn numbers() -> impl Iterator<Item = u64> {
    let edges = [
        0,
        1,
        0x7f,
        0x80,
        0xff,
        0x100,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 32,
        1 << 63,
        u64::MAX,
    ];
    let spread = (1..2000_u64).map(|step| step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (step % 64));
    edges.into_iter().chain(spread).chain(0..600)
}

#[test]
fn every_value_of_every_argument_is_written_somehow() {
    for argument in &ARGUMENTS {
        for number in numbers() {
            assert!(!value(argument.call, argument.index, number & argument.mask).is_empty());
            assert!(!value(argument.call, argument.index, number).is_empty());
            assert!(
                call(argument.call, &[number; 6])
                    .is_some_and(|written| written.starts_with(argument.call))
            );
        }
    }
}

#[test]
fn different_values_are_written_differently() {
    for argument in &ARGUMENTS {
        let mut seen = BTreeMap::new();
        for number in numbers().map(|number| number & argument.mask) {
            let written = value(argument.call, argument.index, number);
            let other = *seen.entry(written.clone()).or_insert(number);
            assert_eq!(other, number, "{} {}: {written} twice", argument.call, argument.index);
        }
    }
}

/// `#define NAME VALUE` and `NAME = VALUE` of a header, and the members of an enumeration that
/// count from 0.
fn defined(path: &str, prefix: &str) -> Vec<(u64, String)> {
    let Ok(text) = fs::read_to_string(path) else {
        return Vec::new();
    };
    let mut defined = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_start_matches("#define").trim();
        let mut words = line
            .split(|of: char| of.is_whitespace() || of == '=' || of == ',')
            .filter(|word| !word.is_empty());
        let (Some(name), number) = (words.next(), words.next()) else {
            continue;
        };
        let number = number.map(|number| number.trim_end_matches(['U', 'L', ',']));
        let number = number.and_then(|number| match number.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None if number.len() > 1 && number.starts_with('0') => {
                u64::from_str_radix(number, 8).ok()
            }
            None => number.parse().ok(),
        });
        if let Some(number) = number.filter(|_| name.starts_with(prefix)) {
            defined.push((number, name.to_owned()));
        }
    }
    defined
}

#[test]
fn names_are_those_of_this_hosts_headers() {
    // What is written by hand, and some that are not. A value that has two names may have the
    // other.
    for (path, prefix, of, index) in [
        ("/usr/include/linux/keyctl.h", "KEYCTL_", "keyctl", 0),
        ("/usr/include/x86_64-linux-gnu/asm/prctl.h", "ARCH_", "arch_prctl", 0),
        ("/usr/include/linux/personality.h", "PER_", "personality", 0),
        ("/usr/include/asm-generic/fcntl.h", "F_", "fcntl64", 1),
        ("/usr/include/asm-generic/mman-common.h", "MADV_", "madvise", 2),
        ("/usr/include/asm-generic/resource.h", "RLIMIT_", "prlimit64", 1),
        ("/usr/include/asm-generic/ioctls.h", "TIO", "ioctl", 1),
        ("/usr/include/linux/seccomp.h", "SECCOMP_SET", "seccomp", 0),
    ] {
        let values: Vec<_> = defined(path, prefix)
            .into_iter()
            .filter(|(_, name)| !OF_OTHERS.iter().any(|other| name.starts_with(other)))
            .collect();
        for (number, name) in &values {
            let written = value(of, index, *number);
            let also = values.iter().any(|(other, name)| other == number && *name == written);
            let known = written == *name || also;
            assert!(known, "{path}: {name} is {number:#x}, which is written {written}");
        }
    }
}

/// How definitions in those headers begin that are no values of the argument.
const OF_OTHERS: &[&str] = &[
    "KEYCTL_CAPS",
    "KEYCTL_SUPPORTS",
    "KEYCTL_MOVE_EXCL",
    "PER_MASK",
    "F_RDLCK",
    "F_WRLCK",
    "F_UNLCK",
    "F_EXLCK",
    "F_SHLCK",
    "F_OWNER_",
    "F_LINUX_SPECIFIC_BASE",
    "TIOCPKT_",
    "TIOCSER_",
];
