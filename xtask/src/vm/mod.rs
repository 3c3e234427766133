//! What virtual machines with other kernels are made of: an emulator and kernels, from Debian's
//! archive.
//!
//! Everything is below `vm` in the target directory: `packages` holds what was downloaded, with the
//! checksums of the signed index; `qemu` and `kernels` hold what was unpacked from it. Nothing is
//! installed on this machine. What is there is not downloaded again; removing the directory is the
//! way to newer versions.

mod packages;
mod series;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    command,
    releases::{
        apt::{Apt, Lists, Suites},
        store::Store,
    },
    workspace::Workspace,
};
use packages::Part;

/// The suites of the two archives. The emulator is the first one's; the kernels come from the
/// others.
const SUITES: [Suites<'_>; 2] = [
    ("debian", &["trixie", "trixie-backports"]),
    ("debian-security", &["trixie-security", "bookworm-security", "bullseye-security"]),
];

/// The kernels of the short form.
const SHORT: [&str; 3] = ["6.1", "6.12", series::NEWEST];
/// The kernels of the whole form when none are named.
const WHOLE: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", series::NEWEST];
const EMULATOR: &str = "qemu-system-x86_64";
/// The package that holds it.
const EMULATOR_PACKAGE: &str = "qemu-system-x86";
/// Where Debian's libraries are.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// How much is tested.
#[derive(Clone)]
pub(crate) enum Form {
    /// Few checks, on few kernels: part of every run of all tests.
    Short,
    /// Every check, on the kernels that are named, or on all that are known.
    Whole(Vec<String>),
}

/// What the machines are made of.
pub(crate) struct Machines {
    /// The emulator's command line up to its options.
    emulator: Vec<PathBuf>,
    /// The kernels by their series, such as `6.12`.
    kernels: Vec<(String, PathBuf)>,
    /// Where the consoles are written to.
    consoles: PathBuf,
    form: Form,
}

impl Form {
    fn kernels(&self) -> Vec<String> {
        match self {
            Self::Short => SHORT.map(str::to_owned).into(),
            Self::Whole(named) if named.is_empty() => WHOLE.map(str::to_owned).into(),
            Self::Whole(named) => named.clone(),
        }
    }
}

impl Machines {
    /// The variables of the test program.
    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        let kernels: Vec<_> =
            self.kernels.iter().map(|(name, image)| json!([name, image])).collect();
        let form = if matches!(self.form, Form::Short) { "short" } else { "whole" };
        vec![
            ("TRACER_VM_EMULATOR", json!(self.emulator).to_string().into()),
            ("TRACER_VM_KERNELS", json!(kernels).to_string().into()),
            ("TRACER_VM_FORM", form.into()),
            ("TRACER_VM_CONSOLES", self.consoles.clone().into()),
        ]
    }
}

/// Finds the emulator and the kernels, and downloads what is missing when that is asked for. `None`
/// when something is missing and is not asked for.
pub(crate) fn set_up(
    workspace: &Workspace,
    form: &Form,
    install: bool,
) -> Result<Option<Machines>> {
    let store = Store::new(workspace, workspace.target().join("vm"));
    let mut apt = None;
    let mut kernels = Vec::new();
    let installed = installed_emulator(workspace);
    let wanted: Vec<Part> = form.kernels().into_iter().map(Part::Kernel).collect();
    let emulator = if installed.is_none() { Some(Part::Emulator) } else { None };
    for part in emulator.into_iter().chain(wanted) {
        if !store.holds(&part.set()) {
            if !install {
                eprintln!(
                    "{part} for virtual machines is not there: will skip other kernels\n\
                     hint: `cargo xtask test vm --install` downloads what is missing (about 200 MB) to {}",
                    store.path().display()
                );
                return Ok(None);
            }
            if apt.is_none() {
                let directory = store.path().join("apt");
                apt = Some(Apt::open(workspace, &directory, &SUITES, Lists::Binary)?);
            }
            part.fetch(&store, apt.as_ref().context("the package lists were read")?)?;
        }
        let image = store.place(&part.set());
        if let Part::Kernel(name) = part {
            kernels.push((name, image));
        }
    }
    let unpacked = store.place(&Part::Emulator.set());
    let emulator = installed.unwrap_or_else(|| unpacked_emulator(&unpacked));
    // Made here, so that it belongs to the user; the files in it are root's.
    let consoles = store.path().join("consoles");
    fs::create_dir_all(&consoles)
        .with_context(|| format!("failed to create {}", consoles.display()))?;
    Ok(Some(Machines { emulator, kernels, consoles, form: form.clone() }))
}

/// The emulator of this machine, where there is one that starts.
fn installed_emulator(workspace: &Workspace) -> Option<Vec<PathBuf>> {
    let mut version = workspace.command(EMULATOR);
    command::output(version.arg("--version")).ok()?;
    Some(vec![EMULATOR.into()])
}

/// The emulator of a directory, with the libraries and the firmware that came with it: this
/// machine's may be others.
fn unpacked_emulator(directory: &Path) -> Vec<PathBuf> {
    let libraries = directory.join(LIBRARIES);
    let mut words: Vec<PathBuf> = vec![
        libraries.join("ld-linux-x86-64.so.2"),
        "--library-path".into(),
        libraries,
        directory.join("usr/bin").join(EMULATOR),
    ];
    for firmware in ["usr/share/qemu", "usr/share/seabios"] {
        words.extend(["-L".into(), directory.join(firmware)]);
    }
    words
}
