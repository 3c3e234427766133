//! The pinned linker for the bpf target.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{command, environment::Purpose, workspace::Workspace};

/// Links the LLVM bitcode of the pinned compiler, with that compiler's own LLVM: the two versions
/// belong together.
pub(crate) const VERSION: &str = "0.13.0";

/// How the file of the compiler's LLVM begins. The linker has a feature for each major version, of
/// which this one is turned on by default.
const LLVM: &str = "libLLVM.so.23.";

/// The path of the linker, which is built the first time.
///
/// It lives below the target directory: no linker of the machine is used or replaced.
pub(crate) fn set_up(workspace: &Workspace) -> Result<PathBuf> {
    let tools = workspace.target().join("tools");
    let linker = tools.join("bin/bpf-linker");
    let llvm = Llvm::of_compiler(workspace, &tools)?;
    if is_current(&linker, &llvm) {
        return Ok(linker);
    }
    fs::create_dir_all(&tools)
        .with_context(|| format!("failed to create the directory {}", tools.display()))?;
    // Two xtasks at once: the second waits, then finds the linker in its place.
    let _lock = lock(&tools.join("lock"))?;
    if !is_current(&linker, &llvm) {
        llvm.link()?;
        install(workspace, &tools, &llvm)?;
    }
    if !is_current(&linker, &llvm) {
        bail!("{} is not bpf-linker {VERSION}, though it was just installed", linker.display());
    }
    Ok(linker)
}

fn is_current(linker: &Path, llvm: &Llvm) -> bool {
    llvm.is_linked()
        && command::output(Command::new(linker).arg("--version"))
            .is_ok_and(|version| version.trim() == format!("bpf-linker {VERSION}"))
}

fn install(workspace: &Workspace, tools: &Path, llvm: &Llvm) -> Result<()> {
    let mut install = workspace.cargo_elsewhere(Purpose::Host);
    install.args(["install", "--locked", "--force", "--version", VERSION, "--root"]);
    install.arg(tools).arg("bpf-linker").env("LLVM_PREFIX", &llvm.prefix);
    let title = format!("installing bpf-linker {VERSION} below the target directory, once");
    command::quiet(&title, &mut install)
}

/// The compiler's LLVM where the linker looks for one, when it is built and when it runs.
struct Llvm {
    /// The directory above `lib`.
    prefix: PathBuf,
    /// The library, among the compiler's.
    library: PathBuf,
}

impl Llvm {
    fn of_compiler(workspace: &Workspace, tools: &Path) -> Result<Self> {
        let directory = workspace.sysroot()?.join("lib");
        let files = fs::read_dir(&directory)
            .with_context(|| format!("failed to read the directory {}", directory.display()))?;
        let mut libraries = files.filter_map(|file| Some(file.ok()?.path()));
        let library = libraries.find(|path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(LLVM.as_bytes()))
        });
        let Some(library) = library else {
            bail!(
                "the compiler has no {LLVM}* in {}, which the linker for bpf needs\n\nhint: install rustup: its compilers have it",
                directory.display()
            )
        };
        Ok(Self { prefix: tools.join("llvm"), library })
    }

    /// The name that the linker is built with, and the one that it then asks the loader for.
    fn links(&self) -> [PathBuf; 2] {
        let directory = self.prefix.join("lib");
        let name = self.library.file_name().unwrap_or_default();
        [directory.join("libLLVM.so"), directory.join(name)]
    }

    fn is_linked(&self) -> bool {
        self.links().iter().all(|link| fs::read_link(link).is_ok_and(|file| file == self.library))
    }

    fn link(&self) -> Result<()> {
        let directory = self.prefix.join("lib");
        // Those of another compiler go.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory)
            .with_context(|| format!("failed to create the directory {}", directory.display()))?;
        self.links().iter().try_for_each(|link| {
            symlink(&self.library, link)
                .with_context(|| format!("failed to create the link {}", link.display()))
        })
    }
}

/// Held until the file is dropped, or this process ends in any way.
fn lock(path: &Path) -> Result<File> {
    let file = File::create(path)
        .with_context(|| format!("failed to create the lock file {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another xtask, which installs bpf-linker");
        file.lock().with_context(|| format!("failed to lock {}", path.display()))?;
    }
    Ok(file)
}
