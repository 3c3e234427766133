//! `tracer decode --command`: what is kept of a text in which other commands are as well.

use std::fs;

use tests::temporary_directory;
use tracer::recording::json::from_json;
use tracer::syscalls::Abi;
use tracer::text::Escaped;
use tracer::workbench::decode::found::{Asked, CommandName};
use tracer::workbench::decode::{Decoded, decode, render};

use crate::decoded::{native, text};
use crate::program::tracer;

tests::trials! {
    the_lines_of_a_command_are_kept,
    a_command_is_known_by_its_name_however_it_is_typed,
    the_program_keeps_what_it_is_asked_for,
}

fn of_command(text: &[u8], name: &str) -> Decoded {
    let commands = [CommandName::new(name)];
    decode(text, Asked { abi: Abi::X86_64, profile: None, commands: &commands })
}

fn the_lines_of_a_command_are_kept() {
    let log = [text("seccomp.log"), b"59 317\n".to_vec()].concat();
    let count = |decoded: &Decoded| decoded.calls.iter().map(|call| call.count).sum::<u64>();
    let all = native(&log);
    for (name, expected) in [("t", 4), ("t x", 1), ("nginx", 1), ("nobody", 0)] {
        let kept = of_command(&log, name);
        assert_eq!(count(&kept), expected, "{name}: {kept:?}");
        assert!(kept.calls.iter().all(|call| call.command.as_deref() == Some(name)), "{kept:?}");
        assert_eq!(count(&kept) + kept.left_out, count(&all), "{name}");
        assert_eq!((kept.complete, kept.missing), (all.complete, all.missing), "{name}");
        // What is to be known of a record of one that is left out is not.
        assert_eq!(kept.remarks.is_empty(), name != "t", "{name}: {:?}", kept.remarks);
    }
    let shown = render::text(&of_command(&log, "nginx"), None, 200);
    assert!(shown.contains("left out: 9 syscalls of other commands"), "{shown}");
    let strace = b"[pid 29004<sh>] getpid() = 1\n29005<t> getppid() = 1\n";
    let kept = of_command(strace, "t");
    let names: Vec<_> = kept.calls.iter().map(|call| call.name).collect();
    assert_eq!((names.as_slice(), kept.left_out), (&[Some("getppid")][..], 1));
    // A record that was cut off may be of the command, unless it says that it is of another.
    let cut = log.split(|byte| *byte == b'\n').next().expect("a line");
    let end = cut.windows(4).position(|part| part == b" ip=").expect("a record");
    for (name, damaged) in [("t", 1), ("nginx", 0)] {
        assert_eq!(of_command(&cut[..end], name).damaged, damaged, "{name}");
    }
    assert_eq!(of_command(b"type=1326 cut off\n", "nginx").damaged, 1);
}

fn a_command_is_known_by_its_name_however_it_is_typed() {
    for (typed, shown, expected) in [
        ("containerd-shim-runc-v2", "containerd-shim", true),
        ("containerd-shim", "containerd-shim-runc-v2", false),
        ("\u{1b}[2J", r"\x1b[2J", true),
        (r"\x1b[2J", r"\x1b[2J", true),
        ("nginx", "nginx: worker", false),
        ("", "nginx", false),
    ] {
        let command = Escaped::joined(shown);
        assert_eq!(CommandName::new(typed).is(&command), expected, "{typed:?} {shown}");
    }
}

fn the_program_keeps_what_it_is_asked_for() {
    let directory = temporary_directory();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("seccomp.log"), text("seccomp.log")).expect("a file can be written");
    fs::write(path("numbers"), b"59 317").expect("a file can be written");
    let run = |words: &[&str]| tracer(directory.path(), &[&["decode"], words].concat());
    let recorded = ["--recording", "log.recording.json"];
    let both = ["seccomp.log", "--command", "nginx", "--command", "mkdir"];
    let kept = run(&[&both[..], &recorded].concat());
    assert_eq!(kept.code, Some(3), "the log lacks records: {kept:?}");
    assert!(kept.stdout.contains("left out: 6 syscalls of other commands"), "{kept:?}");
    let says = "1 syscalls that were made, 1 that were refused; incomplete, as every recording of a log; of nginx, mkdir\n";
    assert!(kept.stderr.contains(says), "{kept:?}");
    let recording = fs::read(path("log.recording.json")).expect("it is written");
    let recording = from_json(&recording).expect("a recording");
    let names = recording.cgroups[0].calls.iter().map(|call| call.name.as_deref());
    assert_eq!(names.collect::<Vec<_>>(), [Some("mkdir"), Some("accept4")]);
    let none = run(&["numbers", "--command", "nginx"]);
    let says = "error: numbers names no syscall of nginx: 2 are of other commands, or of none";
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.stderr.contains(says) && none.stderr.contains("\n\nhint: "), "{none:?}");
}
