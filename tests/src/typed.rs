//! What the documents show to be typed.

use std::fs;
use std::path::{Path, PathBuf};

/// A command line of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The document, by its path below the workspace.
    pub page: String,
    /// The line, without its comment.
    pub line: String,
    /// It is in a block of shell, which is run as a whole.
    pub is_of_script: bool,
}

/// What a line begins with that a reader types.
const PROGRAMS: [&str; 9] =
    ["tracer", "sudo", "docker", "podman", "kubectl", "cargo", "dmesg", "echo", "COMMAND"];
/// Documents besides those of `docs`.
const PAGES: [&str; 4] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "profiles/README.md"];

/// The lines that the kernel tier runs, one after the other, and their exit statuses.
pub const KERNEL: [(&str, i32); 14] = [
    ("sudo tracer check", 0),
    ("sudo tracer --out profile.json -- ./run-tests", 0),
    ("tracer enforce profile.json -- ./run-tests", 0),
    ("tracer enforce --profile profile.json -- nginx -g 'daemon off;'", 0),
    ("sudo tracer verify profile.json --amend wider.json -- ./run-tests", 0),
    ("sudo tracer --out seccomp.json -- ./run-tests", 0),
    ("tracer --quiet --out new/profile.json -- ./run-tests", 0),
    ("tracer --quiet --out seccomp-new/profile.json -- ./run-tests", 0),
    ("tracer diff seccomp.json new/profile.json --fail-on added", 0),
    ("sudo tracer --wait --cgroup nginx.service --out nginx.json", 0),
    ("tracer convert nginx.recording.json --to systemd --conditional allow", 0),
    ("sudo tracer --cgroup /system.slice/nginx.service --out profile.json", 3),
    ("sudo tracer --all-containers --out profiles/", 0),
    ("tracer decode --follow", 0),
];

/// The lines that the runtimes tier runs, with Docker or Podman.
pub const ENGINES: [&str; 17] = [
    "sudo tracer --wait --cgroup web --out web.json",
    "docker run --rm --name web IMAGE",
    "docker run --rm --name web --security-opt seccomp=web.json IMAGE",
    "sudo podman run --rm --name web IMAGE",
    "sudo podman run --rm --name web --security-opt seccomp=web.json IMAGE",
    "docker run --security-opt seccomp=profile.json IMAGE",
    "docker run --security-opt seccomp=profiles/learn.json IMAGE",
    "podman run --security-opt seccomp=profiles/learn.json IMAGE",
    "sudo tracer verify profile.json --cgroup 4f2a9c",
    "docker run --rm --security-opt seccomp=p.json IMAGE 2>&1 | tracer decode --profile p.json",
    "tracer lint p.json",
    "sudo tracer verify p.json --wait --cgroup web --amend q.json",
    "docker run --name web --security-opt seccomp=p.json IMAGE",
    "docker rm web",
    "tracer convert docker-default --to docker --out base.json",
    "sudo tracer verify base.json --wait --cgroup web --amend web.json",
    "docker run --rm --name web --security-opt seccomp=base.json IMAGE",
];

/// The line that the runtimes tier runs with a pod.
pub const POD: &str = "sudo tracer --wait --cgroup shop/web-0 --per-container --out web.json";

/// The directory of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The documents, by their paths below the workspace.
pub fn pages() -> Vec<String> {
    let docs = crate::file_names(&workspace().join("docs"));
    let docs = docs.into_iter().filter(|name| name.ends_with(".md"));
    let docs = docs.map(|name| format!("docs/{name}"));
    PAGES.into_iter().map(str::to_owned).chain(docs).collect()
}

/// Every command line of the documents, in order.
pub fn typed() -> Vec<Typed> {
    let mut found = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(workspace().join(&page)).expect("a document is text");
        let lines = lines(&text).into_iter();
        let typed = |(line, is_of_script)| Typed { page: page.clone(), line, is_of_script };
        found.extend(lines.map(typed));
    }
    found
}

/// The command lines of a text, and whether they are of a block of shell: those of blocks that are
/// indented, or fenced as shell, and those after a prompt.
fn lines(text: &str) -> Vec<(String, bool)> {
    let mut found: Vec<(String, bool)> = Vec::new();
    let (mut is_shell, mut is_fenced, mut goes_on) = (false, false, false);
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_fenced = !is_fenced;
            is_shell = is_fenced && language == "sh";
            continue;
        }
        let indented = line.strip_prefix("    ").filter(|_| !is_fenced);
        let prompted = line.trim_start().strip_prefix("$ ").filter(|_| is_fenced);
        let Some(typed) = indented.or(is_shell.then_some(line)).or(prompted) else { continue };
        let typed = typed.split("  #").next().unwrap_or_default().trim();
        let (typed, continues) =
            typed.strip_suffix('\\').map_or((typed, false), |typed| (typed.trim_end(), true));
        if goes_on && let Some((last, _)) = found.last_mut() {
            *last = format!("{last} {typed}");
        } else if typed.split(' ').next().is_some_and(|first| PROGRAMS.contains(&first)) {
            found.push((typed.to_owned(), is_shell));
        } else {
            continue;
        }
        goes_on = continues;
    }
    found
}

impl Typed {
    /// It shows the form of a command: a word of it stands for what is typed there.
    pub fn is_form(&self) -> bool {
        let stands_for = |word: &str| {
            let word = word.trim_matches(['[', ']', '.']);
            !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase())
        };
        let words = self.line.split(' ').filter(|word| *word != "IMAGE");
        self.line.contains('[') || words.into_iter().any(stands_for)
    }

    /// The words that tracer is given, itself first; None when the line does not run it, or its
    /// shell does more than to hand them over.
    pub fn words_of_tracer(&self) -> Option<Vec<String>> {
        let last = self.line.rsplit(" | ").next().unwrap_or_default();
        let last = last.strip_prefix("sudo ").unwrap_or(last);
        let words = last.split(' ').take_while(|word| !word.starts_with('>'));
        let words: Vec<String> = words.map(|word| word.replace('\'', "")).collect();
        (words[0] == "tracer").then_some(words)
    }
}
