//! The readers of what people hand in, with what nobody writes: a corpus of files, and changes of
//! them at random. Neither needs another compiler than the pinned one.
//!
//! No tool watches which code an input reaches. What a reader answers stands for it: an input with
//! a new kind of answer is kept, and changed further.

mod mutation;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

pub use self::mutation::Mutator;
pub use self::targets::{TARGETS, Target};

/// The directory of the package, below which the corpus is.
const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

impl Target {
    /// Where an input belongs that was found to break it.
    pub fn corpus(&self) -> PathBuf {
        Path::new(PACKAGE).join("corpus").join(self.name)
    }

    /// The inputs that are kept: those of the corpus, and files of other tests. Each has its path
    /// below the package.
    pub fn inputs(&self) -> Vec<(String, Vec<u8>)> {
        let own = format!("corpus/{}", self.name);
        let directories = [own.as_str()].into_iter().chain(self.borrowed.iter().copied());
        let mut found = Vec::new();
        for directory in directories {
            for (name, content) in crate::entries(&Path::new(PACKAGE).join(directory)) {
                found.extend(content.map(|content| (format!("{directory}/{name}"), content)));
            }
        }
        found
    }
}

/// Keeps an input in a directory, under a name that its bytes give. Returns its path.
pub fn keep(directory: &Path, target: &Target, input: &[u8]) -> PathBuf {
    // FNV-1a: any name will do that is the same for the same bytes.
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    fs::create_dir_all(directory).expect("the directory can be made");
    let path = directory.join(format!("{}-{hash:016x}", target.name));
    fs::write(&path, input).expect("the input can be written");
    path
}
