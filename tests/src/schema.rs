//! The published forms of what commands print for programs: `docs/*.schema.json`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

/// The form of an output.
#[derive(Debug)]
pub struct Schema {
    name: String,
    schema: Value,
    validator: Validator,
}

impl Schema {
    /// Reads `docs/NAME.schema.json`. Readers take keys that it does not name; what this program
    /// writes has none.
    pub fn read(name: &str) -> Self {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let text = fs::read_to_string(docs.join(format!("{name}.schema.json")));
        let schema: Value = serde_json::from_str(&text.expect("a schema")).expect("it is JSON");
        jsonschema::meta::validate(&schema).expect("it is a schema of draft 2020-12");
        let mut closed = schema.clone();
        close(&mut closed);
        let validator = jsonschema::draft202012::new(&closed).expect("it is a schema");
        Self { name: name.to_owned(), schema, validator }
    }

    /// Asserts that a value has the form.
    pub fn check(&self, value: &Value) {
        let errors = self.validator.iter_errors(value);
        let errors: Vec<String> = errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .map(|error| error.chars().take(600).collect())
            .collect();
        assert!(errors.is_empty(), "{}.schema.json: {errors:#?}", self.name);
    }

    /// Whether a value has the form.
    pub fn takes(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// The keys that the form names and that none of the values has.
    pub fn unwritten(&self, values: &[Value]) -> Vec<String> {
        let mut written = BTreeSet::new();
        for value in values {
            self.walk("", value, &mut written);
        }
        let mut named = BTreeSet::new();
        keys(&self.schema, "", &mut named);
        named.difference(&written).cloned().collect()
    }

    /// Notes the keys of a value, by the places of their forms in the schema.
    fn walk(&self, place: &str, value: &Value, written: &mut BTreeSet<String>) {
        let Some(form) = self.schema.pointer(place) else { return };
        if let Some(other) = form["$ref"].as_str() {
            self.walk(other.trim_start_matches('#'), value, written);
        }
        for at in 0..form["oneOf"].as_array().map_or(0, Vec::len) {
            self.walk(&format!("{place}/oneOf/{at}"), value, written);
        }
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            let fixed = format!("{place}/prefixItems/{at}");
            self.walk(&fixed, item, written);
            self.walk(&format!("{place}/items"), item, written);
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            let form = format!("{place}/properties/{key}");
            if self.schema.pointer(&form).is_some() {
                self.walk(&form, value, written);
                written.insert(form);
            } else {
                self.walk(&format!("{place}/additionalProperties"), value, written);
            }
        }
    }
}

/// Asserts that a value has the form `docs/NAME.schema.json`.
pub fn check(name: &str, value: &Value) {
    Schema::read(name).check(value);
}

/// Refuses the keys that an object's form does not name, unless it says something of them.
fn close(form: &mut Value) {
    match form {
        Value::Object(entries) => {
            if entries.get("properties").is_some_and(Value::is_object) {
                entries.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            entries.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// The places of all keys that a schema names.
fn keys(form: &Value, place: &str, found: &mut BTreeSet<String>) {
    for (key, below) in form.as_object().into_iter().flatten() {
        let place = format!("{place}/{key}");
        if key == "properties" {
            let names = below.as_object().into_iter().flatten();
            found.extend(names.map(|(name, _)| format!("{place}/{name}")));
        }
        keys(below, &place, found);
    }
    for (at, item) in form.as_array().into_iter().flatten().enumerate() {
        keys(item, &format!("{place}/{at}"), found);
    }
}
