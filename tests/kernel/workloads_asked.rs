//! Pods by labels and by what made them, when neither a runtime nor the API server answers: there
//! is no socket, a socket or a server hangs, or a kubeconfig is of no use. tracer names each cause
//! with a remedy, and does not wait long.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use tests::{Outcome, Tracer};

tests::trials! {
    labels_select_among_many_pods_only,
    labels_that_nobody_reports_are_an_error,
    a_runtime_that_hangs_is_reported_and_takes_no_longer_than_it_may,
    an_api_server_that_hangs_or_is_not_there_is_an_error,
    a_kubeconfig_that_is_of_no_use_is_an_error,
    nobody_asks_the_api_server_without_the_option,
}

/// No kubelet, no runtime: what a node has where this machine may have something else.
const ALONE: [&str; 5] = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount -t tmpfs none /run && mount -t tmpfs none /var/log && exec \"$0\" \"$@\"",
];
/// What is asked is given 10 s at most, and a busy machine takes its time for the rest.
const SOON: Duration = Duration::from_secs(60);

fn tracer(target: &str) -> Tracer {
    Tracer::new().launcher(ALONE).args(["--cgroup", target])
}

fn fails(tracer: Tracer, parts: &[&str]) -> Outcome {
    let began = Instant::now();
    let outcome = tracer.run().exits(1).writes_nothing().says(parts).says(&["hint: "]);
    assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());
    outcome
}

fn labels_select_among_many_pods_only() {
    for (target, labels, part) in [
        ("shop/web-0", "app=web", "`shop/web-0` is no group of pods"),
        ("shop/*", "app near (web)", "`app near (web)` is no label selector"),
        ("shop/*", "", "it is empty"),
    ] {
        tracer(target).args(["-l", labels]).run().exits(2).says(&[part, "hint: "]);
    }
    let outcome = Tracer::new().args(["-l", "app=web"]).command(["true"]).run().exits(2);
    outcome.says(&["--cgroup"]);
}

fn labels_that_nobody_reports_are_an_error() {
    let parts =
        ["nothing reports which pods have the labels `app=web`", "--cri-endpoint", "--ask-api"];
    fails(tracer("shop/*").args(["-l", "app=web"]), &parts);
    // It would wait for ever.
    fails(tracer("shop/*").args(["-l", "app=web", "--wait"]), &parts);
    let parts = [
        "no pod of `shop/deployment/web` is known on this node",
        "no runtime that knows such names",
    ];
    fails(tracer("shop/deployment/web"), &parts);
}

fn a_runtime_that_hangs_is_reported_and_takes_no_longer_than_it_may() {
    let directory = tests::temporary_directory();
    let socket = directory.path().join("cri.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let endpoint = format!("--cri-endpoint=unix://{}", socket.display());
    let parts = ["no pod of `shop/deployment/web`", "not asked: CRI at", "no answer within 2 s"];
    fails(tracer("shop/deployment/web").args([&endpoint]), &parts);
    let labelled = tracer("shop/*").args([endpoint.as_str(), "-l", "app=web"]);
    fails(labelled, &["the labels `app=web`", "no answer within 2 s"]);
    drop(listener);
}

/// A kubeconfig of a server without TLS on this machine.
fn kubeconfig(address: &str, user: &str) -> String {
    format!(
        "current-context: c\ncontexts: [{{ name: c, context: {{ cluster: c, user: u }} }}]\n\
         clusters: [{{ name: c, cluster: {{ server: \"{address}\" }} }}]\nusers: [{{ name: u, user: {user} }}]\n"
    )
}

fn an_api_server_that_hangs_or_is_not_there_is_an_error() {
    let directory = tests::temporary_directory();
    let file = directory.path().join("config");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    for scheme in ["http", "https"] {
        let text = kubeconfig(&format!("{scheme}://{address}"), "{ token: secret-token }");
        let text = if scheme == "http" {
            text
        } else {
            text.replace("cluster: { server", "cluster: { insecure-skip-tls-verify: true, server")
        };
        fs::write(&file, text).expect("written");
        let asking =
            || tracer("shop/deployment/web").args(["--wait", "--kubeconfig"]).args([&file]);
        let server = format!("the API server at {scheme}://{address}");
        let outcome = fails(asking(), &[&server, "no answer within 10 s", "the kubeconfig"]);
        assert!(!outcome.stderr.contains("secret-token"), "{}", outcome.stderr);
    }
    drop(listener);
    let text = kubeconfig(&format!("http://{address}"), "{ token: t }");
    fs::write(&file, text).expect("written");
    let asking = tracer("shop/deployment/web").args(["--kubeconfig"]).args([&file]);
    fails(asking, &["cannot be asked", "onnection refused", "kubectl cluster-info"]);
}

fn a_kubeconfig_that_is_of_no_use_is_an_error() {
    let directory = tests::temporary_directory();
    let file = directory.path().join("config");
    let asking = || tracer("shop/*").args(["--kubeconfig"]).args([&file]);
    let missing = asking().run().exits(1).writes_nothing();
    missing.says(&["cannot read ", "config", "No such file"]);
    let exec = kubeconfig("https://127.0.0.1:1", "{ exec: { command: /bin/false } }");
    for (text, parts) in [
        (exec, ["a program to run for credentials (exec)", "kubectl proxy"]),
        ("kind: Config\n".to_owned(), ["there is no current-context", "kubectl --kubeconfig"]),
        ("\u{1b}[2J".to_owned(), ["config: ", "kubectl --kubeconfig"]),
        (kubeconfig("http://10.0.0.1:1", "{}"), ["without TLS", "hint: "]),
    ] {
        fs::write(&file, text).expect("written");
        let outcome = fails(asking(), &parts);
        assert!(!outcome.stderr.contains('\u{1b}'), "{:?}", outcome.stderr);
    }
}

fn nobody_asks_the_api_server_without_the_option() {
    let directory = tests::temporary_directory();
    let file = directory.path().join("config");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it does not block");
    let address = listener.local_addr().expect("it is bound");
    fs::write(&file, kubeconfig(&format!("http://{address}"), "{}")).expect("written");
    let path = file.display().to_string();
    let silent = tracer("shop/deployment/web").environment("KUBECONFIG", &path);
    fails(silent, &["no pod of `shop/deployment/web`"]);
    assert!(listener.accept().is_err(), "it was asked");
    let asking = tracer("shop/deployment/web").environment("KUBECONFIG", &path).args(["--ask-api"]);
    fails(asking, &["no answer within 10 s"]);
    assert!(listener.accept().is_ok(), "it was not asked");
    tracer("shop/*").args(["--node-name", "n"]).run().exits(2).says(&["--ask-api"]);
    fails(tracer("shop/*").args(["--ask-api"]), &["the address of the API server is unknown"]);
}
