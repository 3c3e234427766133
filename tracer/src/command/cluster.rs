//! Which pods are meant, and how the API server of Kubernetes is asked about them.

use std::{env, path::PathBuf};

use anyhow::Result;

use super::usage::usage;
use crate::{
    cli::Cluster,
    message::print_err,
    target::{
        TargetSpec,
        cluster::{Access, Question},
        grammar::Meaning,
        inventory::Inventory,
        membership::PodGroup,
        selector::Selector,
        workload::Pods,
    },
};

/// The targets, narrowed to the pods with the labels that were typed.
pub(super) fn narrowed(specs: Vec<TargetSpec>, typed: &Cluster) -> Result<Vec<TargetSpec>> {
    let Some(text) = &typed.selector else { return Ok(specs) };
    let selector: Selector = text.parse().map_err(|error| usage(&error))?;
    specs.into_iter().map(|spec| spec.narrowed(&selector).map_err(|error| usage(&error))).collect()
}

/// What the API server is asked; None when the user did not say that it may be.
pub(super) fn question(specs: &[TargetSpec], typed: &Cluster) -> Result<Option<Question>> {
    let Cluster { ask_api, kubeconfig, context, node_name, .. } = typed;
    if !ask_api && kubeconfig.is_none() {
        if context.is_some() || node_name.is_some() {
            return Err(usage(
                &"--context and --node-name need a question to the API server\n\nhint: --ask-api or --kubeconfig FILE asks it",
            ));
        }
        return Ok(None);
    }
    let groups: Vec<PodGroup> =
        specs.iter().flat_map(|spec| &spec.meanings).filter_map(group).collect();
    if groups.is_empty() {
        print_err(
            "note: tracer does not ask the API server: no target is in a namespace of Kubernetes",
        );
        return Ok(None);
    }
    let files = match kubeconfig {
        Some(file) => vec![file.clone()],
        None => env::var_os("KUBECONFIG")
            .map(|paths| env::split_paths(&paths).collect())
            .unwrap_or_default(),
    };
    // As kubectl does: files that are not there count for nothing, unless one was named alone.
    let mut files: Vec<PathBuf> =
        files.into_iter().filter(|path| !path.as_os_str().is_empty()).collect();
    if files.len() > 1 {
        files.retain(|path| path.exists());
    }
    let access = if files.is_empty() {
        let variable = |name| env::var(name).ok();
        let address = variable("KUBERNETES_SERVICE_HOST").zip(variable("KUBERNETES_SERVICE_PORT"));
        Access::of_this_pod(address)?
    } else {
        Access::from_kubeconfig(&files, context.as_deref())?
    };
    if access.trust.as_ref().is_some_and(|trust| trust.authorities.is_none()) {
        print_err(&format!(
            "warning: {} says not to check the certificate of {}: anyone on the way there can forge its answers",
            access.origin,
            access.server()
        ));
    }
    Ok(Some(Question { access, groups, node: node_name.clone() }))
}

/// The pods that a meaning is about.
fn group(meaning: &Meaning) -> Option<PodGroup> {
    match meaning {
        Meaning::Workload { group, .. } => Some(group.clone()),
        Meaning::PodName { namespace, pod } | Meaning::PodContainer { namespace, pod, .. } => {
            let (namespace, pods) = (namespace.clone(), Pods::Beginning(pod.clone()));
            Some(PodGroup { namespace, pods, selector: Selector::default() })
        }
        _ => None,
    }
}

/// Asks the API server, and adds its answer.
///
/// # Errors
/// It does not answer.
pub(super) fn resolve(question: &Question, inventory: &mut Inventory, verbose: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(crate::target::cluster::look_up(question))?;
    if verbose {
        print_err(&format!(
            "the API server at {}: {} pods",
            question.access.server(),
            found.report.pods.len()
        ));
    }
    for namespace in question.namespaces() {
        inventory.members.ask_of(namespace);
    }
    inventory.add(found.report);
    inventory.members.states = found.states;
    Ok(())
}
