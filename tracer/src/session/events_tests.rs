//! Tests of what the events of the kernel side mean, with a clock and a cgroup hierarchy of their
//! own.

use std::{collections::BTreeMap, time::Duration};

use tracer_ebpf::{CgroupEvent, DenialKey, EvidenceKey, architecture::abi};

use super::*;
use crate::{
    live::{Detail, Live},
    recording::{TargetKind, selection::Selection},
    target::{inventory::Inventory, testing::FakeHost},
};

const SOCKET: i32 = 41;
const OPENAT: i32 = 257;
/// Of a cgroup that no file system shows.
const GONE: u64 = 4711;

/// A recording of `/app`, beside which there is `/other`.
struct World {
    host: FakeHost,
    events: EventHandler,
    late: Late,
    start: Instant,
    /// Every new call that was shown.
    shown: Vec<NewCall>,
}

impl World {
    fn new() -> Self {
        let host = FakeHost::new();
        host.cgroup("/app", &[10]);
        host.cgroup("/other", &[11]);
        let selection = Selection {
            name: "/app".into(),
            kind: TargetKind::Path,
            paths: vec!["/app".into()],
            without: Vec::new(),
        };
        let (selections, root) = (vec![selection], host.root());
        let tracker = TargetTracker::new(
            selections,
            Vec::new(),
            Inventory::default(),
            Box::new(root.clone()),
            None,
        );
        let mut events = EventHandler::new(tracker, 1_000_000_000);
        events.names.learn(&root.tree().expect("a tree").nodes);
        let late = Late::watch(&root, BTreeMap::new(), 0).expect("nothing to watch");
        Self { host, events, late, start: Instant::now(), shown: Vec::new() }
    }

    fn id(&self, path: &str) -> u64 {
        self.host.root().id(path).expect("a cgroup")
    }

    /// Handles a batch so many seconds after the start.
    fn handle(&mut self, seconds: u64, batch: Batch) {
        let live = &mut Live::new(Detail::Quiet);
        let (autosave, snapshot) = (&mut |_: &_| {}, &mut |_: &_| String::new());
        let new_call = &mut |call: &NewCall| self.shown.push(call.clone());
        let mut observers = Observers { live, autosave, snapshot, new_call };
        let now = self.start + Duration::from_secs(seconds);
        let root = self.host.root();
        self.events.handle(batch, now, &root, &mut self.late, &mut observers);
    }

    fn calls(&mut self, seconds: u64, calls: Vec<CallEvent>) {
        self.handle(seconds, Batch { calls, ..Batch::default() });
    }

    fn quiet_for(&self, seconds: u64) -> Option<u64> {
        let now = self.start + Duration::from_secs(seconds);
        self.events.activity.quiet_for(now).map(|quiet| quiet.as_secs())
    }

    fn names(&self) -> Vec<String> {
        self.shown.iter().map(NewCall::display).collect()
    }
}

fn key(cgroup: u64, number: i32) -> EvidenceKey {
    EvidenceKey { cgroup, number, class: 0, compat: 0, reserved: 0 }
}

fn call(cgroup: u64, number: i32) -> CallEvent {
    CallEvent {
        time: 1_500_000_000,
        key: key(cgroup, number),
        seen: SeenValue(0),
        pid: 10,
        reserved: 0,
        command: *b"cat\x1b\0...........",
    }
}

/// The value of the first argument of socket(2).
fn family(cgroup: u64, value: u32) -> CallEvent {
    CallEvent { seen: SeenValue::new(value, 0, 0, abi::X86_64), ..call(cgroup, SOCKET) }
}

fn denial(cgroup: u64, number: i32) -> DenialEvent {
    let values = Values { arguments: [0; 6], pointed: 0, known: 0, pid: 10 };
    let key = DenialKey { call: key(cgroup, number), outcome: 1, place: 0 };
    DenialEvent { time: 2_000_000_000, key, values, command: [0; 16] }
}

fn announced(cgroup: u64, parent: u64, name: &[u8]) -> CgroupEvent {
    let mut event = CgroupEvent { time: 0, cgroup, ancestors: [0; 32], name: [0; 256] };
    event.ancestors[..3].copy_from_slice(&[1, parent, cgroup]);
    event.name[..name.len()].copy_from_slice(name);
    event
}

#[test]
fn a_call_of_the_target_is_shown_once_and_escaped() {
    let mut world = World::new();
    let app = world.id("/app");
    world.calls(0, vec![call(app, OPENAT), call(app, OPENAT)]);
    world.calls(1, vec![call(app, OPENAT)]);
    assert_eq!(world.names(), ["openat"]);
    assert_eq!(world.shown[0].command, r"cat\x1b");
    assert_eq!((world.shown[0].seconds, world.shown[0].cgroup.as_str()), (0.5, "/app"));
    assert_eq!(world.events.activity.calls, 1);
}

#[test]
fn other_cgroups_are_kept_and_neither_shown_nor_activity() {
    let mut world = World::new();
    let other = world.id("/other");
    world.calls(0, vec![call(other, OPENAT)]);
    assert!(world.shown.is_empty());
    assert_eq!(world.events.seen(), 1, "a target may still prove to be there");
    assert_eq!(world.quiet_for(5), None);
}

#[test]
fn quiet_begins_anew_with_each_new_call_and_value() {
    let mut world = World::new();
    let app = world.id("/app");
    assert_eq!(world.quiet_for(3), None, "there was no call yet");
    world.calls(3, vec![call(app, SOCKET)]);
    world.calls(5, vec![call(app, SOCKET)]);
    assert_eq!(world.quiet_for(7), Some(4), "a known call is no news");
    world.calls(8, vec![family(app, 2)]);
    assert_eq!(world.quiet_for(9), Some(1), "a value is");
    world.handle(10, Batch { denials: vec![denial(app, OPENAT)], ..Batch::default() });
    assert_eq!(world.quiet_for(10), Some(0), "a denied call is");
}

#[test]
fn the_values_that_a_new_call_passes_follow_it() {
    let mut world = World::new();
    let app = world.id("/app");
    // The kernel side sends them in this order.
    world.calls(0, vec![family(app, 1), family(app, 1), call(app, SOCKET), family(app, 2)]);
    assert_eq!(world.names(), ["socket", "socket(AF_UNIX)", "socket(AF_INET)"]);
    assert_eq!(world.events.activity.calls, 1, "values are no calls");
}

#[test]
fn a_call_waits_for_the_place_of_its_cgroup() {
    let mut world = World::new();
    world.calls(0, vec![call(GONE, OPENAT), call(GONE, OPENAT)]);
    world.handle(1, Batch { denials: vec![denial(GONE, SOCKET)], ..Batch::default() });
    assert!(world.shown.is_empty());
    assert_eq!(world.events.seen(), 0, "it counts when it has a place");
    let cgroups = vec![announced(GONE, world.id("/app"), b"worker")];
    world.handle(2, Batch { cgroups, ..Batch::default() });
    assert_eq!(world.names(), ["openat", "socket"]);
    assert!(world.shown.iter().all(|call| call.cgroup == "/app/worker"));
}

#[test]
fn a_denied_call_is_shown_once_and_counts_as_denied() {
    let mut world = World::new();
    let app = world.id("/app");
    world.handle(0, Batch { denials: vec![denial(app, OPENAT); 2], ..Batch::default() });
    world.handle(1, Batch { denials: vec![denial(app, OPENAT)], ..Batch::default() });
    assert_eq!(world.names(), ["openat"]);
    assert!(world.shown[0].outcome.is_some() && world.shown[0].denied_in_phase.is_some());
    assert_eq!((world.events.activity.calls, world.events.activity.denied), (1, 1));
}

#[test]
fn the_uppermost_cgroup_of_a_target_is_followed_when_it_comes() {
    let mut world = World::new();
    let app = world.id("/app");
    let cgroups = vec![announced(app, 2, b"app"), announced(GONE, app, b"worker")];
    world.handle(0, Batch { cgroups, ..Batch::default() });
    assert_eq!(world.events.new_targets, [(app, CgroupPath::from("/app"))]);
}

#[test]
fn the_calls_of_a_runtime_are_counted_apart_and_events_know_first_sights_alone() {
    let mut world = World::new();
    let id = "0123456789abcdef".repeat(4);
    let cgroups = vec![announced(GONE, world.id("/app"), id.as_bytes())];
    world.handle(0, Batch { cgroups, ..Batch::default() });
    let of_class = |number, class| {
        let key = EvidenceKey { class, ..key(GONE, number) };
        CallEvent { key, ..call(GONE, number) }
    };
    let set_up = tracer_ebpf::class::HOST | tracer_ebpf::class::PARENT_HOST;
    world.calls(1, vec![of_class(OPENAT, set_up), of_class(SOCKET, set_up)]);
    assert_eq!((world.events.activity.calls, world.events.activity.set_up), (0, 2));
    world.calls(5, vec![of_class(OPENAT, 0)]);
    assert_eq!((world.events.activity.calls, world.events.activity.set_up), (1, 2));
    assert_eq!(world.quiet_for(7), Some(2), "the profile has one call more");
    assert_eq!(world.names(), ["openat", "socket"]);
    let label = world.events.label(&format!("/app/{id}").as_str().into());
    assert_eq!(label, "0123456789ab");
}
