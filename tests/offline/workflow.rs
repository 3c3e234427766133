//! The workflow for a public forge: it runs what this repository runs.

use std::fs;

use tests::typed::workspace;
use yaml_rust2::{Yaml, YamlLoader};

tests::trials! {
    it_runs_every_tier_and_makes_what_is_handed_out,
}

fn it_runs_every_tier_and_makes_what_is_handed_out() {
    let path = workspace().join(".github/workflows/ci.yml");
    let text = fs::read_to_string(path).expect("the workflow can be read");
    let documents = YamlLoader::load_from_str(&text).expect("the workflow is well-formed");
    let [document] = &documents[..] else { panic!("one document") };
    let jobs = document["jobs"].as_hash().expect("it has jobs");
    let mut runs = String::new();
    for (name, job) in jobs {
        let name = name.as_str().expect("a job has a name");
        assert!(job["timeout-minutes"].as_i64().is_some(), "{name} ends some time");
        let steps = job["steps"].as_vec().expect("it has steps");
        let first = steps.first().and_then(|step| step["uses"].as_str()).unwrap_or_default();
        assert!(first.starts_with("actions/checkout@"), "{name} begins with the sources: {first}");
        for run in steps.iter().filter_map(|step| step["run"].as_str()) {
            runs += &format!("{run}\n");
        }
    }
    for part in [" .ci/run\n", " cargo xtask test vm\n", "cargo xtask dist "] {
        assert!(runs.contains(part), "no job runs{part}in\n{runs}");
    }
    assert!(
        matches!(document["permissions"]["contents"], Yaml::String(ref right) if right == "read")
    );
}
