//! The published form of recordings, `docs/recording.schema.json`, against what is written and what
//! is not.

use jsonschema::Validator;
use serde_json::{Value, json};
use tracer::recording::{Recording, json::to_json};

use crate::recordings;

tests::trials! {
    what_is_written_has_the_published_form,
    every_key_of_the_form_is_written,
    what_is_not_a_recording_is_refused,
    the_top_level_is_open,
    a_recording_names_its_form,
}

const SCHEMA: &str = include_str!("../../docs/recording.schema.json");

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    jsonschema::meta::validate(&schema).expect("the schema is one of draft 2020-12");
    jsonschema::draft202012::new(&schema).expect("a schema")
}

fn value(recording: &Recording) -> Value {
    serde_json::from_str(&to_json(recording)).expect("JSON")
}

fn what_is_written_has_the_published_form() {
    let schema = schema();
    let examples =
        [recordings::full(), recordings::web_server(), recordings::recording(Vec::new())];
    for recording in examples {
        let value = value(&recording);
        let errors: Vec<String> =
            schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let read = tracer::recording::json::from_json(to_json(&recording).as_bytes());
        assert_eq!(read, Ok(recording));
    }
}

fn every_key_of_the_form_is_written() {
    // The full example has every key, so that one that the form names and nothing writes is found.
    let full = value(&recordings::full());
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let places = [
        ("/properties", ""),
        ("/$defs/host/properties", "/host"),
        ("/$defs/target/properties", "/targets/0"),
        ("/$defs/cgroup/properties", "/cgroups/0"),
        ("/$defs/container/properties", "/cgroups/0/container"),
        ("/$defs/workload/properties", "/cgroups/0/container/workload"),
        ("/$defs/losses/properties", "/losses"),
        ("/$defs/command/properties", "/command"),
        ("/$defs/derived/properties", "/derived"),
    ];
    for (form, example) in places {
        let form = schema.pointer(form).and_then(Value::as_object).expect(form);
        let written = full.pointer(example).and_then(Value::as_object).expect(example);
        for key in form.keys() {
            assert!(written.contains_key(key), "{example}: {key} is never written");
        }
    }
    // No call has every key: some are those of denied calls only.
    let calls = full.pointer("/cgroups/0/calls").and_then(Value::as_array).expect("calls");
    let form = schema.pointer("/$defs/call/properties").and_then(Value::as_object).expect("calls");
    for key in form.keys() {
        assert!(calls.iter().any(|call| call.get(key).is_some()), "{key} is never written");
    }
}

/// A change of the full example that must be refused.
type Spoil = (&'static str, &'static str, Option<Value>);

fn what_is_not_a_recording_is_refused() {
    let schema = schema();
    let spoils: [Spoil; 24] = [
        ("", "version", Some(json!(2))),
        ("", "version", None),
        ("", "cgroups", None),
        ("", "duration_seconds", Some(json!(-1.0))),
        ("", "incomplete_reasons", Some(json!([]))),
        ("/host", "btf", Some(json!("yes"))),
        ("/host", "color", Some(json!("blue"))),
        ("/targets/0", "kind", Some(json!("vm"))),
        ("/targets/0", "cgroups", Some(json!([-1]))),
        ("/cgroups/0", "path", Some(json!("docker"))),
        ("/cgroups/0/calls/0", "abi", Some(json!("amd64"))),
        ("/cgroups/0/calls/0", "phase", Some(json!("init"))),
        ("/cgroups/0/calls/0", "number", Some(json!(2_147_483_648_u32))),
        ("/cgroups/0/calls/0", "number", Some(json!("257"))),
        ("/cgroups/0/calls/0", "name", Some(json!("open at"))),
        ("/cgroups/0/calls/0", "errno", Some(json!(1))),
        ("/cgroups/0/calls/0", "refused", Some(json!("signal"))),
        ("/cgroups/0/calls/3", "refused", None),
        ("/cgroups/0/calls/3", "refused", Some(json!({ "errno": 0 }))),
        ("/cgroups/0/calls/13/arguments/0", "index", Some(json!(6))),
        ("/cgroups/0/calls/13/arguments/0", "any", Some(json!(true))),
        ("/cgroups/0/calls/13/arguments/0", "values", Some(json!([]))),
        ("/cgroups/0/calls/13/arguments/1", "any", None),
        ("/losses", "table_full", None),
    ];
    for (place, key, wrong) in spoils {
        let mut value = value(&recordings::full());
        let object = value.pointer_mut(place).and_then(Value::as_object_mut).expect(place);
        match &wrong {
            Some(wrong) => object.insert(key.to_owned(), wrong.clone()),
            None => object.remove(key),
        };
        assert!(!schema.is_valid(&value), "{place}/{key} as {wrong:?} is accepted");
    }
}

fn the_top_level_is_open() {
    let mut value = value(&recordings::full());
    value["note"] = json!("a key of a later version");
    assert!(schema().is_valid(&value));
    let text = value.to_string();
    let read = tracer::recording::json::from_json(text.as_bytes()).expect("a recording");
    assert_eq!(read, recordings::full());
}

fn a_recording_names_its_form() {
    let schema = schema();
    let mut value = value(&recordings::full());
    let form: Value = serde_json::from_str(SCHEMA).expect("JSON");
    assert_eq!(value["$schema"], form["$id"]);
    value["$schema"] = json!("docs/recording.schema.json");
    assert!(schema.is_valid(&value), "an editor may look elsewhere");
    value["$schema"] = json!(1);
    assert!(!schema.is_valid(&value));
    value.as_object_mut().expect("an object").remove("$schema");
    assert!(schema.is_valid(&value), "earlier programs named none");
}
