//! What is attached while a sample is taken, and the cgroup that is traced.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use aya::{Ebpf, programs::RawTracePoint};
use tracer::bpf::{
    ARGUMENT_VALUE_ENTRIES, Events, Hook, LoadOptions, Preparation, Recorder, WatchedCgroups,
    syscall_tracepoints,
};

use crate::Variant;

/// A cgroup that is traced; removed at the end, when its processes have ended.
pub struct Group(PathBuf);

impl Group {
    /// Makes a cgroup below the mount of the v2 hierarchy.
    pub fn create(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
        let mount = mounts
            .lines()
            .find(|line| line.contains(" - cgroup2 "))
            .and_then(|line| line.split(' ').nth(4))
            .expect("a cgroup2 mount");
        let path = PathBuf::from(format!("{mount}/tracer-bench-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("a cgroup");
        Self(path)
    }

    /// The file that a process joins by.
    pub fn procs(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    fn id(&self) -> u64 {
        fs::metadata(&self.0).expect("the cgroup").ino()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The workers were asked to end; the last of them may take a moment to leave.
        for _ in 0..1000 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::yield_now();
        }
        eprintln!("{} could not be removed", self.0.display());
    }
}

/// Something attached, until it is dropped.
pub enum Attached {
    /// Nothing.
    Nothing,
    /// The empty program.
    Empty(#[expect(dead_code, reason = "kept for its drop")] Box<Ebpf>),
    /// tracer's kernel side.
    Tracer(#[expect(dead_code, reason = "kept for its drop")] Box<(Recorder, Events)>),
}

/// Attaches a variant.
pub fn attach(variant: Variant, groups: &[&Group]) -> Attached {
    let ids: Vec<u64> = groups.iter().map(|group| group.id()).collect();
    let watched = WatchedCgroups { roots: ids.clone(), targets: ids };
    let raw = LoadOptions {
        counts: true,
        denied: false,
        hook: Hook::Raw,
        fall_back: false,
        cgroups_expected: 0,
        argument_values: ARGUMENT_VALUE_ENTRIES,
        log: false,
    };
    let classic = || {
        let ids = syscall_tracepoints(Path::new("/sys"), true);
        LoadOptions { hook: Hook::Classic(ids.expect("tracefs")), ..raw.clone() }
    };
    let attached = |options, btf| {
        let attached = Recorder::attach(&watched, Preparation::begin(btf).load(options));
        let attached = attached.unwrap_or_else(|error| panic!("{error}: {error:?}"));
        Attached::Tracer(Box::new(attached))
    };
    let tracer = |options| attached(options, true);
    match variant {
        Variant::Untraced => Attached::Nothing,
        Variant::Empty => Attached::Empty(Box::new(empty())),
        Variant::Tracer => tracer(raw),
        Variant::TracerWithoutCounts => tracer(LoadOptions { counts: false, ..raw }),
        Variant::TracerWithoutBtf => attached(raw, false),
        Variant::TracerDenied => tracer(LoadOptions { denied: true, ..raw }),
        Variant::TracerClassic => tracer(classic()),
        Variant::TracerClassicDenied => tracer(LoadOptions { denied: true, ..classic() }),
    }
}

fn empty() -> Ebpf {
    let object =
        env::var_os("TRACER_EMPTY_OBJECT").expect("TRACER_EMPTY_OBJECT: run `cargo xtask bench`");
    let mut ebpf = Ebpf::load_file(object).expect("the empty program's object");
    let program: &mut RawTracePoint =
        ebpf.program_mut("empty").expect("the program").try_into().expect("a raw tracepoint");
    program.load().expect("load");
    program.attach("sys_enter").expect("attach");
    ebpf
}
