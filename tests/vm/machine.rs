//! A virtual machine: started when a test first asks for it, and what its guest reported.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tests::virtual_machine::{Report, Setup, Verdict};
use tests::{Stop, holds_within, tool};

use crate::image::Image;
use crate::kernels::Kernel;
use crate::table::{Cell, Table};

/// The kinds of machines.
pub const SETUPS: [Setup; 2] = [Setup::Plain, Setup::Preemptive];
/// Machines that run at once.
const MACHINES: usize = 2;
/// How long a machine may run.
const BOUND: Duration = Duration::from_secs(900);
/// Lines of the console that a failure shows.
const SHOWN: usize = 30;

/// How many more machines may run now.
static FREE: Mutex<usize> = Mutex::new(MACHINES);
static FREED: Condvar = Condvar::new();
/// The initial file system, the same for all.
static IMAGE: OnceLock<Result<Image, String>> = OnceLock::new();

/// A machine for several checks of one kernel.
pub struct Machine {
    kernel: Kernel,
    setup: Setup,
    checks: Vec<&'static str>,
    table: Arc<Table>,
    run: OnceLock<Result<Run, String>>,
}

/// What is left of a machine that ran.
struct Run {
    ended: BTreeMap<String, (Verdict, String)>,
    console: PathBuf,
    /// Why it is not trusted further than the checks that it reported.
    fault: Option<String>,
}

/// An emulator's process, which ends with this value.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One of the machines that may run at once.
struct Place;

impl Place {
    fn acquire() -> Self {
        let free = FREE.lock().expect("no holder panics");
        let mut free = FREED.wait_while(free, |free| *free == 0).expect("no holder panics");
        *free -= 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *FREE.lock().expect("no holder panics") += 1;
        FREED.notify_one();
    }
}

impl Machine {
    /// Not started yet.
    pub fn new(
        kernel: &Kernel,
        setup: Setup,
        checks: Vec<&'static str>,
        table: &Arc<Table>,
    ) -> Self {
        let (kernel, table) = (kernel.clone(), Arc::clone(table));
        Self { kernel, setup, checks, table, run: OnceLock::new() }
    }

    /// How a check ended; the first to ask runs the machine.
    pub fn outcome(&self, check: &str) -> Result<(), Stop> {
        let run = self.run.get_or_init(|| self.run()).as_ref().map_err(String::clone)?;
        let console = run.console.display();
        let Some((verdict, story)) = run.ended.get(check) else {
            self.table.set(&self.kernel.series, check, Cell::lost());
            let fault = run.fault.as_deref().unwrap_or("the guest did not report it");
            let last = last_lines(&run.console);
            let story = format!("{fault}\n{last}the whole console: {console}");
            return Err(Stop::Fail(story));
        };
        match verdict {
            Verdict::Passed => Ok(()),
            Verdict::Failed => Err(Stop::Fail(format!("{story}\nthe console: {console}"))),
            Verdict::Skipped => Err(Stop::Skip(story.clone())),
        }
    }

    fn name(&self) -> String {
        match self.setup {
            Setup::Plain => self.kernel.series.clone(),
            Setup::Preemptive => format!("{}-preemptive", self.kernel.series),
        }
    }

    fn run(&self) -> Result<Run, String> {
        let image = IMAGE.get_or_init(Image::new).as_ref().map_err(String::clone)?;
        let directory = PathBuf::from(env::var_os("TRACER_VM_CONSOLES").unwrap_or_default());
        fs::create_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let console = directory.join(format!("{}.console", self.name()));
        let reports = directory.join(format!("{}.reports", self.name()));
        let mut command = self.command(&image.path(), &reports)?;
        let output = File::create(&console).map_err(|error| format!("{console:?}: {error}"))?;
        let errors = output.try_clone().map_err(|error| format!("{console:?}: {error}"))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);

        let place = Place::acquire();
        println!("{}: {} starts", self.name(), self.checks.join(", "));
        let started = Instant::now();
        // The emulator dies with this thread, should the test program be killed; the thread waits
        // for it here.
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let mut emulator = Emulator(child);
        let in_time = holds_within(BOUND, || matches!(emulator.0.try_wait(), Ok(Some(_)) | Err(_)));
        drop((emulator, place));
        let seconds = started.elapsed().as_secs_f64();
        println!("{}: off after {seconds:.1} s", self.name());

        let mut run = Run { ended: BTreeMap::new(), console, fault: None };
        let is_done = self.read(&reports, &mut run);
        if !in_time {
            run.fault = Some(format!("the machine was not done within {BOUND:?}"));
        } else if !is_done {
            run.fault = Some(format!("the machine went off early, after {seconds:.1} s"));
        }
        Ok(run)
    }

    /// Takes the guest's reports; whether the last one is among them.
    fn read(&self, reports: &Path, run: &mut Run) -> bool {
        let text = fs::read(reports).unwrap_or_default();
        let mut is_done = false;
        for report in String::from_utf8_lossy(&text).lines().filter_map(Report::parse) {
            match report {
                Report::Ended { check, verdict, seconds, story } => {
                    self.table.set(&self.kernel.series, &check, Cell { verdict, seconds });
                    run.ended.insert(check, (verdict, story));
                }
                Report::Figures(text) => {
                    self.table.add_figures(format!("{}: {text}", self.kernel.series));
                }
                Report::Done => is_done = true,
            }
        }
        is_done
    }

    fn command(&self, image: &Path, reports: &Path) -> Result<Command, String> {
        let emulator = env::var("TRACER_VM_EMULATOR").map_err(|error| error.to_string())?;
        let emulator: Vec<String> =
            serde_json::from_str(&emulator).map_err(|error| error.to_string())?;
        let mut command = Command::new(tool("setpriv")?);
        command.args(["--pdeathsig", "KILL", "--"]).args(emulator);
        let (processors, option) = match self.setup {
            Setup::Plain => ("2", ""),
            Setup::Preemptive => ("4", "preempt=full "),
        };
        command.args(["-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "2048"]);
        command.args(["-smp", processors, "-display", "none", "-no-reboot", "-nodefaults"]);
        command.args(["-serial", "stdio", "-serial"]).arg(format!("file:{}", reports.display()));
        command.arg("-kernel").arg(&self.kernel.image).arg("-initrd").arg(image);
        let words = self.checks.join(" ");
        // The check of the timer fails on a busy host, and the kernel panics then (kernel
        // `arch/x86/kernel/apic/io_apic.c`, `timer_irq_works`).
        let always = "console=ttyS0 quiet panic=-1 no_timer_check";
        command.arg("-append").arg(format!("{always} {option}-- {words}"));
        Ok(command)
    }
}

fn last_lines(console: &Path) -> String {
    let text = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(SHOWN)..];
    last.iter().map(|line| format!("| {line}\n")).collect()
}
