//! Files of decisions about syscalls, good and faulty, for the table of `bad_input`.

/// Decisions that can be read.
pub const DECISIONS: &str = "[[allow]]\nsyscalls = [\"ptrace\"]\nbecause = \"debug sidecar\"\nuntil = 9999-12-31\n\n[[deny]]\nsyscalls = [\"mount\"]\nbecause = \"never\"\n";
/// Files of decisions with faults, and what is said of each, by its place.
pub const FAULTY_DECISIONS: [(&str, &str, &str); 7] = [
    (
        "both.toml",
        "[[allow]]\nsyscalls = [\"bpf\"]\nbecause = \"a\"\n[[deny]]\nsyscalls = [\"bpf\"]\nbecause = \"b\"\n",
        "5:13: bpf is to be denied, and line 2 says the opposite",
    ),
    (
        "kind.toml",
        "[[deny]]\nsyscalls = \"bpf\"\nbecause = \"a\"\n",
        "2:12: `syscalls` must be a list of names, and is a string",
    ),
    ("key.toml", "[[deny]]\nsyscall = [\"bpf\"]\n", "2:1: `syscall` is no key here"),
    (
        "table.toml",
        "deny = [\"bpf\"]\n",
        "1:1: `deny` is an array, and must be a table that begins with [[deny]]",
    ),
    (
        "day.toml",
        "[[deny]]\nsyscalls = [\"bpf\"]\nbecause = \"a\"\nuntil = 2027-03-01T12:00:00Z\n",
        "4:9: `until` must be a date without a time",
    ),
    ("reason.toml", "[[deny]]\nsyscalls = [\"bpf\"]\n", "1:1: the decision has no `because`"),
    ("syntax.toml", "[[deny]]\nsyscalls = [\"bpf\"\n", "this is not TOML: "),
];
