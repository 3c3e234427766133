//! What of a start does not depend on the targets: a thread of its own does it, while the targets are
//! looked for.

use std::{panic::resume_unwind, thread};

use tracer_ebpf::Config;

use super::{
    btf::{self, BtfError},
    error::KernelError,
    host_namespace,
    load::OBJECT,
};

/// What the kernel side needs to know of this kernel before it is loaded, in the making.
pub struct Preparation {
    kernel: Job<Result<KernelFacts, KernelError>>,
}

/// Where this kernel keeps what the programs read.
pub(super) struct KernelFacts {
    /// The configuration with every offset filled in, when there is BTF.
    pub(super) config: Config,
    /// The reason when there is none.
    pub(super) btf: Result<(), BtfError>,
}

impl Preparation {
    /// Begins it. `btf`: the kernel's BTF is used when it is there.
    pub fn begin(btf: bool) -> Self {
        Self { kernel: Job::begin("kernel", move || kernel_facts(btf)) }
    }

    /// Waits for it.
    pub(super) fn finish(self) -> Result<KernelFacts, KernelError> {
        self.kernel.finish()
    }
}

fn kernel_facts(btf: bool) -> Result<KernelFacts, KernelError> {
    if OBJECT.is_empty() {
        return Err(KernelError::NoObject);
    }
    let offsets = if btf { btf::offsets() } else { Err(BtfError::NotWanted) };
    let (config, btf) = match offsets {
        Ok(offsets) => {
            let config = Config { btf: 1, ..offsets };
            let host_mount_namespace = host_namespace::inode_number(&config)?;
            (Config { host_mount_namespace, ..config }, Ok(()))
        }
        Err(error) => (Config::default(), Err(error)),
    };
    Ok(KernelFacts { config, btf })
}

/// Work that a thread does; or that is done, where no thread could be started.
enum Job<T> {
    Running(thread::JoinHandle<T>),
    Done(T),
}

impl<T: Send + 'static> Job<T> {
    fn begin(name: &str, work: impl FnOnce() -> T + Copy + Send + 'static) -> Self {
        match thread::Builder::new().name(name.to_owned()).spawn(work) {
            Ok(thread) => Self::Running(thread),
            Err(_) => Self::Done(work()),
        }
    }

    fn finish(self) -> T {
        match self {
            Self::Running(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Self::Done(done) => done,
        }
    }
}
