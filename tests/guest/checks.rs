//! Makes the checks, one after the other, and reports how each ended.

use std::any::Any;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{self, AssertUnwindSafe};
use std::time::Instant;

use rustix::fs::OFlags;
use tests::virtual_machine::{Report, Verdict};

use crate::{
    capabilities, cgroups, containers, denied, enforce, no_btf, refused, storm, strace, truth,
    verify,
};

/// The serial port that reports go to.
const PORT: &str = "/dev/ttyS1";

/// Makes a check. It panics when something is not as it should be, and says what is missing when it
/// cannot be made.
type Make = fn(&Port) -> Result<(), String>;

/// The way out.
pub struct Port(File);

impl Port {
    fn open() -> Self {
        let flags = OFlags::NOCTTY.bits().cast_signed();
        let port = OpenOptions::new().write(true).custom_flags(flags).open(PORT);
        Self(port.unwrap_or_else(|error| panic!("cannot open {PORT}: {error}")))
    }

    /// Reports.
    pub fn report(&self, report: &Report) {
        writeln!(&self.0, "{}", report.line()).expect("the port takes a line");
    }
}

/// Makes the checks of these names.
pub fn run(names: &[String]) {
    let port = Port::open();
    let system = rustix::system::uname();
    port.report(&Report::Figures(format!("Linux {}", system.release().to_string_lossy())));
    for name in names {
        println!("guest: {name}");
        let started = Instant::now();
        let (verdict, story) = match find(name) {
            None => (Verdict::Failed, "the guest does not know this check".to_owned()),
            Some(make) => ended(panic::catch_unwind(AssertUnwindSafe(|| make(&port)))),
        };
        let seconds = started.elapsed().as_secs_f64();
        port.report(&Report::Ended { check: name.clone(), verdict, seconds, story });
    }
    port.report(&Report::Done);
}

fn find(name: &str) -> Option<Make> {
    Some(match name {
        "check" => |_| refused::tracing_is_possible(),
        "truth" => |_| truth::check(),
        "strace" => |_| strace::check(),
        "cgroups" => |_| cgroups::check(),
        "denied" => |_| denied::check(),
        "verify" => |_| verify::check(),
        "enforce" => |_| enforce::check(),
        "no_btf" => |_| no_btf::check(),
        "capabilities" => |_| capabilities::check(),
        "container" => |_| containers::one(),
        "runc" => |_| containers::check("runc"),
        "crun" => |_| containers::check("crun"),
        "refused" => |_| refused::check(),
        "storm" => storm::check,
        _ => return None,
    })
}

fn ended(outcome: Result<Result<(), String>, Box<dyn Any + Send>>) -> (Verdict, String) {
    match outcome {
        Ok(Ok(())) => (Verdict::Passed, String::new()),
        Ok(Err(missing)) => (Verdict::Skipped, missing),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let story = text.or_else(|| panic.downcast_ref::<&str>().copied());
            (Verdict::Failed, story.unwrap_or("it panicked").to_owned())
        }
    }
}
