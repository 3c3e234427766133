//! The images of the node: tools for workloads, what holds a pod's namespaces, and tracer's own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::deployment::CONTAINERFILE;
use tests::{GROUND_TRUTH, WORKER, image_archive, succeed, temporary_directory, tool};

use crate::configuration::PAUSE;

/// busybox with all its names, `/worker` and `/program`.
pub const TOOLS: &str = "localhost/tools:1";
/// The same files under another name: another image.
pub const OTHER_TOOLS: &str = "localhost/tools:2";
/// As the manifest names it.
pub const TRACER: &str = "localhost/tracer:0.1.0";

/// The archives of all of them.
pub fn archives(tracer: &Path) -> Result<Vec<TempDir>, String> {
    let tools = tools()?;
    let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"];
    let config = json!({ "Cmd": ["sh"], "Env": environment });
    let root = tools.path();
    let mut archives = vec![image_archive(root, TOOLS, &config)];
    fs::write(root.join("etc/other"), "").expect("the file is written");
    archives.push(image_archive(root, OTHER_TOOLS, &config));
    archives.push(pause());
    archives.push(tracers(tracer)?);
    Ok(archives)
}

fn tools() -> Result<TempDir, String> {
    let busybox = tool("busybox")?;
    let names = succeed(Command::new(&busybox).arg("--list"))?;
    let directory = temporary_directory();
    let path = directory.path();
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir(path.join(name)).expect("the root's directories are made");
    }
    let copy = |from: &Path, to: &str| {
        fs::copy(from, path.join(to)).expect("a program is copied");
    };
    copy(&busybox, "bin/busybox");
    copy(Path::new(WORKER), "worker");
    copy(Path::new(GROUND_TRUTH), "program");
    for name in names.lines().filter(|&name| name != "busybox") {
        symlink("busybox", path.join("bin").join(name)).expect("a link is made");
    }
    fs::write(path.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").expect("written");
    fs::write(path.join("etc/group"), "root:x:0:\n").expect("written");
    Ok(directory)
}

/// It catches the signals that end it, and waits, as Kubernetes' own does.
fn pause() -> TempDir {
    let directory = temporary_directory();
    fs::copy(GROUND_TRUTH, directory.path().join("pause")).expect("the program is copied");
    let words = ["/pause", "catch:2", "catch:15", "catch:17", "pause"];
    image_archive(directory.path(), PAUSE, &json!({ "Entrypoint": words }))
}

/// What the `Containerfile` says, with the binary that is tested.
fn tracers(tracer: &Path) -> Result<TempDir, String> {
    let text = fs::read_to_string(CONTAINERFILE).expect("the Containerfile is there");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let expected =
        "FROM scratch\nCOPY tracer /tracer\nWORKDIR /var/lib/tracer\nENTRYPOINT [\"/tracer\"]";
    let found = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(found, expected, "the image is made as the Containerfile says");
    let directory = temporary_directory();
    let program = directory.path().join("tracer");
    fs::copy(tracer, &program).map_err(|error| format!("{}: {error}", tracer.display()))?;
    fs::create_dir_all(directory.path().join("var/lib/tracer")).expect("a directory is made");
    let config: Value = json!({ "Entrypoint": ["/tracer"], "WorkingDir": "/var/lib/tracer" });
    Ok(image_archive(directory.path(), TRACER, &config))
}
