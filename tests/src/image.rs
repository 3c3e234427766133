//! Images of one layer, made without an engine.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{succeed, temporary_directory};

/// The archive `image.tar`, in a directory of its own, of a root file system and what the image
/// says of its container (`Cmd`, `Env` ...). Docker and containerd load it as the image of that
/// name.
pub fn image_archive(root: &Path, name: &str, config: &Value) -> TempDir {
    let directory = temporary_directory();
    let path = directory.path();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        succeed(command.args(arguments).current_dir(path)).expect("the image is made")
    };
    let root = root.to_str().expect("paths are text");
    run("tar", &["-C", root, "--numeric-owner", "-cf", "layer.tar", "."]);
    let sum = run("sha256sum", &["layer.tar"]);
    let sum = sum.split(' ').next().expect("a sum");
    let configuration = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{sum}")] },
    });
    let manifest = json!([
        { "Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"] }
    ]);
    fs::write(path.join("config.json"), configuration.to_string()).expect("written");
    fs::write(path.join("manifest.json"), manifest.to_string()).expect("written");
    run("tar", &["-cf", "image.tar", "manifest.json", "config.json", "layer.tar"]);
    fs::remove_file(path.join("layer.tar")).expect("the layer is removed");
    directory
}
