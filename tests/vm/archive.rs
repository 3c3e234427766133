//! The archive that a kernel unpacks as its initial file system: cpio in the "newc" form, see
//! `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::collections::BTreeSet;
use std::io::{self, Write};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;
/// The name that ends an archive.
const END: &str = "TRAILER!!!";

/// An archive in the making.
pub struct Archive<W: Write> {
    output: W,
    /// How many bytes were written: names and contents begin at multiples of four.
    written: usize,
    /// How many entries: each has a number of its own.
    entries: u32,
    directories: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    /// An empty one.
    pub fn new(output: W) -> Self {
        Self { output, written: 0, entries: 0, directories: BTreeSet::new() }
    }

    /// Adds a directory and those above it, unless they are there. The path is absolute.
    pub fn directory(&mut self, path: &str) -> io::Result<()> {
        let path = path.trim_matches('/');
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for directory in ends.map(|end| &path[..end]).filter(|directory| !directory.is_empty()) {
            if self.directories.insert(directory.to_owned()) {
                self.entry(directory, DIRECTORY, b"")?;
            }
        }
        Ok(())
    }

    /// Adds a file that can be executed, and the directories above it.
    pub fn program(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.in_its_directory(path, PROGRAM, content)
    }

    /// Adds a symbolic link, and the directories above it.
    pub fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.in_its_directory(path, LINK, target.as_bytes())
    }

    /// Ends the archive.
    pub fn finish(mut self) -> io::Result<()> {
        self.entry(END, 0, b"")?;
        self.output.flush()
    }

    fn in_its_directory(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let path = path.trim_matches('/');
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.directory(directory)?;
        }
        self.entry(path, mode, content)
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.entries += 1;
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        let name_size = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        // Number, mode, owner, group, links, time, size, four device numbers, size of the name,
        // checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        let fields: String = fields.iter().map(|field| format!("{field:08x}")).collect();
        self.write(b"070701")?;
        self.write(fields.as_bytes())?;
        self.write(name.as_bytes())?;
        self.write(b"\0")?;
        self.pad()?;
        self.write(content)?;
        self.pad()
    }

    fn pad(&mut self) -> io::Result<()> {
        let over = self.written % 4;
        if over == 0 { Ok(()) } else { self.write(&[0; 3][..4 - over]) }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len();
        self.output.write_all(bytes)
    }
}
