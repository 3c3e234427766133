//! Errors of the API server, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::request::Request;
use crate::text::{escape, escape_path};

/// How to reach an API server whose kubeconfig asks for more than tracer does.
const TOKEN: &str = "give tracer a kubeconfig that holds a token (kubectl create token SERVICEACCOUNT), or one whose server is that \
     of `kubectl proxy`, http://127.0.0.1:8001";

/// Why it is not known where the API server is, or as whom it is asked.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A file cannot be read.
    #[error("cannot read {}", escape_path(.path))]
    Read {
        /// Its path.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {why}\n\nhint: `kubectl --kubeconfig FILE config view` shows what kubectl makes of it", escape_path(.path))]
    NotUnderstood {
        /// Its path.
        path: PathBuf,
        /// What is wrong, escaped.
        why: String,
    },
    /// Something of a kubeconfig is not supported.
    #[error("{}: tracer does not use {what}, because it runs as root\n\nhint: {TOKEN}", escape_path(.path))]
    NotSupported {
        /// Its path.
        path: PathBuf,
        /// What.
        what: &'static str,
    },
    /// Nothing says where the API server is.
    #[error(
        "the address of the API server is unknown: no kubeconfig was named, and this is no pod with a service account\n\nhint: --kubeconfig FILE names \
         it; in a pod, automountServiceAccountToken must not be false"
    )]
    NoPod,
    /// The kubeconfig names no authority, and the machine has none.
    #[error(
        "the kubeconfig names no certificate-authority, and this machine has no certificates of its own"
    )]
    NoAuthorities,
}

impl AccessError {
    pub(super) fn not_understood(path: &Path, why: &str) -> Self {
        Self::NotUnderstood { path: path.to_owned(), why: escape(why).into() }
    }
}

/// Why the API server does not answer a question.
#[derive(Debug, Error)]
pub enum ApiError {
    /// It is not known where it is, or as whom it is asked.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It cannot be talked to.
    #[error("the API server at {server} cannot be asked: {why}\n\nhint: it is named by {origin}; `kubectl cluster-info` asks it as well{}", reach_hint(.why))]
    Unreachable {
        /// Where it is, escaped.
        server: String,
        /// Where that was read.
        origin: String,
        /// What is wrong, escaped.
        why: String,
    },
    /// It does not answer.
    #[error(
        "the API server at {server} gives no answer within {seconds} s\n\nhint: it is named by {origin}; without --ask-api, names and the labels of the container runtime decide which pods belong to the target"
    )]
    TimedOut {
        /// Where it is, escaped.
        server: String,
        /// Where that was read.
        origin: String,
        /// How long it was given.
        seconds: u64,
    },
    /// It does not know who asks.
    #[error("the API server at {server} does not accept tracer's credentials (401 Unauthorized)\n\nhint: the token or the certificate of {origin} is wrong or too old; `kubectl auth can-i {}` checks it", .request.allowance())]
    Unauthorized {
        /// Where it is, escaped.
        server: String,
        /// Whose credentials they are.
        origin: String,
        /// What was asked.
        request: Box<Request>,
    },
    /// It does not allow it.
    #[error("the API server does not allow tracer to {request}{}\n\nhint: `kubectl auth can-i {}` checks it; the ClusterRole of deploy/daemonset.yaml grants it", said(.why), .request.allowance())]
    Forbidden {
        /// What was asked.
        request: Box<Request>,
        /// What it said, escaped.
        why: String,
    },
    /// It knows nothing of the kind.
    #[error("the API server does not know how to {request}: it is too old or too new for tracer")]
    NotServed {
        /// What was asked.
        request: Box<Request>,
    },
    /// What was known is too old.
    #[error("the API server asks for a new beginning (410 Gone)")]
    Gone,
    /// It answers something else.
    #[error("the API server at {server} cannot {request}: {why}")]
    Answer {
        /// Where it is, escaped.
        server: String,
        /// What was asked.
        request: Box<Request>,
        /// What it said, escaped.
        why: String,
    },
}

impl ApiError {
    /// What is wrong, in one line.
    pub fn state(&self) -> String {
        let message = self.to_string();
        message.lines().next().unwrap_or_default().to_owned()
    }
}

fn said(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// Certificates are the most frequent reason.
fn reach_hint(why: &str) -> &'static str {
    if why.contains("certificate") {
        "; certificate-authority must hold the one that signed the server's certificate"
    } else {
        ""
    }
}
