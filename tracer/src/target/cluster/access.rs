//! The address of the API server, and the credentials for it.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::AccessError;
use crate::text::escape;

/// The largest file that is read: a kubeconfig, certificates, a key, a token.
const MAX_BYTES: u64 = 4 << 20;
/// Where Kubernetes puts what a pod needs (`k8s.io/client-go`, `rest/config.go`).
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Where distributions keep the certificates that the machine trusts.
const MACHINES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// An API server, and as whom it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where this was read, for people: `the kubeconfig FILE`.
    pub origin: String,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What stands before every path; empty or begins with a slash.
    pub prefix: String,
    /// Whose certificates are believed; None without TLS.
    pub trust: Option<Trust>,
    /// As whom it is asked.
    pub credentials: Credentials,
}

/// Whose certificates are believed.
#[derive(Clone, PartialEq, Eq)]
pub struct Trust {
    /// Certificates in PEM; None when the server's certificate is not checked.
    pub authorities: Option<Vec<u8>>,
    /// The name that the certificate is for, when it is not the host's.
    pub name: Option<String>,
}

/// As whom the API server is asked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// A bearer token.
    pub token: Option<String>,
    /// A file that holds the token, which is exchanged now and then.
    pub token_file: Option<PathBuf>,
    /// A certificate and its key, in PEM.
    pub certificate: Option<(Vec<u8>, Vec<u8>)>,
}

/// No secret is ever shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self { token: Some(_), .. } | Self { token_file: Some(_), .. } => "a token",
            Self { certificate: Some(_), .. } => "a certificate",
            _ => "nobody",
        })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checked = if self.authorities.is_some() { "checked" } else { "not checked" };
        formatter.write_str(checked)
    }
}

impl Access {
    /// As the service account of the pod that this program runs in. `address` is the host and the
    /// port of the API server, as Kubernetes gives them to every container.
    ///
    /// # Errors
    /// This is no pod, or it has no service account.
    pub fn of_this_pod(address: Option<(String, String)>) -> Result<Self, AccessError> {
        let directory = Path::new(SERVICE_ACCOUNT);
        let Some((host, port)) = address.filter(|_| directory.join("token").exists()) else {
            return Err(AccessError::NoPod);
        };
        let port = port.parse().map_err(|_| AccessError::NoPod)?;
        let trust = Trust { authorities: Some(read(&directory.join("ca.crt"))?), name: None };
        let credentials =
            Credentials { token_file: Some(directory.join("token")), ..Credentials::default() };
        Ok(Self {
            origin: "the service account of this pod".to_owned(),
            host,
            port,
            prefix: String::new(),
            trust: Some(trust),
            credentials,
        })
    }

    /// For people.
    pub fn server(&self) -> String {
        let scheme = if self.trust.is_some() { "https" } else { "http" };
        escape(&format!("{scheme}://{}{}", self.authority(), self.prefix)).into()
    }

    /// Host and port, as they stand in a URL.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Credentials {
    /// The token, as it is now.
    pub(super) fn bearer(&self) -> Result<Option<String>, AccessError> {
        let Some(path) = &self.token_file else { return Ok(self.token.clone()) };
        let token = String::from_utf8(read(path)?);
        let token = token.map_err(|_| AccessError::not_understood(path, "not UTF-8"))?;
        Ok(Some(token.trim().to_owned()))
    }
}

/// The certificates that this machine trusts.
pub(super) fn of_the_machine() -> Result<Vec<u8>, AccessError> {
    let found = MACHINES.iter().map(Path::new).find(|path| path.exists());
    read(found.ok_or(AccessError::NoAuthorities)?)
}

/// Reads a file that somebody named, up to [`MAX_BYTES`].
pub(super) fn read(path: &Path) -> Result<Vec<u8>, AccessError> {
    let failed = |source| AccessError::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    // A pipe may never end, and a device never say anything.
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(AccessError::not_understood(path, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(AccessError::not_understood(path, "it is too large"));
    }
    Ok(bytes)
}
