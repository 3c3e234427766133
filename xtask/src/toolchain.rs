//! The pinned toolchain of `rust-toolchain.toml`.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::command;

/// The file is part of xtask: it is built anew when the pin changes.
const PIN: &str = include_str!("../../rust-toolchain.toml");

/// The pinned toolchain, with all its components.
pub(crate) struct Toolchain {
    channel: String,
    with_rustup: bool,
}

impl Toolchain {
    /// Installs what is missing of the pinned toolchain.
    ///
    /// Rustup can do so by itself when cargo is started, but not where that is turned off, and not
    /// when the caller chose another toolchain for `cargo xtask`.
    pub(crate) fn set_up() -> Result<Self> {
        let pin = Pin::parse(PIN)?;
        let with_rustup = Command::new("rustup").arg("--version").output().is_ok();
        if with_rustup {
            pin.install_missing()?;
        } else {
            pin.require_compiler()?;
        }
        Ok(Self { channel: pin.channel, with_rustup })
    }

    /// The command line that starts a program of the toolchain, whatever `PATH` and the directory's
    /// overrides say.
    pub(crate) fn program<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        if self.with_rustup { vec!["rustup", "run", &self.channel, name] } else { vec![name] }
    }
}

/// `rust-toolchain.toml`.
#[derive(Deserialize)]
struct PinFile {
    toolchain: Pin,
}

/// What `rust-toolchain.toml` asks for.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Pin {
    channel: String,
    #[serde(default)]
    components: Vec<String>,
    #[serde(default)]
    targets: Vec<String>,
}

impl Pin {
    fn parse(text: &str) -> Result<Self> {
        let file: PinFile = basic_toml::from_str(text).context("rust-toolchain.toml")?;
        Ok(file.toolchain)
    }

    fn install_missing(&self) -> Result<()> {
        let mut list = Command::new("rustup");
        list.args(["component", "list", "--installed", "--toolchain", &self.channel]);
        // Fails when the toolchain itself is missing; then everything is.
        let installed = command::output(&mut list).unwrap_or_default();
        let missing = self.missing(&installed);
        if missing.is_empty() {
            return Ok(());
        }
        let mut install = Command::new("rustup");
        install.args(["toolchain", "install", &self.channel, "--profile=minimal"]);
        install.arg("--no-self-update");
        install.args(self.components.iter().map(|name| format!("--component={name}")));
        install.args(self.targets.iter().map(|name| format!("--target={name}")));
        let title = format!("rustup: adding {} to toolchain {}", missing.join(", "), self.channel);
        command::quiet(&title, &mut install)
    }

    /// What is not in a list of installed components. Their names may end in the host's triple.
    fn missing<'pin>(&'pin self, installed: &str) -> Vec<&'pin str> {
        let has_component = |name: &str| {
            installed.lines().filter_map(|line| line.strip_prefix(name)).any(|rest| {
                rest.is_empty() || rest.starts_with("-x86_64-") || rest.starts_with("-aarch64-")
            })
        };
        let has_target =
            |name: &str| installed.lines().any(|line| line == format!("rust-std-{name}"));
        let components = self.components.iter().filter(|name| !has_component(name));
        let targets = self.targets.iter().filter(|name| !has_target(name));
        components.chain(targets).map(String::as_str).collect()
    }

    /// Without rustup, the compiler that is there must be the pinned one: the linker for bpf uses
    /// its LLVM.
    fn require_compiler(&self) -> Result<()> {
        let version = command::output(Command::new("rustc").arg("--version"))?;
        if version.split_whitespace().nth(1) != Some(&self.channel) {
            bail!(
                "the compiler is {}, but tracer is built with {}\n\nhint: install rustup, or put that compiler first in PATH",
                version.trim(),
                self.channel
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin() -> Result<Pin> {
        Pin::parse(
            "[toolchain]\nchannel = \"1.2.3\"\ncomponents = [\"rust-src\", \"clippy\"]\ntargets = [\"x86_64-unknown-linux-musl\"]\n",
        )
    }

    #[test]
    fn the_pin_is_read() -> Result<()> {
        let expected = Pin {
            channel: "1.2.3".into(),
            components: vec!["rust-src".into(), "clippy".into()],
            targets: vec!["x86_64-unknown-linux-musl".into()],
        };
        assert_eq!(pin()?, expected);
        Ok(())
    }

    #[test]
    fn the_projects_own_pin_names_all_three() -> Result<()> {
        let pin = Pin::parse(PIN)?;
        assert!(pin.components.iter().any(|name| name == "rust-src"), "{pin:?}");
        assert!(!pin.targets.is_empty(), "{pin:?}");
        Ok(())
    }

    #[test]
    fn only_what_is_missing_is_named() -> Result<()> {
        let pin = pin()?;
        let all = "clippy-x86_64-unknown-linux-gnu\nrust-src\nrust-std-x86_64-unknown-linux-musl\n";
        assert!(pin.missing(all).is_empty());
        let without_source =
            "clippy-x86_64-unknown-linux-gnu\nrust-std-x86_64-unknown-linux-musl\n";
        assert_eq!(pin.missing(without_source), ["rust-src"]);
        let with_other_std =
            "clippy-x86_64-unknown-linux-gnu\nrust-src\nrust-std-x86_64-unknown-linux-gnu\n";
        assert_eq!(pin.missing(with_other_std), ["x86_64-unknown-linux-musl"]);
        assert_eq!(pin.missing(""), ["rust-src", "clippy", "x86_64-unknown-linux-musl"]);
        Ok(())
    }
}
