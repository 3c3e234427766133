//! kubeconfig files, as kubectl writes and merges them (`k8s.io/client-go`, `tools/clientcmd`).
//! tracer reads the files that they name, and never runs a program that they name.

use std::path::{Path, PathBuf};

use yaml_rust2::parser::{Event, EventReceiver, Parser};
use yaml_rust2::{Yaml, YamlLoader};

use super::access::{self, Access, Credentials, Trust};
use super::error::AccessError;
use crate::text::escape_path;

/// The most levels of lists and mappings, and the most columns of an indentation.
const MOST_LEVELS: usize = 64;

/// A file, and what is in it.
type File = (PathBuf, String);

/// Credentials of kinds that tracer does not use: those that are programs to run, or that the API
/// server takes no more.
const NOT_USED: [(&str, &str); 3] = [
    ("exec", "a program to run for credentials (exec)"),
    ("auth-provider", "an auth-provider"),
    ("username", "a password"),
];

impl Access {
    /// As kubeconfig files say: what an earlier one says counts more than what a later one does.
    ///
    /// # Errors
    /// A file cannot be read or understood, or holds credentials that tracer does not use.
    pub fn from_kubeconfig(files: &[PathBuf], context: Option<&str>) -> Result<Self, AccessError> {
        let texts: Result<Vec<_>, AccessError> = files
            .iter()
            .map(|path| {
                let bytes = access::read(path)?;
                let text = String::from_utf8(bytes);
                Ok((
                    path.clone(),
                    text.map_err(|_| AccessError::not_understood(path, "not UTF-8"))?,
                ))
            })
            .collect();
        access(&texts?, context)
    }
}

/// Where the API server is and as whom it is asked, in a context or the current one.
pub(super) fn access(files: &[File], context: Option<&str>) -> Result<Access, AccessError> {
    let documents: Result<Vec<Document>, AccessError> = files.iter().map(Document::read).collect();
    let documents = documents?;
    let first = files.first().map_or(Path::new(""), |(path, _)| path.as_path());
    let missing = |what: String| AccessError::not_understood(first, &what);
    let current = || documents.iter().find_map(|one| text(&one.root, "current-context"));
    let name = context.or_else(current).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| missing("there is no current-context".to_owned()))?;
    let find = |list: &str, kind: &str, name: &str| {
        let found = documents.iter().find_map(|one| Some((one, one.named(list, kind, name)?)));
        found.ok_or_else(|| missing(format!("there is no {kind} named {name}")))
    };
    let (_, context) = find("contexts", "context", name)?;
    let (of_cluster, cluster) =
        find("clusters", "cluster", text(context, "cluster").unwrap_or_default())?;
    let user = text(context, "user").filter(|user| !user.is_empty());
    let credentials = match user.map(|user| find("users", "user", user)).transpose()? {
        Some((document, user)) => credentials(document, user)?,
        None => Credentials::default(),
    };
    let refused = |what: &str| AccessError::not_understood(&of_cluster.path, what);
    let server = text(cluster, "server").ok_or_else(|| refused("the cluster has no server"))?;
    if text(cluster, "proxy-url").is_some() {
        return Err(AccessError::NotSupported { path: of_cluster.path.clone(), what: "proxy-url" });
    }
    let (is_secure, host, port, prefix) =
        address(server).ok_or_else(|| refused(&format!("{server} is no address of a server")))?;
    let is_here =
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if !is_secure && !is_here {
        return Err(refused(&format!(
            "{server}: without TLS tracer asks only servers of this host"
        )));
    }
    let trust = is_secure.then(|| trust(of_cluster, cluster)).transpose()?;
    let origin = format!("the kubeconfig {}", escape_path(first));
    Ok(Access { origin, host, port, prefix, trust, credentials })
}

/// A kubeconfig that was read.
struct Document {
    path: PathBuf,
    root: Yaml,
}

impl Document {
    fn read((path, text): &File) -> Result<Self, AccessError> {
        let refused = |why: String| AccessError::not_understood(path, &why);
        if nests_deeply(text) {
            return Err(refused("it nests too deeply".to_owned()));
        }
        let mut aliases = Aliases(false);
        let parsed = Parser::new_from_str(text).load(&mut aliases, true);
        parsed.map_err(|error| refused(error.to_string()))?;
        if aliases.0 {
            return Err(refused("it has aliases (*), which no kubeconfig needs".to_owned()));
        }
        let mut read =
            YamlLoader::load_from_str(text).map_err(|error| refused(error.to_string()))?;
        let root = read.drain(..).next().unwrap_or(Yaml::Null);
        match root {
            Yaml::Hash(_) => Ok(Self { path: path.clone(), root }),
            _ => Err(refused("it is no kubeconfig".to_owned())),
        }
    }

    /// What an entry of a list holds: `clusters: [{ name: NAME, cluster: ... }]`.
    fn named(&self, list: &str, kind: &str, name: &str) -> Option<&Yaml> {
        let entries = self.root[list].as_vec()?;
        let entry = entries.iter().find(|entry| text(entry, "name") == Some(name))?;
        Some(&entry[kind]).filter(|found| matches!(found, Yaml::Hash(_)))
    }

    /// The bytes that stand in the file or in one that it names: `KEY-data`, or `KEY`, which is
    /// relative to the file's directory.
    fn bytes(&self, of: &Yaml, key: &str) -> Result<Option<Vec<u8>>, AccessError> {
        if let Some(data) = text(of, &format!("{key}-data")).filter(|data| !data.is_empty()) {
            let read = base64(data);
            let refused =
                || AccessError::not_understood(&self.path, &format!("{key}-data is not base64"));
            return read.ok_or_else(refused).map(Some);
        }
        let path = text(of, key).filter(|path| !path.is_empty());
        path.map(|path| access::read(&self.beside(path))).transpose()
    }

    fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

fn text<'a>(of: &'a Yaml, key: &str) -> Option<&'a str> {
    of[key].as_str()
}

fn trust(document: &Document, cluster: &Yaml) -> Result<Trust, AccessError> {
    let name = text(cluster, "tls-server-name").filter(|name| !name.is_empty()).map(str::to_owned);
    if cluster["insecure-skip-tls-verify"].as_bool() == Some(true) {
        return Ok(Trust { authorities: None, name });
    }
    let authorities = document.bytes(cluster, "certificate-authority")?;
    let authorities = authorities.map_or_else(access::of_the_machine, Ok)?;
    Ok(Trust { authorities: Some(authorities), name })
}

fn credentials(document: &Document, user: &Yaml) -> Result<Credentials, AccessError> {
    let certificate = document.bytes(user, "client-certificate")?;
    let key = document.bytes(user, "client-key")?;
    let token = text(user, "token").filter(|token| !token.is_empty()).map(str::to_owned);
    let token_file = text(user, "tokenFile").filter(|path| !path.is_empty());
    let found = Credentials {
        token,
        token_file: token_file.map(|path| document.beside(path)),
        certificate: certificate.zip(key),
    };
    let used = NOT_USED.iter().find(|(key, _)| !matches!(user[*key], Yaml::BadValue | Yaml::Null));
    match used {
        Some((_, what)) if found == Credentials::default() => {
            Err(AccessError::NotSupported { path: document.path.clone(), what })
        }
        _ => Ok(found),
    }
}

/// With TLS or not, host, port and path of a server's address:
/// `https://10.0.0.1:6443/k8s/clusters/c-1`.
fn address(text: &str) -> Option<(bool, String, u16, String)> {
    let (is_secure, rest) = match text.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        Some(_) => return None,
        None => (true, text),
    };
    let (authority, prefix) = match rest.find('/') {
        Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
        None => (rest, ""),
    };
    let usual = if is_secure { 443 } else { 80 };
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':').map_or(Some(usual), |port| port.parse().ok())?)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, usual),
        },
    };
    let fits = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:_".contains(&byte))
        && prefix.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
    fits.then(|| (is_secure, host.to_owned(), port, prefix.to_owned()))
}

/// Whether there are aliases: a few lines of them become more than fits into memory.
struct Aliases(bool);

impl EventReceiver for Aliases {
    fn on_event(&mut self, event: Event) {
        self.0 |= matches!(event, Event::Alias(_));
    }
}

/// Whether a text may nest so deeply that reading it takes more stack than there is.
fn nests_deeply(text: &str) -> bool {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let is_indent = |byte: &u8| b" -?:\t".contains(byte);
    let indent = |line: &str| line.bytes().take_while(is_indent).count();
    deepest > MOST_LEVELS || text.lines().any(|line| indent(line) > MOST_LEVELS)
}

/// RFC 4648, section 4, with or without padding and line ends.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = ((bits << 6) | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(((bits >> count) & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: c
contexts:
- name: c
  context: { cluster: one, user: admin }
- context: { cluster: one, user: cloud }
  name: cloud
- { name: plain, context: { cluster: proxy, user: "" } }
- { name: lost, context: { cluster: nowhere, user: admin } }
- { name: far, context: { cluster: far, user: admin } }
clusters:
- name: one
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority-data: QUJD
- { name: proxy, cluster: { server: "http://127.0.0.1:8001" } }
- { name: far, cluster: { server: "http://10.0.0.1:8001" } }
users:
- { name: admin, user: { token: secret-token } }
- name: cloud
  user: { exec: { command: aws, apiVersion: client.authentication.k8s.io/v1 } }
"#;

    fn read(texts: &[&str], context: Option<&str>) -> Result<Access, AccessError> {
        let files: Vec<File> =
            texts.iter().map(|text| (PathBuf::from("/etc/k.yaml"), (*text).to_owned())).collect();
        access(&files, context)
    }

    #[test]
    fn a_context_tells_where_and_as_whom() {
        let access = read(&[CONFIG], None).expect("understood");
        assert_eq!(access.server(), "https://10.0.0.1:6443");
        assert_eq!(access.credentials.token.as_deref(), Some("secret-token"));
        assert_eq!(
            access.trust.as_ref().and_then(|one| one.authorities.clone()),
            Some(b"ABC".to_vec())
        );
        assert!(!format!("{access:?}").contains("secret"), "{access:?}");
        let plain = read(&[CONFIG], Some("plain")).expect("understood");
        assert_eq!((plain.server().as_str(), plain.trust), ("http://127.0.0.1:8001", None));
        let first = "current-context: plain\nclusters: null\n";
        let merged = read(&[first, CONFIG], None).expect("understood");
        assert_eq!(merged.host, "127.0.0.1", "the first file counts more");
    }

    #[test]
    fn what_cannot_be_used_is_an_error() {
        let (deep, steep) = ("[".repeat(1 << 20), "- ".repeat(1 << 20));
        for (texts, context, part) in [
            (&[CONFIG][..], Some("cloud"), "a program to run for credentials (exec)"),
            (&[CONFIG], Some("nobody"), "there is no context named nobody"),
            (&[CONFIG], Some("lost"), "there is no cluster named nowhere"),
            (&[CONFIG], Some("far"), "without TLS"),
            (&["a: 1"], None, "there is no current-context"),
            (&["- 1"], None, "it is no kubeconfig"),
            (&[""], None, "it is no kubeconfig"),
            (&["a: [1"], None, "/etc/k.yaml: "),
            (&["a: &x [1]\nb: [*x, *x]"], None, "it has aliases"),
            (&[deep.as_str()], None, "it nests too deeply"),
            (&[steep.as_str()], None, "it nests too deeply"),
            (&["a: \"\u{1b}"], None, "/etc/k.yaml: "),
        ] {
            let error = read(texts, context).expect_err(part).to_string();
            assert!(error.contains(part) && error.contains("hint: "), "{part}: {error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("QQ==", b"A"),
            ("QUI=", b"AB"),
            ("QUJD", b"ABC"),
            ("+/8\n=", &[0xfb, 0xff]),
        ] {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text:?}");
        }
        assert_eq!(base64("QU-D"), None);
    }

    #[test]
    fn addresses_are_read_as_kubectl_reads_them() {
        for (text, expected) in [
            ("https://a.example:6443/", Some((true, "a.example", 6443, ""))),
            ("https://a.example/k8s/c", Some((true, "a.example", 443, "/k8s/c"))),
            ("https://[::1]:6443", Some((true, "::1", 6443, ""))),
            ("http://localhost", Some((false, "localhost", 80, ""))),
            ("10.0.0.1:6443", Some((true, "10.0.0.1", 6443, ""))),
            ("unix:///run/x", None),
            ("https://", None),
            ("https://a:b", None),
            ("https://a b", None),
            ("https://a/\r\nx", None),
        ] {
            let read = address(text);
            let read = read
                .as_ref()
                .map(|(tls, host, port, prefix)| (*tls, host.as_str(), *port, prefix.as_str()));
            assert_eq!(read, expected, "{text}");
        }
    }
}
