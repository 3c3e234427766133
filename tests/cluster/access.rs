//! A service account with certain rights, and a kubeconfig with its token.

use std::fs;

use serde_json::{Value, json};
use tests::deployment::{DAEMONSET, documents, items};

use crate::configuration::KUBECONFIG;
use crate::node::Node;
use crate::space::Space;

/// One thing that may be done: a verb, and the resource with its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// `list` or `watch`.
    pub verb: String,
    /// Empty for what Kubernetes had first.
    pub group: String,
    /// In the plural.
    pub resource: String,
}

/// Every right that the shipped manifest gives.
pub fn shipped() -> Vec<Right> {
    let documents = documents(DAEMONSET).expect("it is well-formed");
    let is_role = |fields: &&tests::deployment::Fields| fields["kind"] == "ClusterRole";
    let role = documents.iter().find(is_role).expect("it has a role");
    let mut rights = Vec::new();
    for index in 0.. {
        let list = |field: &str| items(role, &format!("rules.{index}.{field}"));
        let verbs = list("verbs");
        if verbs.is_empty() {
            break;
        }
        let group = list("apiGroups").into_iter().next().expect("a group");
        for resource in list("resources") {
            for verb in &verbs {
                let (verb, group) = (verb.clone(), group.clone());
                rights.push(Right { verb, group, resource: resource.clone() });
            }
        }
    }
    rights
}

/// Makes a service account in a namespace that has these rights there, and returns the path of its
/// kubeconfig on the node.
pub fn kubeconfig(space: &Space, name: &str, rights: &[Right]) -> Result<String, String> {
    let rules: Vec<Value> = rights
        .iter()
        .map(|right| {
            json!({ "apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb] })
        })
        .collect();
    let metadata = json!({ "name": name });
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name });
    let subject = json!({ "kind": "ServiceAccount", "name": name, "namespace": space.name });
    let api = "rbac.authorization.k8s.io/v1";
    space.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata },
        { "apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules },
        { "apiVersion": api, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject] },
    ] }))?;
    let secret = || {
        let account = space.get(&["serviceaccount", name]).ok()?;
        Some(account["secrets"][0]["name"].as_str()?.to_owned())
    };
    space.wait("the service account has a token", |_| secret().is_some())?;
    let secret = space.get(&["secret", &secret().unwrap_or_default()])?;
    let data = |key: &str| secret["data"][key].as_str().unwrap_or_default().to_owned();
    let token = decoded(space.node, &data("token"))?;
    write(space.node, &space.name, name, &token, Some(&data("ca.crt")))
}

/// Writes one with a token; without an authority the server's certificate is not checked.
pub fn write(
    node: &Node,
    space: &str,
    name: &str,
    token: &str,
    authority: Option<&str>,
) -> Result<String, String> {
    let text = fs::read_to_string(node.path(KUBECONFIG)).map_err(|error| error.to_string())?;
    let mut config: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    config["users"][0]["user"] = json!({ "token": token });
    if let Some(authority) = authority {
        let server = config["clusters"][0]["cluster"]["server"].clone();
        config["clusters"][0]["cluster"] =
            json!({ "server": server, "certificate-authority-data": authority });
    }
    let path = format!("/var/tmp/{space}-{name}.conf");
    fs::write(node.path(&path), config.to_string()).map_err(|error| format!("{path}: {error}"))?;
    Ok(path)
}

fn decoded(node: &Node, text: &str) -> Result<String, String> {
    tests::succeed(node.command("sh").args(["-c", "printf %s \"$0\" | base64 -d"]).arg(text))
}
