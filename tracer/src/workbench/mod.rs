//! Questions to files: what a profile or a recording says, where two of them differ, and what is
//! wrong with a profile. Everything here is pure.
//!
//! - [`about`], [`risk`]: what each syscall does, and the harm that can be done with it;
//! - [`convert`]: a profile in the form that another tool takes;
//! - [`decisions`]: what people decided about syscalls, in `tracer.toml`;
//! - [`decode`]: the syscalls that a pasted text names;
//! - [`diff`]: compares profiles and recordings by their effect;
//! - [`document`]: reads whatever file is named;
//! - [`explain`]: what is in a profile or a recording, and what is known of one syscall;
//! - [`json_text`]: JSON in which every value knows its place, so that a finding names a line and a
//!   fix changes nothing else;
//! - [`lint`]: what is wrong with a profile, for whom, and the corrected text;
//! - [`numbers`], [`paragraph`]: numbers for people, and text that fits a terminal;
//! - [`report`]: what recordings show, as a page or for a pull request;
//! - [`review`]: the syscalls that somebody has yet to decide about;
//! - [`startup_error`]: the message of a container that did not start, and which call its profile
//!   lacks;
//! - [`systemd`]: the filter of a unit.

pub mod about;
pub mod convert;
pub mod decisions;
pub mod decode;
pub mod diff;
pub mod document;
pub mod explain;
pub mod json_text;
pub mod lint;
pub mod numbers;
pub mod paragraph;
pub mod report;
pub mod review;
pub mod risk;
pub mod startup_error;
pub mod systemd;
