//! The page of `tracer report` in a headless Chromium: nothing to complain of in its console, no
//! part that is wider than a phone, and tables that sort.
//!
//! Where there is no Chromium the test is skipped, in CI as well: it costs more to install than the
//! rest of the tier. `apt-get install chromium` brings it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::{Completion, Trial};
use tests::{temporary_directory, tool};
use tracer::workbench::report::html;

use crate::report::{hostile, report_of, served};

/// Names that distributions and Google give it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Columns of pixels: a phone, a tablet, a desk.
const WIDTHS: [u32; 3] = [360, 800, 1400];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = Trial::ignorable_test("report_browser::a_browser_shows_the_page", || {
        match NAMES.iter().find_map(|name| tool(name).ok()) {
            None => Ok(Completion::ignored_with("needs chromium, which is not installed")),
            Some(browser) => {
                a_browser_shows_the_page(&browser);
                Ok(Completion::Completed)
            }
        }
    });
    vec![trial]
}

fn a_browser_shows_the_page(browser: &Path) {
    let directory = temporary_directory();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a page can be written");
        path
    };
    let mut second = served();
    second.started = "2026-01-03T03:04:05Z".into();
    let pages = [
        ("web.html", html::write(&report_of(&[served(), second], &["one", "two"]))),
        ("hostile.html", html::write(&report_of(&[hostile()], &["hostile"]))),
    ];
    for (name, page) in &pages {
        let page = write(name, page);
        check_console(&open(browser, directory.path(), &page), name);
        let frames = write(&format!("frames-{name}"), &frames(name));
        let output = open(browser, directory.path(), &frames);
        check_console(&output, name);
        let document = String::from_utf8_lossy(&output.stdout).into_owned();
        for width in WIDTHS {
            let fits = format!("{width}: fits, sorted");
            assert!(document.contains(&fits), "{name}: {fits}: {document}");
        }
    }
    // For those who want to look at it.
    if let Some(kept) = env::var_os("TRACER_TEST_KEEP") {
        for (name, _) in &pages {
            let to = PathBuf::from(&kept).join(name);
            fs::copy(directory.path().join(name), to).expect("a page can be kept");
        }
    }
}

/// A page with the report at each width, which measures them: what is in a frame is as wide as on a
/// screen of that width. It clicks a heading, and looks whether the numbers below it are in order.
fn frames(page: &str) -> String {
    let frames: String = WIDTHS
        .iter()
        .map(|width| format!("<iframe src='{page}' width={width} height=900></iframe>"))
        .collect();
    let script = "
        const out = document.querySelector('pre');
        for (const frame of document.querySelectorAll('iframe')) {
            const inner = frame.contentDocument;
            const wide = inner.documentElement.scrollWidth;
            const table = [...inner.querySelectorAll('table.sortable')].pop();
            const column = 5;
            const values = () => [...table.tBodies[0].rows].map(
                (row) => Number(row.cells[column].dataset.v));
            const before = values().join();
            table.tHead.rows[0].cells[column].querySelector('button').click();
            const after = values();
            const sorted = after.every((value, at) => at === 0 || after[at - 1] <= value);
            const kept = after.length > 5 && [...after].sort().join() === before.split(',').map(Number).sort().join();
            out.textContent += `${frame.width}: ${wide <= frame.width ? 'fits' : 'is ' + wide + ' wide'}, ` +
                `${sorted && kept ? 'sorted' : 'not sorted'}\\n`;
        }";
    format!(
        "<!DOCTYPE html><meta charset=utf-8>{frames}<pre></pre><script>onload = () => {{{script}}}</script>"
    )
}

fn open(browser: &Path, directory: &Path, page: &Path) -> Output {
    let profile = format!("--user-data-dir={}", directory.join("profile").display());
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"])
        .args(["--allow-file-access-from-files", "--virtual-time-budget=10000", "--dump-dom"])
        .args(["--disable-dev-shm-usage", "--no-first-run", profile.as_str()])
        .arg(format!("file://{}", page.display()))
        .env("HOME", directory)
        .output()
        .expect("the browser can be started");
    assert!(output.status.success(), "{output:?}");
    output
}

/// Nothing was written to the console: no error of the script, no breach of the policy.
fn check_console(output: &Output, page: &str) {
    let log = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(lines.is_empty(), "{page}: {lines:#?}");
}
