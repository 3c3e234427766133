//! Tests of what is said of containers while they are recorded, with events that are made up.

use tracer_ebpf::{class, executable};

use super::*;
use crate::{syscalls::Abi, text::escape};

const READ: i32 = 0;
const CLONE: i32 = 56;
const MOUNT: i32 = 165;
const UNSHARE: i32 = 272;
/// A runtime's process that has not left the host's mount namespace.
const OUTSIDE: u16 = class::HOST | class::FORKED | class::PARENT_HOST;
/// One that has, and has not executed the program.
const SET_UP: u16 = class::INIT_PENDING
    | class::FORKED
    | class::PARENT_HOST
    | executable::INTERNAL << class::EXECUTABLE_SHIFT;
/// crun's second child, whose parent is in the container by then.
const SECOND_CHILD: u16 = class::FORKED | executable::INTERNAL << class::EXECUTABLE_SHIFT;
/// A program of the container.
const PROGRAM: u16 = 0;
/// What is shown of a container that runc sets up with one call and whose program reads.
const STARTED: [&str; 4] =
    ["a: starts", "a: set-up by runc: 1", "a: program sh[7]", "a: 0 (workload)"];

fn new_call(number: i32, command: &str) -> NewCall {
    NewCall {
        seconds: 0.5,
        cgroup: escape("/a"),
        abi: Abi::X86_64,
        number,
        name: None,
        invocation: None,
        pid: 7,
        command: escape(command),
        outcome: None,
        denied_in_phase: None,
        argument: None,
    }
}

/// What was shown.
#[derive(Default)]
struct World {
    lives: Lives,
    lines: Vec<String>,
}

impl World {
    /// One container, in which these calls were made.
    fn of(calls: &[(i32, u16)]) -> Self {
        let mut world = Self::default();
        for (number, class) in calls {
            world.call('a', 1, *number, *class);
        }
        world
    }

    fn show(&mut self, label: &str, mark: &Mark) {
        let words = match mark {
            Mark::Starts => "starts".to_owned(),
            Mark::SetUp { by, calls } => {
                format!("set-up by {}: {calls}", by.as_deref().unwrap_or("?"))
            }
            Mark::Program { command, pid } => format!("program {command}[{pid}]"),
            Mark::Ended { had_started } => format!("ended {had_started}"),
        };
        self.lines.push(format!("{label}: {words}"));
    }

    /// A call in a container of one digit, whose cgroup has that id.
    fn call(&mut self, id: char, cgroup: u64, number: i32, class: u16) {
        let container = IdentifiedContainer {
            id: id.to_string(),
            label: escape(&id.to_string()),
            top: format!("/docker/{id}").as_str().into(),
        };
        let path: CgroupPath = format!("/docker/{id}").as_str().into();
        let is_runtimes = class & (class::HOST | class::FORKED) != 0;
        let new = new_call(number, if is_runtimes { "runc" } else { "sh" });
        let sight = Sight {
            key: (cgroup, Abi::X86_64, number),
            path: &path,
            class,
            new: &new,
            is_first: true,
        };
        let seen = self.lives.sight(Some(container), &sight);
        seen.marks.iter().for_each(|mark| self.show(&id.to_string(), mark));
        if seen.is_new && seen.phase != Phase::Setup {
            self.lines.push(format!("{id}: {number} ({})", seen.phase.name()));
        }
    }

    fn ended(&mut self, there: &[&str]) {
        for (label, marks) in self.lives.ended(|path| there.contains(&path.as_str())) {
            marks.iter().for_each(|mark| self.show(label.as_str(), mark));
        }
    }

    fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }
}

#[test]
fn a_container_starts_is_set_up_runs_its_program_and_ends() {
    let mut world = World::of(&[
        (READ, OUTSIDE),
        (UNSHARE, OUTSIDE),
        (READ, SET_UP),
        (MOUNT, SET_UP),
        // Behind the load of a filter.
        (READ, SET_UP | 1),
        // Another thread.
        (CLONE, SET_UP),
        (READ, PROGRAM | 1),
        (MOUNT, OUTSIDE | class::STARTED),
    ]);
    world.ended(&["/docker/a"]);
    let expected =
        ["a: starts", "a: set-up by runc: 3", "a: 0 (container-init)", "a: program sh[7]"];
    assert_eq!(world.lines(), expected, "read and mount are no news of the runtime's");
    world.ended(&[]);
    world.ended(&[]);
    assert_eq!(world.lines(), ["a: ended true"], "once");
}

#[test]
fn the_workloads_own_call_is_shown_though_the_runtime_made_it_before() {
    let calls = [(MOUNT, SET_UP), (READ, PROGRAM), (MOUNT, PROGRAM), (MOUNT, PROGRAM)];
    let mut world = World::of(&calls);
    assert_eq!(world.lines(), [&STARTED[..], &["a: 165 (workload)"]].concat());
}

#[test]
fn a_child_of_the_runtime_on_its_way_in_is_no_program() {
    let mut world = World::of(&[(READ, OUTSIDE), (MOUNT, SECOND_CHILD)]);
    assert_eq!(world.lines(), ["a: starts"]);
    world.call('a', 1, READ, SECOND_CHILD | 1);
    assert_eq!(world.lines(), ["a: set-up by runc: 2", "a: 0 (container-init)"]);
    world.call('a', 1, READ, PROGRAM | 1);
    world.call('a', 1, MOUNT, SECOND_CHILD | 1);
    let expected = ["a: program sh[7]", "a: 165 (workload)"];
    assert_eq!(world.lines(), expected, "a program in memory may fork");
}

#[test]
fn the_runtime_has_the_first_name_that_is_one_of_a_runtime() {
    let of = |commands: &[&str]| {
        let mut set_up = SetUp::default();
        commands.iter().for_each(|command| set_up.add(&escape(command), true));
        [set_up.mark(), set_up.mark()]
    };
    let runc = Some(escape("runc:[1:CHILD]"));
    let named = Some(Mark::SetUp { by: runc, calls: 3 });
    assert_eq!(of(&["exe", "runc:[1:CHILD]", "crun"]), [named, None], "once");
    assert_eq!(of(&["exe", "6"]), [Some(Mark::SetUp { by: None, calls: 2 }), None]);
    assert_eq!(of(&[]), [None, None]);
}

#[test]
fn a_container_that_fails_to_start_says_so() {
    let mut world = World::of(&[(MOUNT, SET_UP)]);
    world.ended(&[]);
    assert_eq!(world.lines(), ["a: starts", "a: set-up by runc: 1", "a: ended false"]);
}

#[test]
fn another_cgroup_in_its_place_is_another_start_and_one_below_is_not() {
    let mut world = World::of(&[(READ, PROGRAM)]);
    assert_eq!(world.lines(), ["a: starts", "a: program sh[7]", "a: 0 (workload)"]);
    // Faster than anybody looked.
    world.call('a', 2, READ, SET_UP);
    world.call('a', 2, READ, PROGRAM);
    assert_eq!(world.lines(), [&["a: ended true"], &STARTED[..]].concat());
    world.ended(&[]);
    world.lines();
    world.call('a', 2, MOUNT, PROGRAM);
    assert_eq!(world.lines(), ["a: 165 (workload)"], "a late event is no start");
    world.call('a', 3, MOUNT, PROGRAM);
    assert_eq!(world.lines()[0], "a: starts");
}

#[test]
fn what_ran_before_has_no_start_and_its_exec_sessions_are_folded() {
    let mut world = World::default();
    world.lives.expect_no_start_of([1]);
    world.call('a', 1, READ, PROGRAM | class::STARTED | 1);
    world.call('a', 1, MOUNT, OUTSIDE | class::STARTED);
    world.call('a', 1, UNSHARE, PROGRAM | class::STARTED | 1);
    assert_eq!(world.lines(), ["a: 0 (workload)", "a: 272 (workload)"]);
    world.ended(&[]);
    assert_eq!(world.lines(), ["a: ended true"]);
}

#[test]
fn labels_are_for_several() {
    let mut world = World::of(&[(READ, PROGRAM)]);
    world.call('a', 2, READ, PROGRAM);
    assert!(!world.lives.are_several(), "the same again");
    world.call('b', 3, READ, PROGRAM);
    assert!(world.lives.are_several());
}

#[test]
fn what_is_no_container_has_calls_alone() {
    let path: CgroupPath = "/app".into();
    let mut lives = Lives::default();
    for is_first in [true, false] {
        let sight = Sight {
            key: (1, Abi::X86_64, READ),
            path: &path,
            class: OUTSIDE,
            new: &new_call(READ, "sh"),
            is_first,
        };
        let expected = Seen { marks: Vec::new(), phase: Phase::Workload, is_new: is_first };
        assert_eq!(lives.sight(None, &sight), expected);
    }
}

#[test]
fn so_many_lives_are_followed_and_those_that_ended_make_room() {
    let mut world = World::default();
    let starts = |world: &mut World, from: u64, count: u64| {
        for at in from..from + count {
            let id = char::from_u32(0x4e00 + at as u32).expect("a character");
            world.call(id, at, READ, PROGRAM);
        }
        world.lines().iter().filter(|line| line.ends_with(": starts")).count()
    };
    assert_eq!(starts(&mut world, 0, MOST as u64 + 10), MOST);
    world.ended(&[]);
    world.lines();
    assert_eq!(starts(&mut world, 5000, 3), 3);
}
