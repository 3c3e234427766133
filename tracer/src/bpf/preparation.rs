//! What of a start does not depend on the targets' cgroups: threads do it, while the session finds
//! those.

use std::sync::{Arc, mpsc};

use aya::Ebpf;
use tracer_ebpf::Config;

use super::{
    btf::{self, BtfError},
    early_maps::EarlyMaps,
    error::KernelError,
    host_namespace,
    job::Job,
    load::{LoadOptions, OBJECT, configure, load},
    maps::Maps,
    programs,
    tables::Tables,
    verification::Verification,
};

/// What is known of this kernel before the programs are loaded, in the making.
pub struct Preparation {
    kernel: Job<Result<KernelFacts, KernelError>>,
}

/// Where this kernel keeps what the programs read.
struct KernelFacts {
    /// The configuration with every offset filled in, when there is BTF.
    config: Config,
    /// The reason when there is none.
    btf: Result<(), BtfError>,
}

impl Preparation {
    /// Begins it. `btf`: the kernel's BTF is used when it is there.
    pub fn begin(btf: bool) -> Self {
        Self { kernel: Job::begin("kernel", move || kernel_facts(btf)) }
    }

    /// Goes on with the load, in a thread: the kernel makes the maps and verifies the programs.
    /// This thread makes maps as well, until all large ones are made.
    pub fn load(self, options: LoadOptions) -> Loading {
        let early = Arc::new(EarlyMaps::new(&options, &configure(&options, &Config::default())));
        let (ended, end) = mpsc::channel::<()>();
        let maps = Arc::clone(&early);
        let loading = Loading(Job::begin("load", move || {
            Loaded::new(self, options, || {
                maps.make();
                // It says nothing, and is gone when the other thread has made its last map.
                let _ = end.recv();
                maps
            })
        }));
        early.make();
        drop(ended);
        loading
    }
}

/// The kernel side while it is loaded.
pub struct Loading(Job<Result<Loaded, KernelError>>);

impl Loading {
    /// Waits until it is.
    pub(super) fn finish(self) -> Result<Loaded, KernelError> {
        self.0.finish()
    }
}

/// The kernel side before it is attached.
pub(super) struct Loaded {
    pub(super) options: LoadOptions,
    pub(super) ebpf: Ebpf,
    /// The maps that [`Tables`] did not take.
    pub(super) maps: Maps,
    pub(super) tables: Tables,
    pub(super) verification: Verification,
    /// The reason why there is no BTF.
    pub(super) btf: Result<(), BtfError>,
}

impl Loaded {
    fn new(
        preparation: Preparation,
        options: LoadOptions,
        early_maps: impl FnOnce() -> Arc<EarlyMaps>,
    ) -> Result<Self, KernelError> {
        let KernelFacts { config, btf } = preparation.kernel.finish()?;
        let config = configure(&options, &config);
        let mut ebpf = load(&options, &config, early_maps().pinned())?;
        let mut maps = Maps::of(&mut ebpf);
        let names = programs::names(&options, btf.is_ok());
        let (verification, tables) = Verification::by_loading(&mut ebpf, &names, || {
            Tables::new(&mut maps, &options, &config)
        });
        Ok(Self { options, ebpf, maps, tables: tables?, verification, btf })
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
