//! tracer's place among the processes that wait for a CPU.

use rustix::process::{getpriority_process, setpriority_process};

/// The nice value while recording. tracer mostly sleeps; what wakes it must be read soon: the name of a container can be asked for only
/// until its runtime forgets it, and a busy machine has many that wait for a CPU.
const NICE: i32 = -10;
/// What a process has unless somebody gave it another one.
const USUAL: i32 = 0;

/// Lets tracer run before others, where it may (`CAP_SYS_NICE`, or `RLIMIT_NICE`) and nobody gave it a nice value. Children that are
/// started later inherit it: the command is started before.
pub(super) fn run_before_others() {
    if getpriority_process(None) == Ok(USUAL) {
        // It records without it as well, only later.
        let _ = setpriority_process(None, NICE);
    }
}
