//! What tests need from the machine beyond the toolchain: Debian packages, used when present.

use std::{env, ffi::OsString, path::Path};

use anyhow::Result;

use crate::{command, root, workspace::Workspace};

/// Something that some tests need.
pub(crate) struct Tool {
    /// The Debian package that holds it.
    package: &'static str,
    sign: Sign,
    /// Which tests skip without it.
    tests: &'static str,
}

/// How it is known that a tool is there.
enum Sign {
    Command(&'static str),
    File(&'static str),
}

/// The tools of the offline tests.
pub(crate) const OFFLINE: &[Tool] = &[
    Tool {
        package: "python3-seccomp",
        sign: Sign::File("/var/lib/dpkg/info/python3-seccomp:amd64.list"),
        tests: "the comparison of filters with libseccomp",
    },
    Tool {
        package: "golang-github-containers-common",
        sign: Sign::File("/usr/share/containers/seccomp.json"),
        tests: "the default profile of podman",
    },
];

/// The tools of the kernel tier.
pub(crate) const KERNEL: &[Tool] = &[
    Tool { package: "strace", sign: Sign::Command("strace"), tests: "the comparison with strace" },
    Tool { package: "gcc", sign: Sign::Command("cc"), tests: "workloads in C" },
    Tool {
        package: "libc6-dev",
        sign: Sign::File("/usr/include/stdio.h"),
        tests: "workloads in C",
    },
    Tool {
        package: "musl-tools",
        sign: Sign::Command("musl-gcc"),
        tests: "profiles for another C library",
    },
    Tool {
        package: "bpftool",
        sign: Sign::Command("bpftool"),
        tests: "what the kernel reports of the loaded program",
    },
    Tool { package: "runc", sign: Sign::Command("runc"), tests: "phases of a real container" },
    Tool { package: "crun", sign: Sign::Command("crun"), tests: "the ready profiles under crun" },
    Tool { package: "python3", sign: Sign::Command("python3"), tests: "workloads in Python" },
    Tool {
        package: "firejail",
        sign: Sign::Command("firejail"),
        tests: "programs that load filters of their own",
    },
];

/// The tools of the runtimes tier.
pub(crate) const RUNTIMES: &[Tool] = &[
    Tool { package: "runc", sign: Sign::Command("runc"), tests: "profiles under runc" },
    Tool { package: "crun", sign: Sign::Command("crun"), tests: "profiles under crun" },
    Tool { package: "podman", sign: Sign::Command("podman"), tests: "profiles under podman" },
    Tool { package: "conmon", sign: Sign::Command("conmon"), tests: "profiles under podman" },
    Tool { package: "catatonit", sign: Sign::Command("catatonit"), tests: "pods of podman's" },
    Tool { package: "docker.io", sign: Sign::Command("dockerd"), tests: "profiles under Docker" },
    Tool {
        package: "containerd",
        sign: Sign::Command("containerd"),
        tests: "profiles under Docker and under the container runtime interface of Kubernetes",
    },
    Tool {
        package: "busybox-static",
        sign: Sign::Command("busybox"),
        tests: "everything with a shell in a container",
    },
    Tool { package: "jq", sign: Sign::Command("jq"), tests: "podman with crun" },
    Tool { package: "gcc", sign: Sign::Command("cc"), tests: "programs for i386" },
    Tool { package: "lxc", sign: Sign::Command("lxc-start"), tests: "policies under LXC" },
    Tool { package: "mmdebstrap", sign: Sign::Command("mmdebstrap"), tests: "large workloads" },
];

/// The tools of the tier of virtual machines: copied into them.
pub(crate) const VM: &[Tool] = &[
    Tool { package: "runc", sign: Sign::Command("runc"), tests: "runc on other kernels" },
    Tool { package: "crun", sign: Sign::Command("crun"), tests: "crun on other kernels" },
    Tool {
        package: "strace",
        sign: Sign::Command("strace"),
        tests: "the comparison with strace on other kernels",
    },
];

/// The tools of the tier with a Kubernetes: what its images hold. What the node runs is of the
/// node's own root file system.
pub(crate) const CLUSTER: &[Tool] = &[Tool {
    package: "busybox-static",
    sign: Sign::Command("busybox"),
    tests: "everything with a shell in a pod",
}];

/// The tools that build the static tracer: a library for TLS has parts in C.
pub(crate) const STATIC: &[Tool] = &[Tool {
    package: "musl-tools",
    sign: Sign::Command("musl-gcc"),
    tests: "the static tracer: all tests with container engines, virtual machines and a Kubernetes",
}];

/// Whether all these tools are there.
pub(crate) fn are_present(tools: &[Tool]) -> bool {
    tools.iter().all(Tool::is_present)
}

/// Installs the tools that are missing, or says what their absence costs.
pub(crate) fn set_up(workspace: &Workspace, tools: &[Tool], install: bool) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !tool.is_present()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    if install {
        return install_packages(workspace, &packages);
    }
    for tool in missing {
        eprintln!("{} is not installed: will skip {}", tool.package, tool.tests);
    }
    eprintln!(
        "hint: `cargo xtask test --install` installs what is missing, as `apt-get install {}` does",
        packages.join(" ")
    );
    Ok(())
}

impl Tool {
    fn is_present(&self) -> bool {
        match self.sign {
            Sign::File(path) => Path::new(path).exists(),
            Sign::Command(name) => which::which_in_global(name, Some(search_path()))
                .is_ok_and(|mut found| found.next().is_some()),
        }
    }
}

/// Tests run as root: programs are looked for where root looks as well.
fn search_path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    path
}

/// Never removes a package: what the machine's owner installed stays.
fn install_packages(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let apt_get = |arguments: &[&str]| {
        let variables = [("DEBIAN_FRONTEND", OsString::from("noninteractive"))];
        let mut command = root::command(workspace, "apt-get", variables)?;
        command.args(arguments).args(["-o", "DPkg::Lock::Timeout=120"]);
        anyhow::Ok(command)
    };
    command::quiet("apt-get update", &mut apt_get(&["update"])?)?;
    let mut install = apt_get(&["install", "-y", "--no-install-recommends", "--no-remove"])?;
    install.args(packages);
    command::quiet(&format!("apt-get install {}", packages.join(" ")), &mut install)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(sign: Sign) -> Tool {
        Tool { package: "package", sign, tests: "tests" }
    }

    #[test]
    fn a_tool_is_known_by_its_sign() {
        assert!(tool(Sign::Command("sh")).is_present());
        assert!(!tool(Sign::Command("no-such-command")).is_present());
        assert!(tool(Sign::File("/proc/self/exe")).is_present());
        assert!(!tool(Sign::File("/no/such/file")).is_present());
    }
}
