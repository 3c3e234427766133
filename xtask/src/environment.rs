//! What the children of xtask inherit: the caller's environment must not change what is built.
//!
//! | Variable | What happens | Why |
//! |---|---|---|
//! | `RUSTUP_TOOLCHAIN` | overridden by `rustup run` | The toolchain is pinned, and rustup sets the variable for every program that it starts, so that a wish of the caller could not be distinguished from its own. |
//! | `RUSTC`, `RUSTC_WORKSPACE_WRAPPER` and their `CARGO_BUILD_` forms | removed | Another compiler than the pinned one. |
//! | `RUSTC_BOOTSTRAP`, `CARGO_UNSTABLE_*` | removed; the build for bpf sets the first | What builds here must build on the stable toolchain. |
//! | `RUSTFLAGS`, `CARGO_ENCODED_RUSTFLAGS`, `CARGO_BUILD_RUSTFLAGS`, `CARGO_TARGET_*_RUSTFLAGS`, and the same for `RUSTDOCFLAGS` | removed; the build for bpf sets its own | They could turn lints off, make the static binary a dynamic one or bind it to this machine's processor. |
//! | `CARGO_BUILD_TARGET`, `CARGO_PROFILE_*` | removed | The result would be another one, in another place. |
//! | `CARGO_TARGET_DIR`, `CARGO_BUILD_TARGET_DIR` | resolved once, see [`crate::workspace`] | Everything is put, and looked for, below one directory. |
//! | `TRACER_EBPF_OBJECT` | removed from builds | xtask embeds the object that it has just built. |
//! | `RUSTC_WRAPPER`, `CARGO_BUILD_RUSTC_WRAPPER` | kept for the host, removed for bpf | A compiler cache is welcome, but knows neither the target nor its linker. |
//! | `LD_LIBRARY_PATH` | without the entries that cargo made for xtask itself | A traced command would look into each directory. |
//! | everything else (`CARGO_HOME`, linkers, proxies, `CARGO_NET_*`, `CARGO_BUILD_JOBS`) | kept | It says how to build, not what. |

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

/// Where the dynamic loader looks for libraries.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// What a cargo is started for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Programs for this machine.
    Host,
    /// The kernel side.
    Bpf,
}

/// Removes from a cargo's environment what would change its result.
pub(crate) fn clean(command: &mut Command, purpose: Purpose) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| is_removed(name, purpose)) {
            command.env_remove(name);
        }
    }
}

/// Takes the library directories that cargo added for xtask itself out of a child's environment.
pub(crate) fn clean_library_path(command: &mut Command, target: &Path) {
    let Some(directories) = env::var_os(LIBRARY_PATH) else { return };
    let sysroot = env::var_os("CARGO")
        .and_then(|cargo| Path::new(&cargo).canonicalize().ok())
        .and_then(|cargo| Some(cargo.parent()?.parent()?.to_path_buf()));
    let target = target.canonicalize().unwrap_or_else(|_| target.to_path_buf());
    match callers_library_path(&directories, &target, sysroot.as_deref()) {
        Some(directories) => command.env(LIBRARY_PATH, directories),
        None => command.env_remove(LIBRARY_PATH),
    };
}

fn is_removed(name: &str, purpose: Purpose) -> bool {
    match name {
        "RUSTC"
        | "CARGO_BUILD_RUSTC"
        | "RUSTC_WORKSPACE_WRAPPER"
        | "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER"
        | "RUSTC_BOOTSTRAP"
        | "RUSTFLAGS"
        | "CARGO_ENCODED_RUSTFLAGS"
        | "CARGO_BUILD_RUSTFLAGS"
        | "RUSTDOCFLAGS"
        | "CARGO_ENCODED_RUSTDOCFLAGS"
        | "CARGO_BUILD_RUSTDOCFLAGS"
        | "CARGO_BUILD_TARGET"
        | "CARGO_TARGET_DIR"
        | "CARGO_BUILD_TARGET_DIR"
        | "TRACER_EBPF_OBJECT" => true,
        "RUSTC_WRAPPER" | "CARGO_BUILD_RUSTC_WRAPPER" => purpose == Purpose::Bpf,
        _ => {
            name.starts_with("CARGO_PROFILE_")
                || name.starts_with("CARGO_UNSTABLE_")
                || (name.starts_with("CARGO_TARGET_")
                    && (name.ends_with("_RUSTFLAGS") || name.ends_with("_RUSTDOCFLAGS")))
        }
    }
}

/// The entries of a library path that cargo did not add, or `None` when there are none.
fn callers_library_path(
    directories: &OsStr,
    target: &Path,
    sysroot: Option<&Path>,
) -> Option<OsString> {
    let is_cargos = |directory: &Path| {
        // A toolchain may be a link to another one.
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf());
        directory.starts_with(target)
            || sysroot.is_some_and(|sysroot| {
                directory == sysroot.join("lib")
                    || directory.starts_with(sysroot.join("lib/rustlib"))
            })
    };
    let kept: Vec<PathBuf> =
        env::split_paths(directories).filter(|directory| !is_cargos(directory)).collect();
    if kept.is_empty() { None } else { env::join_paths(kept).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_result_is_removed() {
        for name in [
            "RUSTC",
            "RUSTFLAGS",
            "RUSTC_BOOTSTRAP",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_ENCODED_RUSTDOCFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_BUILD_TARGET",
            "TRACER_EBPF_OBJECT",
        ] {
            assert!(is_removed(name, Purpose::Host), "{name}");
            assert!(is_removed(name, Purpose::Bpf), "{name}");
        }
    }

    #[test]
    fn what_says_how_to_build_is_kept() {
        for name in [
            "PATH",
            "CARGO",
            "CARGO_HOME",
            "CARGO_BUILD_JOBS",
            "CARGO_NET_OFFLINE",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER",
        ] {
            assert!(!is_removed(name, Purpose::Host), "{name}");
            assert!(!is_removed(name, Purpose::Bpf), "{name}");
        }
    }

    #[test]
    fn a_compiler_cache_serves_the_host_only() {
        assert!(!is_removed("RUSTC_WRAPPER", Purpose::Host));
        assert!(is_removed("RUSTC_WRAPPER", Purpose::Bpf));
    }

    #[test]
    fn cargos_library_directories_go_and_the_callers_stay() {
        let directories = "/w/target/debug/deps:/rust/lib/rustlib/x86/lib:/opt/lib:/rust/lib";
        let kept = callers_library_path(
            OsStr::new(directories),
            Path::new("/w/target"),
            Some(Path::new("/rust")),
        );
        assert_eq!(kept, Some("/opt/lib".into()));
    }

    #[test]
    fn a_library_path_of_cargos_directories_alone_is_no_library_path() {
        let kept =
            callers_library_path(OsStr::new("/w/target/debug"), Path::new("/w/target"), None);
        assert_eq!(kept, None);
    }
}
