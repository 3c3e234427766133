//! The crates that the workspace is built from, against `deny.toml`.
//!
//! cargo-deny judges the same and more, but it takes minutes to build; the public workflow runs it.

use std::env;
use std::fs;
use std::process::Command;

use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::sources::workspace;

tests::trials! {
    every_licence_is_allowed,
    no_banned_crate_is_used,
    every_crate_is_of_an_allowed_source,
    an_expression_is_allowed_when_one_choice_is,
}

/// What is read of `deny.toml`.
#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

/// What `cargo metadata` prints.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// `registry+ADDRESS`; none for the members of the workspace.
    source: Option<String>,
}

fn rules() -> Rules {
    let text = fs::read_to_string(workspace().join("deny.toml")).expect("the rules are there");
    basic_toml::from_str(&text).expect("the rules are well-formed")
}

/// The packages that the lock file names for Linux. They were downloaded to build this program.
fn packages() -> Vec<Package> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--offline", "--format-version=1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(workspace())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let Metadata { packages } =
        serde_json::from_slice(&output.stdout).expect("cargo prints metadata");
    assert!(packages.len() > 100, "all packages are seen, not {}", packages.len());
    packages
}

/// Fails with every package that the rule refuses.
fn none_is_refused(refusal: impl Fn(&Package) -> Option<String>) {
    let story = |package: &Package| {
        refusal(package).map(|why| format!("{} {}: {why}", package.name, package.version))
    };
    let refused: Vec<String> = packages().iter().filter_map(story).collect();
    assert!(refused.is_empty(), "deny.toml refuses:\n{}", refused.join("\n"));
}

fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = Expression::parse_mode(expression, ParseMode::LAX)
        .unwrap_or_else(|error| panic!("{expression:?} is no licence: {error}"));
    expression.evaluate(|required| {
        let name = required.license.id().map(|id| id.name);
        required.addition.is_none() && allowed.iter().any(|allowed| Some(allowed.as_str()) == name)
    })
}

fn every_licence_is_allowed() {
    let allowed = rules().licenses.allow;
    none_is_refused(|package| match &package.license {
        None => Some("no licence".to_owned()),
        Some(licence) => (!is_allowed(licence, &allowed)).then(|| licence.clone()),
    });
}

fn no_banned_crate_is_used() {
    let banned = rules().bans.deny;
    none_is_refused(|package| {
        let is_banned = banned.iter().any(|banned| banned.name == package.name);
        is_banned.then(|| "banned".to_owned())
    });
}

/// One registry has them all; cargo-deny knows which one it must be.
fn every_crate_is_of_an_allowed_source() {
    let Sources { unknown_registry, unknown_git } = rules().sources;
    assert_eq!([unknown_registry.as_str(), unknown_git.as_str()], ["deny", "deny"]);
    let first = std::cell::OnceCell::new();
    none_is_refused(|package| {
        let source = package.source.as_deref()?;
        let registry = first.get_or_init(|| source.to_owned());
        let is_allowed = source.starts_with("registry+") && source == registry;
        (!is_allowed).then(|| source.to_owned())
    });
}

fn an_expression_is_allowed_when_one_choice_is() {
    let allowed = ["MIT", "Unicode-3.0"].map(str::to_owned);
    for fits in ["MIT", "MIT/Apache-2.0", "Apache-2.0 OR MIT", "(MIT OR GPL-2.0) AND Unicode-3.0"] {
        assert!(is_allowed(fits, &allowed), "{fits}");
    }
    for other in ["GPL-3.0-only", "MIT AND ISC", "Apache-2.0 WITH LLVM-exception"] {
        assert!(!is_allowed(other, &allowed), "{other}");
    }
}
