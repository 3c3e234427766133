//! A runtime in a container: what it does to make its own container is workload of the outer one,
//! whose filter it has to pass.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tests::{Cgroup, GROUND_TRUTH, Tracer, temporary_directory};

use crate::bundle::{Bundle, Runtime};
use crate::cases::Cases;
use crate::engine::{Order, succeed, wait_until_done};
use crate::world::{Kind, World};
use tests::Stop;

/// What the inner container's program makes.
const INNER_CALLS: [&str; 2] = ["getsid", "times"];
/// What the inner runtime makes.
const RUNTIMES_CALLS: [&str; 3] = ["mount", "pivot_root", "unshare"];
/// What the outer runtime alone makes: the inner container keeps its name.
const OUTER_CALL: &str = "sethostname";

/// The only case: runc in a container of runc.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("counter::runc_runtime_inside".into(), runtime_inside)]
}

fn runtime_inside(world: &World) -> Result<(), Stop> {
    world.root()?.system.clone().map_err(Stop::Skip)?;
    let runtime = world.runtime(Kind::Runc).map_err(Stop::Skip)?;
    let parent = Cgroup::new("nested");
    let script = "runc --root /tmp/state run --bundle /inner inner && echo workload done
        exec /worker idle";
    let order = Order {
        words: &["/bin/sh", "-c", script],
        user: 0,
        no_new_privs: false,
        profile: None,
        parent: parent.name(),
    };
    let inner = temporary_directory();
    let bundle = runtime.bundle(&order)?;
    let mut path = String::new();
    bundle.edit(|spec| {
        let outer = spec["linux"]["cgroupsPath"].as_str().expect("it has a cgroup");
        path = format!("{outer}/inner");
        let inner = inner.path().to_str().expect("paths are text");
        open_up(spec, inner);
    });
    write_inner(runtime, inner.path(), &path)?;
    check(&parent, bundle)?;
    Ok(())
}

/// Gives the outer container what a runtime needs.
fn open_up(spec: &mut Value, inner: &str) {
    for set in spec["process"]["capabilities"].as_object_mut().expect("capabilities").values_mut() {
        set.as_array_mut().expect("a set").push(json!("CAP_SYS_ADMIN"));
    }
    for (source, target) in
        [("/usr", "/usr"), ("/sys/fs/cgroup", "/sys/fs/cgroup"), (inner, "/inner")]
    {
        let mount = json!({ "type": "bind", "source": source, "destination": target, "options": ["rbind"] });
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        mounts.retain(|mount| mount["destination"] != target);
        mounts.push(mount);
    }
    let linux = spec["linux"].as_object_mut().expect("an object");
    linux.remove("maskedPaths");
    linux.remove("readonlyPaths");
    let namespaces = linux["namespaces"].as_array_mut().expect("namespaces");
    namespaces.retain(|namespace| namespace["type"] != "cgroup");
}

fn write_inner(runtime: &Runtime, directory: &Path, cgroup: &str) -> Result<(), String> {
    let root = directory.join("rootfs");
    for name in ["dev", "proc", "sys"] {
        fs::create_dir_all(root.join(name)).expect("a directory is made");
    }
    tests::copy_program(GROUND_TRUTH, root.join("program"));
    succeed(Command::new(&runtime.program).arg("spec").current_dir(directory))?;
    let path = directory.join("config.json");
    let text = fs::read_to_string(&path).expect("the configuration is there");
    let mut spec: Value = serde_json::from_str(&text).expect("it is JSON");
    spec["process"]["terminal"] = json!(false);
    spec["process"]["args"] = json!(["/program", "x86_64:getsid", "x86_64:times"]);
    let sets = &mut spec["process"]["capabilities"];
    *sets = json!({ "bounding": [], "effective": [], "permitted": [] });
    spec["process"].as_object_mut().expect("an object").remove("rlimits");
    // Those of the outer container serve.
    let kept = ["mount", "pid", "ipc"];
    let linux = spec["linux"].as_object_mut().expect("an object");
    linux.remove("resources");
    let namespaces = linux["namespaces"].as_array_mut().expect("namespaces");
    namespaces
        .retain(|namespace| namespace["type"].as_str().is_some_and(|kind| kept.contains(&kind)));
    linux.insert("cgroupsPath".into(), json!(cgroup));
    spec.as_object_mut().expect("an object").remove("hostname");
    let mounts = spec["mounts"].as_array_mut().expect("mounts");
    mounts.retain(|mount| mount["type"] == "proc" || mount["type"] == "tmpfs");
    fs::write(&path, spec.to_string()).map_err(|error| error.to_string())
}

fn check(parent: &Cgroup, bundle: Bundle) -> Result<(), String> {
    let tracing = Tracer::new().cgroup(parent).start();
    bundle.start()?;
    wait_until_done(&bundle)?;
    drop(bundle);
    let outcome = tracing.stop().exits(0);
    let allowed = outcome.allowed();
    let is_allowed = |name: &&&str| allowed.iter().any(|allowed| allowed == **name);
    let missing: Vec<_> =
        INNER_CALLS.iter().chain(&RUNTIMES_CALLS).filter(|name| !is_allowed(name)).collect();
    if missing.is_empty() && !is_allowed(&&OUTER_CALL) {
        return Ok(());
    }
    Err(format!("not allowed: {missing:?}\n{}", outcome.read("recording.json")))
}
