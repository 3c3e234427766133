//! Texts that are kept in files: what a command prints, word for word. `BLESS=1` writes them anew.

use std::env;
use std::fs;
use std::path::Path;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/offline/golden");

/// Fails when the text is not that of the file.
pub fn check(name: &str, text: &str) {
    let path = Path::new(DIRECTORY).join(name);
    if env::var_os("BLESS").is_some() {
        let above = path.parent().expect("a file is in a directory");
        fs::create_dir_all(above).expect("the directory of golden files can be made");
        fs::write(&path, text).expect("a golden file can be written");
    }
    let golden = fs::read_to_string(&path).expect("a golden file can be read; BLESS=1 writes it");
    assert_eq!(text, golden, "{name} differs; BLESS=1 writes it anew");
}
