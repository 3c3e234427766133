//! What is shipped to run tracer in a container: where it is, and what the DaemonSet says.

use std::collections::BTreeMap;

use yaml_rust2::{ScanError, Yaml, YamlLoader};

/// The file that an image is built from.
pub const CONTAINERFILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/deploy/Containerfile");
/// The file that is applied to a cluster.
pub const DAEMONSET: &str = include_str!("../../xtask/deploy/daemonset.yaml");
/// The file that brings profiles to the nodes.
pub const PROFILES: &str = include_str!("../../xtask/deploy/profiles.yaml");

/// The scalars of a YAML document by their paths, such as `spec.template.spec.containers.0.name`.
pub type Fields = BTreeMap<String, String>;

/// The capabilities that the container is given, and nothing besides.
pub fn capabilities() -> Vec<String> {
    let documents = documents(DAEMONSET).expect("the file is well-formed");
    let path = "spec.template.spec.containers.0.securityContext.capabilities.add";
    let lists = documents.iter().map(|fields| items(fields, path));
    lists.into_iter().find(|list| !list.is_empty()).expect("it has capabilities")
}

/// The scalars of the list at a path.
pub fn items(fields: &Fields, path: &str) -> Vec<String> {
    (0..).map_while(|index| fields.get(&format!("{path}.{index}")).cloned()).collect()
}

/// Reads the documents of a file.
pub fn documents(text: &str) -> Result<Vec<Fields>, ScanError> {
    let read = |document: &Yaml| {
        let mut fields = Fields::new();
        flatten(document, "", &mut fields);
        fields
    };
    Ok(YamlLoader::load_from_str(text)?.iter().map(read).collect())
}

fn flatten(value: &Yaml, path: &str, fields: &mut Fields) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let scalar = match value {
        Yaml::Hash(entries) => {
            for (key, value) in entries {
                flatten(value, &below(key.as_str().expect("keys are text")), fields);
            }
            return;
        }
        Yaml::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, &below(&index.to_string()), fields);
            }
            return;
        }
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(is_set) => is_set.to_string(),
        other => panic!("{path}: no plain value: {other:?}"),
    };
    fields.insert(path.to_owned(), scalar);
}
