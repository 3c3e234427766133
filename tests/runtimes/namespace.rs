//! Mount namespaces in which container engines work: what they mount vanishes with it, and `/run`
//! is theirs alone.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use tests::Running;

/// Where engines work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the host's namespace.
    Host,
    /// In a namespace of their own, with the same hierarchies of cgroups.
    Private,
    /// In a namespace of their own, whose `/sys/fs/cgroup` is the v2 hierarchy alone, as crun needs
    /// it.
    Version2,
}

/// A namespace with the process that holds it. It ends with this value, and with the test program
/// whatever happens.
#[derive(Debug)]
pub struct Namespace {
    /// None is the host's.
    holder: Option<Running>,
}

/// An empty `/run` also hides systemd and engines of the machine from those under test.
const HOLD: &str = r#"
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/lock
if [ "$1" = pure ] && [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
echo ready
exec cat
"#;

/// The same with another root file system, which stays as it is: what is written goes to memory.
/// Temporary files are shared with the host.
const HOLD_ROOT: &str = r#"
set -e
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/upper /run/work /run/root
mount -t overlay overlay -o "lowerdir=$1,upperdir=/run/upper,workdir=/run/work" /run/root
for name in proc sys dev; do
    mount --rbind "/$name" "/run/root/$name"
done
mkdir -p "/run/root$2" /run/root/mnt
mount --rbind "$2" "/run/root$2"
mount -t tmpfs -o mode=755 tmpfs /run/root/run
mkdir /run/root/run/lock
# A system's own, which no package has; containerd copies them.
echo 127.0.0.1 localhost > /run/root/etc/hosts
: > /run/root/etc/resolv.conf
cd /run/root
pivot_root . mnt
umount -l /mnt
echo ready
while read -r line; do :; done
"#;

impl Namespace {
    /// Makes one with this root file system, in which `/sys/fs/cgroup` is the v2 hierarchy alone.
    pub fn with_root(root: &Path) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", HOLD_ROOT, "sh"]);
        let mut holder = Running::start(command.arg(root).arg(env::temp_dir()));
        holder.wait_for_line("ready");
        Self { holder: Some(holder) }
    }

    /// Makes it.
    pub fn new(place: Place) -> Self {
        let word = match place {
            Place::Host => return Self { holder: None },
            Place::Private => "as-is",
            Place::Version2 => "pure",
        };
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", HOLD, "sh", word]);
        let mut holder = Running::start(&mut command);
        holder.wait_for_line("ready");
        Self { holder: Some(holder) }
    }

    /// A command that works in it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some(holder) = &self.holder else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.args(["--mount", &format!("--target={}", holder.id()), "--"]).arg(program);
        command
    }
}
