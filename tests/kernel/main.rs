//! Tests on the running kernel: the real program, real eBPF, real processes.

mod bad_input;
mod capabilities;
mod cgroups;
mod container;
mod denied;
mod enforce;
mod ground_truth;
mod harness;
mod hostile_names;
mod install_localhost;
mod interrupted;
mod late_start;
mod life;
mod list;
mod losses;
mod main_job;
mod many;
mod merging;
mod outlived;
mod output_files;
mod phases;
mod ready_profiles;
mod snapshots;
mod strace;
mod verify;
mod waiting;
