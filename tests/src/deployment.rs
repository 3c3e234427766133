//! What is shipped to run tracer in a container: where it is, and what the DaemonSet says.

use std::collections::BTreeMap;

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
    let list = documents.iter().find_map(|fields| fields.get(path)).expect("it has capabilities");
    words(list)
}

/// The words of `[A, B]`.
pub fn words(list: &str) -> Vec<String> {
    let inner = list.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.unwrap_or_else(|| panic!("{list:?} is a list in brackets"));
    inner.split(',').map(|word| word.trim().to_owned()).collect()
}

/// Reads the documents of a file that keeps to the plain half of YAML: mappings and lists by indentation of two, scalars
/// and lists of words on one line, whole-line comments. Everything else is an error.
pub fn documents(text: &str) -> Result<Vec<Fields>, String> {
    text.split("\n---\n").map(fields).collect()
}

/// A mapping or list that is open where the reader is.
struct Level {
    indent: usize,
    path: String,
    items: usize,
}

struct Reader {
    levels: Vec<Level>,
    /// A key whose value is to follow on deeper lines.
    waiting: Option<String>,
    fields: Fields,
}

fn fields(text: &str) -> Result<Fields, String> {
    let levels = vec![Level { indent: 0, path: String::new(), items: 0 }];
    let mut reader = Reader { levels, waiting: None, fields: Fields::new() };
    for line in text.lines() {
        let content = line.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        reader.enter(line.len() - content.len()).map_err(|story| format!("{story}: {line:?}"))?;
        reader.take(content).map_err(|story| format!("{story}: {line:?}"))?;
    }
    match reader.waiting {
        Some(path) => Err(format!("{path} has no value")),
        None => Ok(reader.fields),
    }
}

impl Reader {
    /// Opens or closes levels, as the indentation says.
    fn enter(&mut self, indent: usize) -> Result<(), String> {
        if let Some(path) = self.waiting.take() {
            if indent != self.top().indent + 2 {
                return Err(format!("the value of {path} is not indented by two"));
            }
            self.levels.push(Level { indent, path, items: 0 });
        }
        while self.levels.len() > 1 && self.top().indent > indent {
            self.levels.pop();
        }
        if self.top().indent == indent { Ok(()) } else { Err("misplaced indentation".into()) }
    }

    fn take(&mut self, content: &str) -> Result<(), String> {
        let Some(item) = content.strip_prefix("- ") else { return self.entry(content) };
        let Level { indent, path, items } = self.levels.last_mut().expect("the first one stays");
        let (indent, path) = (*indent + 2, format!("{path}.{items}"));
        *items += 1;
        if !item.ends_with(':') && !item.contains(": ") {
            return self.insert(path, item);
        }
        self.levels.push(Level { indent, path, items: 0 });
        self.entry(item)
    }

    fn entry(&mut self, content: &str) -> Result<(), String> {
        let (key, value) = content.split_once(':').ok_or("no key")?;
        let known = |char: char| char.is_ascii_alphanumeric() || "./-_".contains(char);
        if key.is_empty() || !key.chars().all(known) {
            return Err("no plain key".into());
        }
        let above = &self.top().path;
        let path = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
        match value.strip_prefix(' ') {
            None if value.is_empty() => self.waiting = Some(path),
            Some(value) => self.insert(path, value)?,
            None => return Err("no space after the colon".into()),
        }
        Ok(())
    }

    fn insert(&mut self, path: String, value: &str) -> Result<(), String> {
        // The group of the API that pods are in has an empty name.
        let plain = value.replace("[\"\"]", "");
        if value.is_empty() || value.trim() != value || plain.contains(['#', '\t', '{', '"', '\''])
        {
            return Err("no plain value".into());
        }
        match self.fields.insert(path, value.to_owned()) {
            None => Ok(()),
            Some(_) => Err("given twice".into()),
        }
    }

    fn top(&self) -> &Level {
        self.levels.last().expect("the first one stays")
    }
}
