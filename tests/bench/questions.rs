//! What questions to files take: of the learned profile of nginx, and of a log.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use crate::median;

/// Runs of each.
const RUNS: usize = 21;
/// What a person does not notice, in milliseconds.
const UNNOTICED: f64 = 50.0;
const NGINX: &str = "../profiles/learned/nginx.json";
const REDIS: &str = "../profiles/learned/redis.json";

/// The questions, each with files below this package.
const QUESTIONS: [(&str, &[&str]); 6] = [
    ("explain", &["explain", NGINX]),
    ("explain, one syscall", &["explain", NGINX, "statx"]),
    ("diff", &["diff", NGINX, REDIS]),
    ("diff, docker-default", &["diff", "docker-default", NGINX]),
    ("lint", &["lint", NGINX]),
    ("decode", &["decode", "offline/texts/strace-f.txt"]),
];

/// Prints a row for each: milliseconds, and the ratio to `tracer --version`.
pub fn bench() {
    println!("\nquestions to files, milliseconds and ratio to `tracer --version`:");
    for (title, words) in QUESTIONS {
        let (mut own, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (question, nothing) = (milliseconds(words), milliseconds(&["--version"]));
            own.push(question);
            ratios.push(question / nothing);
        }
        let took = median(&own);
        let note = if took < UNNOTICED { "" } else { ", more than 50 ms" };
        println!("{title:<22} {took:6.1} ({:.2}){note}", median(&ratios));
    }
}

fn milliseconds(words: &[&str]) -> f64 {
    let program = env::var_os("TRACER_BIN").expect("TRACER_BIN is set");
    let mut command = Command::new(program);
    command.args(words).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    let began = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = began.elapsed().as_secs_f64() * 1e3;
    assert!(status.expect("tracer can be started").success(), "tracer {words:?}");
    took
}
