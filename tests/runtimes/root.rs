//! The file system that containers of the tests have.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use tests::{GROUND_TRUTH, WORKER, image_archive, temporary_directory, tool};

use crate::engine::succeed;

/// Names the archive with nginx, redis, python3 and Postgres in a Debian system.
const ARCHIVE: &str = "TRACER_TEST_ROOT";

/// Names the static server in Go.
const GO: &str = "TRACER_TEST_GO";

/// A directory that is a root file system. Removed with this value.
#[derive(Debug)]
pub struct Root {
    directory: TempDir,
    /// Whether it holds a Debian system, or why it holds busybox only.
    pub system: Result<(), String>,
    /// Whether it holds the i386 program, or why not.
    pub i386: Result<(), String>,
    /// Whether it holds the server in Go, or why not.
    pub go: Result<(), String>,
}

impl Root {
    /// Unpacks the archive where there is one, and adds the fixture programs.
    pub fn new() -> Result<Self, String> {
        let directory = temporary_directory();
        let path = directory.path();
        let system = unpack_system(path);
        for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            fs::create_dir_all(path.join(name)).expect("the root's directories are made");
        }
        fs::set_permissions(path.join("tmp"), fs::Permissions::from_mode(0o1777))
            .expect("everybody may write to /tmp");
        if system.is_err() {
            let busybox = tool("busybox")?;
            tests::copy_program(&busybox, path.join("bin/busybox"));
            fs::write(path.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").expect("written");
            fs::write(path.join("etc/group"), "root:x:0:\n").expect("written");
        }
        tests::copy_program(WORKER, path.join("worker"));
        tests::copy_program(GROUND_TRUTH, path.join("program"));
        let i386 = compile_i386(&path.join("i386"));
        let go = copy_go(&path.join("server"));
        Ok(Self { directory, system, i386, go })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The id of a user of the system.
    pub fn user(&self, name: &str) -> Result<u32, String> {
        let users = fs::read_to_string(self.path().join("etc/passwd")).expect("it has users");
        let entry = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":x:"));
        entry
            .and_then(|rest| rest.split(':').next()?.parse().ok())
            .ok_or_else(|| format!("the root file system has no user {name}"))
    }

    /// The path of a program of Postgres, whose version is part of it.
    pub fn postgres(&self) -> Result<PathBuf, String> {
        let versions = self.path().join("usr/lib/postgresql");
        let version = fs::read_dir(&versions).ok().and_then(|mut entries| entries.next()?.ok());
        let version = version.ok_or("the root file system has no PostgreSQL")?;
        Ok(Path::new("/usr/lib/postgresql").join(version.file_name()).join("bin"))
    }

    /// An archive of it that Docker and containerd load as the image of that name; it runs `/worker
    /// idle` by itself.
    pub fn image(&self, name: &str) -> TempDir {
        let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"];
        let config = json!({ "Cmd": ["/worker", "idle"], "Env": environment });
        image_archive(self.path(), name, &config)
    }
}

fn unpack_system(directory: &Path) -> Result<(), String> {
    let hint = "run `cargo xtask test runtimes --install` once";
    let archive = std::env::var_os(ARCHIVE)
        .map(PathBuf::from)
        .filter(|archive| archive.is_file())
        .ok_or_else(|| format!("needs a Debian system with nginx, redis and PostgreSQL: {hint}"))?;
    succeed(Command::new("tar").arg("-C").arg(directory).arg("-xf").arg(archive)).map(drop)
}

fn copy_go(program: &Path) -> Result<(), String> {
    let server = std::env::var_os(GO)
        .ok_or("needs a server in Go: run `cargo xtask test runtimes --all-engines --install`")?;
    tests::copy_program(server, program);
    Ok(())
}

/// No header and no library for i386 is needed.
fn compile_i386(program: &Path) -> Result<(), String> {
    let compiler = tool("cc")?;
    let mut command = Command::new(compiler);
    command.args(["-m32", "-O1", "-static", "-nostdlib", "-ffreestanding", "-fno-pic", "-no-pie"]);
    command.args(["-fno-stack-protector", "fixtures/i386.c", "-o"]).arg(program);
    succeed(&mut command).map(drop).map_err(|error| format!("cannot compile for i386: {error}"))
}
