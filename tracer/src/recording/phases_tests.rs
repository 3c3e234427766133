//! Tests of [`super`].

use tracer_ebpf::{NativeSets, executable};

use super::*;

const READ: i32 = 0;
const EXECVE: i32 = 59;
const MOUNT: i32 = 165;

fn empty() -> CgroupRecord {
    CgroupRecord::EMPTY
}

fn set(sets: &mut NativeSets, filters: usize, number: i32) {
    sets[filters][number as usize / 64] |= 1 << (number % 64);
}

fn seen(number: i32, bits: u16, executable: u16, first_seen: u64) -> (EvidenceKey, Evidence) {
    let class = bits | executable << class::EXECUTABLE_SHIFT;
    let key = EvidenceKey { cgroup: 7, number, class, compat: 0, reserved: 0 };
    (key, Evidence { first_seen, count: 1, command: [0; 16] })
}

fn phase(phases: &Phases, number: i32) -> Option<Phase> {
    phases.calls.get(&(Abi::X86_64, number)).map(|decision| decision.phase)
}

/// A container as runc makes it, unconfined: the workload reads, and the runtime mounts and enters
/// its root.
fn unconfined() -> (CgroupRecord, Vec<(EvidenceKey, Evidence)>) {
    let mut record = empty();
    set(&mut record.container, 0, READ);
    set(&mut record.host, 0, 53);
    record.first_seen[0] = 10;
    let setup = class::INIT_PENDING | class::FORKED | class::PARENT_HOST;
    let evidence = vec![
        seen(MOUNT, setup, executable::INTERNAL, 20),
        seen(155, setup | class::PARENT_OUTSIDE, executable::INTERNAL, 30),
    ];
    (record, evidence)
}

#[test]
fn setup_of_an_unconfined_container_is_not_workload() {
    let (record, evidence) = unconfined();
    for kind in [CgroupKind::Container, CgroupKind::Unknown] {
        let phases = decide(&record, &evidence, kind);
        assert_eq!(phase(&phases, MOUNT), Some(Phase::Setup));
        assert_eq!(phase(&phases, 53), Some(Phase::Setup), "socketpair by a task of the host");
        assert_eq!(phase(&phases, READ), Some(Phase::Workload));
        assert!(!phases.exact && !phases.ambiguous);
    }
}

#[test]
fn calls_of_the_host_are_workload_of_a_command() {
    let (record, evidence) = unconfined();
    let phases = decide(&record, &evidence, CgroupKind::Host);
    assert!(phases.calls.values().all(|decision| decision.phase == Phase::Workload));
}

#[test]
fn a_filter_divides_setup_from_container_init() {
    let mut record = empty();
    set(&mut record.container, 1, READ);
    record.first_seen[1] = 50;
    let setup = class::INIT_PENDING | class::FORKED | class::PARENT_HOST;
    let evidence = [
        seen(MOUNT, setup, executable::INTERNAL, 20),
        seen(EXECVE, setup | 1, executable::INTERNAL, 40),
    ];
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert!(phases.exact);
    assert_eq!(phase(&phases, MOUNT), Some(Phase::Setup));
    assert_eq!(phase(&phases, EXECVE), Some(Phase::ContainerInit));
    assert_eq!(phase(&phases, READ), Some(Phase::Workload));
}

#[test]
fn an_outer_filter_is_the_base() {
    let mut record = empty();
    set(&mut record.container, 2, READ);
    record.first_seen[2] = 50;
    let evidence = [
        seen(MOUNT, class::INIT_PENDING | 1, executable::HOST, 20),
        seen(EXECVE, class::INIT_PENDING | 2, executable::HOST, 40),
    ];
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert!(phases.exact);
    assert_eq!(phase(&phases, MOUNT), Some(Phase::Setup));
    assert_eq!(phase(&phases, EXECVE), Some(Phase::ContainerInit));
}

#[test]
fn a_workload_that_loads_a_filter_of_its_own_stays_workload() {
    let (mut record, evidence) = unconfined();
    set(&mut record.container, 1, 39);
    record.first_seen[1] = 90;
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert!(!phases.exact, "workload calls without the filter contradict it");
    assert_eq!(phase(&phases, READ), Some(Phase::Workload));
    assert_eq!(phase(&phases, 39), Some(Phase::Workload));
}

#[test]
fn a_sandbox_inside_the_container_is_workload() {
    let (record, mut evidence) = unconfined();
    let nested = class::STARTED | class::INIT_PENDING | class::FORKED;
    evidence.push(seen(MOUNT, nested, executable::INIT, 90));
    evidence.push(seen(272, class::STARTED, executable::OTHER, 95));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, MOUNT), Some(Phase::Workload));
    assert_eq!(phase(&phases, 272), Some(Phase::Workload));
}

#[test]
fn a_workload_in_a_memfd_is_workload_and_an_entering_runtime_is_not() {
    let (record, mut evidence) = unconfined();
    evidence.push(seen(41, class::STARTED, executable::INTERNAL, 90));
    evidence.push(seen(42, class::STARTED | class::PARENT_HOST, executable::INTERNAL, 91));
    let entering = class::STARTED | class::FORKED | class::PARENT_HOST;
    evidence.push(seen(308, entering, executable::INTERNAL, 92));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, 41), Some(Phase::Workload));
    assert_eq!(phase(&phases, 42), Some(Phase::Workload));
    assert!(phases.ambiguous && phases.calls[&(Abi::X86_64, 42)].ambiguous);
    assert_eq!(phase(&phases, 308), Some(Phase::Setup));
}

#[test]
fn a_runtime_that_forks_inside_a_filtered_container_is_not_workload() {
    let mut record = empty();
    set(&mut record.container, 1, READ);
    record.first_seen[1] = 50;
    let setup = class::INIT_PENDING | class::FORKED | class::PARENT_HOST;
    let second = class::STARTED | class::FORKED;
    let evidence = [
        seen(MOUNT, setup, executable::HOST, 20),
        seen(EXECVE, setup | 1, executable::HOST, 40),
        seen(273, second, executable::OTHER, 60),
        seen(274, second | 1, executable::OTHER, 70),
    ];
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert!(phases.exact);
    assert_eq!(phase(&phases, 273), Some(Phase::Setup), "it has not loaded the filter yet");
    assert_eq!(phase(&phases, 274), Some(Phase::Workload), "the facts do not tell");
    let unconfined = [evidence[0], evidence[2]];
    let phases = decide(&record, &unconfined, CgroupKind::Container);
    assert_eq!(phase(&phases, 273), Some(Phase::Workload), "nothing says who it is");
}

/// As runc 1.1 makes a container with a user namespace: its parent passes the sources of mounts
/// from the container's mount namespace (46 sends them).
fn passing(bits: u16) -> (EvidenceKey, Evidence) {
    let parent = class::PARENT_HOST | class::HOST_PROCESSES | bits;
    seen(46, parent, executable::INTERNAL, 25)
}

#[test]
fn doubt_without_the_filter_of_a_filtered_container_is_setup() {
    let mut record = empty();
    set(&mut record.container, 1, READ);
    record.first_seen[1] = 50;
    let setup = class::INIT_PENDING | class::FORKED | class::PARENT_HOST;
    let mut evidence = vec![
        seen(MOUNT, setup | class::HOST_PROCESSES, executable::INTERNAL, 20),
        passing(0),
        seen(EXECVE, setup | 1, executable::INTERNAL, 40),
    ];
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert!(phases.exact && !phases.ambiguous);
    assert_eq!(phase(&phases, 46), Some(Phase::Setup));
    // A workload in a memfd that a runtime executed, under the filter.
    evidence.push(seen(47, class::STARTED | class::PARENT_HOST | 1, executable::INTERNAL, 60));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, 47), Some(Phase::Workload));
    assert!(phases.ambiguous);
}

#[test]
fn doubt_in_the_hosts_pid_namespace_is_setup_where_the_container_has_its_own() {
    let (record, mut evidence) = unconfined();
    evidence.push(passing(0));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, 46), Some(Phase::Setup));
    assert!(!phases.ambiguous);
    // The same facts, but for the pid namespace: a workload in a memfd.
    evidence.push(seen(47, class::PARENT_HOST, executable::INTERNAL, 60));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, 47), Some(Phase::Workload));
    // A node agent that entered the host, and is no child of the host.
    evidence.push(seen(48, class::STARTED | class::HOST | class::HOST_PROCESSES, 0, 70));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, 48), Some(Phase::Workload));
}

#[test]
fn doubt_in_a_container_with_the_hosts_processes_is_workload() {
    let (record, evidence) = unconfined();
    let mut evidence: Vec<_> = evidence;
    for (key, _) in &mut evidence {
        key.class = key.class & !class::INIT_PENDING | class::HOST_PROCESSES;
    }
    evidence.push(passing(0));
    // The workload made a pid namespace.
    evidence.push(seen(60, class::STARTED | class::FORKED, executable::OTHER, 80));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, MOUNT), Some(Phase::Setup));
    assert_eq!(phase(&phases, 46), Some(Phase::Workload));
    assert!(phases.calls[&(Abi::X86_64, 46)].ambiguous);
}

#[test]
fn a_runtime_in_a_container_is_workload() {
    let mut record = empty();
    set(&mut record.container, 0, READ);
    record.first_seen[0] = 10;
    let setup = class::INIT_PENDING | class::FORKED | class::PARENT_OUTSIDE;
    let evidence =
        [seen(MOUNT, setup, executable::INTERNAL, 20), seen(155, setup, executable::INTERNAL, 30)];
    for kind in [CgroupKind::Container, CgroupKind::Unknown] {
        let phases = decide(&record, &evidence, kind);
        assert!(phases.calls.values().all(|decision| decision.phase == Phase::Workload));
    }
}

#[test]
fn a_shell_that_unshares_in_a_cgroup_made_by_hand_is_workload() {
    let mut record = empty();
    set(&mut record.host, 0, READ);
    record.first_seen[0] = 10;
    let evidence = [seen(MOUNT, class::INIT_PENDING | class::FORKED, executable::HOST, 20)];
    let phases = decide(&record, &evidence, CgroupKind::Unknown);
    assert_eq!(phase(&phases, READ), Some(Phase::Workload));
    assert_eq!(phase(&phases, MOUNT), Some(Phase::Workload));
}

#[test]
fn a_sandbox_in_a_cgroup_of_unknown_kind_is_workload() {
    let mut record = empty();
    set(&mut record.host, 0, READ);
    record.first_seen[0] = 10;
    let evidence = [
        seen(MOUNT, class::INIT_PENDING | class::FORKED, executable::HOST, 20),
        seen(161, class::INIT_PENDING | class::FORKED, executable::HOST, 30),
    ];
    let phases = decide(&record, &evidence, CgroupKind::Unknown);
    assert_eq!(phase(&phases, READ), Some(Phase::Workload), "its launcher is in the cgroup");
    assert_eq!(phase(&phases, 161), Some(Phase::Workload));
}

#[test]
fn a_container_that_enters_the_host_is_workload_and_an_entering_runtime_is_not() {
    let (record, mut evidence) = unconfined();
    evidence.push(seen(283, class::STARTED | class::HOST, executable::INSIDE, 90));
    let runtime = class::STARTED | class::HOST | class::PARENT_HOST;
    evidence.push(seen(0x4000_0000 | 308, runtime, executable::INSIDE, 91));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, 283), Some(Phase::Workload));
    assert_eq!(phases.calls[&(Abi::X32, 308)].phase, Phase::Setup);
}

#[test]
fn a_hook_in_the_containers_root_is_workload_and_one_before_is_not() {
    let (record, mut evidence) = unconfined();
    evidence.push(seen(22, class::INIT_PENDING, executable::INSIDE, 25));
    evidence.push(seen(83, class::INIT_PENDING | class::ENTERED, executable::INSIDE, 35));
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(phase(&phases, 22), Some(Phase::Setup), "createContainer");
    assert_eq!(phase(&phases, 83), Some(Phase::Workload), "startContainer");
    assert!(phases.calls[&(Abi::X86_64, 83)].ambiguous);
}

#[test]
fn only_a_filter_that_the_workload_did_not_load_hides_calls() {
    let (mut record, evidence) = unconfined();
    record.flags = flags::FILTER_MAY_DENY << 1;
    assert!(!decide(&record, &evidence, CgroupKind::Container).filtered, "its own");
    record.flags = flags::FILTER_MAY_DENY;
    assert!(decide(&record, &evidence, CgroupKind::Container).filtered);
}

#[test]
fn the_phase_of_a_refused_call_is_told_before_the_rest_is_known() {
    use CgroupKind::{Container, Host, Unknown};
    let outside = executable::HOST << class::EXECUTABLE_SHIFT | 1;
    for (class, kind, expected) in [
        (outside, Container, Phase::ContainerInit),
        (outside, Unknown, Phase::ContainerInit),
        (outside, Host, Phase::Workload),
        (class::HOST | 1, Unknown, Phase::Workload),
        (1, Unknown, Phase::Workload),
    ] {
        assert_eq!(denied_phase(class, kind), expected, "{class:#x} {kind:?}");
    }
}

#[test]
fn a_runtime_that_enters_a_container_of_unknown_kind_is_told_by_what_it_is_refused() {
    let mut record = empty();
    set(&mut record.container, 1, READ);
    record.first_seen[1] = 50;
    let outside = executable::INTERNAL << class::EXECUTABLE_SHIFT | class::STARTED | 1;
    let entering = outside | class::FORKED | class::PARENT_HOST;
    let unknown = decide(&record, &[], CgroupKind::Unknown);
    assert_eq!(unknown.denied_phase(entering), Phase::ContainerInit, "its start was not seen");
    assert_eq!(unknown.decision(entering).phase, Phase::Workload, "and nothing is left out");
    for class in [outside | class::FORKED, outside | class::PARENT_HOST, entering | class::HOST, 1]
    {
        assert_eq!(unknown.denied_phase(class), Phase::Workload, "{class:#x}");
    }
    let host = decide(&record, &[], CgroupKind::Host);
    assert_eq!(host.denied_phase(entering), Phase::Workload, "a command's own doing");
}

#[test]
fn abis_are_kept_apart() {
    let mut compat = seen(20, 0, executable::INSIDE, 5);
    compat.0.compat = 1;
    let evidence = [compat, seen(0x4000_0000 | 39, 0, executable::INSIDE, 6), seen(-1, 0, 0, 7)];
    let phases = decide(&empty(), &evidence, CgroupKind::Unknown);
    let keys: Vec<_> = phases.calls.keys().copied().collect();
    assert_eq!(keys, [(Abi::X86_64, -1), (Abi::I386, 20), (Abi::X32, 39)]);
}

fn passed(phases: &Phases) -> Vec<i32> {
    phases.passed.iter().map(|(_, number)| *number).collect()
}

#[test]
fn what_passed_the_container_s_filter_is_what_was_made_under_it() {
    let mut record = empty();
    // A workload that loads a filter of its own later: what it made before passed the container's
    // as well.
    set(&mut record.container, 1, READ);
    set(&mut record.container, 2, 39);
    record.first_seen = [0, 50, 60, 0];
    let setup = class::INIT_PENDING | class::FORKED | class::PARENT_HOST;
    let evidence = [
        seen(MOUNT, setup, executable::INTERNAL, 20),
        seen(EXECVE, setup | 1, executable::INTERNAL, 40),
    ];
    let phases = decide(&record, &evidence, CgroupKind::Container);
    assert_eq!(passed(&phases), [READ, 39, EXECVE], "and not what was set up before");
    let phases = decide(&unconfined().0, &unconfined().1, CgroupKind::Container);
    assert!(passed(&phases).is_empty(), "there was no filter");
}

#[test]
fn elsewhere_only_what_was_made_under_the_most_filters_has_surely_passed_the_profile() {
    let filtered = |levels: &[(usize, i32)]| {
        let mut record = empty();
        for (level, number) in levels {
            set(&mut record.host, *level, *number);
            record.first_seen[*level] = 10 + *level as u64;
        }
        passed(&decide(&record, &[], CgroupKind::Host))
    };
    assert!(filtered(&[(0, READ)]).is_empty());
    assert_eq!(filtered(&[(0, READ), (1, 39)]), [39]);
    assert_eq!(filtered(&[(0, READ), (1, 39), (2, MOUNT)]), [MOUNT], "the first may be another's");
    assert!(filtered(&[(1, 39), (3, MOUNT)]).is_empty(), "three stand for more");
    assert_eq!(filtered(&[(1, 39)]), [39], "of a late start");
}
