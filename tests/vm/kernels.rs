//! The kernels that are tested on.

use std::env;
use std::path::PathBuf;

use tests::virtual_machine::{CHECKS, Setup};

/// The oldest that can trace.
const OLDEST: (u32, u32) = (5, 12);

/// A kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The first two numbers of its version, or `newest`.
    pub series: String,
    /// Its image.
    pub image: PathBuf,
    /// Whether few checks are made.
    pub is_short: bool,
}

impl Kernel {
    /// The names of the checks that are made on it in machines of this kind.
    pub fn checks(&self, setup: Setup) -> Vec<&'static str> {
        let checks = CHECKS.iter().filter(|check| {
            let (on_new, on_old) = check.kernels;
            check.setup == setup
                && (check.is_short || !self.is_short)
                && if self.is_old() { on_old } else { on_new }
        });
        checks.map(|check| check.name).collect()
    }

    /// Whether it is too old to trace.
    fn is_old(&self) -> bool {
        let version = self.series.split_once('.');
        let version =
            version.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        version.is_some_and(|version: (u32, u32)| version < OLDEST)
    }
}

/// The kernels that `cargo xtask test` prepared, or why there are none.
pub fn given() -> Result<Vec<Kernel>, String> {
    let variable = |name: &str| {
        env::var(name).map_err(|_| format!("{name} is not set: run `cargo xtask test vm`"))
    };
    let is_short = variable("TRACER_VM_FORM")? == "short";
    let kernels: Vec<(String, PathBuf)> = serde_json::from_str(&variable("TRACER_VM_KERNELS")?)
        .map_err(|error| format!("TRACER_VM_KERNELS: {error}"))?;
    let kernels = kernels.into_iter();
    Ok(kernels.map(|(series, image)| Kernel { series, image, is_short }).collect())
}
