//! Who reads a profile: container engines and runtimes, with their versions.

use std::{fmt, str::FromStr};

use crate::profile::base::OciRuntime;

/// A program that reads profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consumer {
    /// Docker.
    Docker,
    /// Podman, and Buildah.
    Podman,
    /// CRI-O, a profile of type Localhost.
    Crio,
    /// containerd, a profile of type Localhost.
    Containerd,
    /// runc, in a `config.json`.
    Runc,
    /// crun, in a `config.json`.
    Crun,
}

impl Consumer {
    /// Every consumer.
    pub const ALL: [Self; 6] =
        [Self::Docker, Self::Podman, Self::Crio, Self::Containerd, Self::Runc, Self::Crun];

    /// The name, as people type it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Crio => "crio",
            Self::Containerd => "containerd",
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }

    /// The runtimes that load its profiles, as it is shipped.
    pub fn runtimes(self) -> &'static [OciRuntime] {
        match self {
            Self::Docker | Self::Containerd | Self::Runc => &[OciRuntime::Runc],
            Self::Podman | Self::Crio => &[OciRuntime::Crun, OciRuntime::Runc],
            Self::Crun => &[OciRuntime::Crun],
        }
    }

    /// Reads what Docker added to the form: `archMap`, `includes`, `excludes` (moby's
    /// `profiles/seccomp`, `containers/common`).
    pub fn reads_additions(self) -> bool {
        matches!(self, Self::Docker | Self::Podman | Self::Crio)
    }
}

/// A version: its numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

impl Version {
    /// It has the change that came with these releases, each the first one of its series, the
    /// oldest first: `1.2.8`, `1.3.3`, `1.4.0`.
    pub fn has_change_of(&self, releases: &[Self]) -> bool {
        let series = |version: &Self| version.0.get(..2).unwrap_or(&version.0).to_vec();
        let same = releases.iter().find(|release| series(release) == series(self));
        match same {
            Some(first) => self >= first,
            None => releases.last().is_some_and(|last| self >= last),
        }
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split(['-', '+']).next().unwrap_or(text);
        let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        numbers.map(Self).map_err(|_| ())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        formatter.write_str(&numbers.join("."))
    }
}

/// The consumers for which a profile is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The consumers, each with its version where it is known.
    pub consumers: Vec<(Consumer, Option<Version>)>,
    /// The version of libseccomp there, where it is known.
    pub libseccomp: Option<Version>,
}

impl Default for Audience {
    fn default() -> Self {
        let consumers = Consumer::ALL.into_iter().map(|consumer| (consumer, None)).collect();
        Self { consumers, libseccomp: None }
    }
}

/// What was typed names no consumer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudienceError {
    /// No such consumer.
    #[error(
        "`{0}` reads no profiles that are known here; write some of docker, podman, containerd, crio, runc, crun, libseccomp, each with its version after a comma if you like: runc,1.3.6"
    )]
    Unknown(String),
    /// A version of nothing.
    #[error("the version {0} stands before the name that it belongs to; write it after: runc,{0}")]
    VersionFirst(String),
    /// A version where none has a meaning.
    #[error("libseccomp needs its version: libseccomp,2.5.5")]
    WithoutVersion,
}

impl Audience {
    /// Reads a list: names of consumers, each perhaps followed by its version.
    ///
    /// # Errors
    /// A part of it is neither.
    pub fn parse(parts: &[String]) -> Result<Self, AudienceError> {
        let mut audience = Self { consumers: Vec::new(), libseccomp: None };
        let mut parts =
            parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let name = part.to_ascii_lowercase();
            let version = parts.peek().and_then(|next| next.parse().ok());
            if version.is_some() {
                parts.next();
            }
            // CRI-O is written with a dash as often as without.
            let name = if name == "cri-o" { "crio".to_owned() } else { name };
            match Consumer::ALL.into_iter().find(|consumer| consumer.name() == name) {
                Some(consumer) => audience.consumers.push((consumer, version)),
                None if name == "libseccomp" => {
                    audience.libseccomp = Some(version.ok_or(AudienceError::WithoutVersion)?);
                }
                None if name.parse::<Version>().is_ok() => {
                    return Err(AudienceError::VersionFirst(part.to_owned()));
                }
                None => return Err(AudienceError::Unknown(crate::text::escape(part).into())),
            }
        }
        if audience.consumers.is_empty() {
            audience.consumers = Self::default().consumers;
        }
        Ok(audience)
    }

    /// The runtimes that start containers for this audience, each with its version where it is
    /// known.
    pub fn runtimes(&self) -> Vec<(OciRuntime, Option<&Version>)> {
        let mut runtimes: Vec<(OciRuntime, Option<&Version>)> = Vec::new();
        for (consumer, version) in &self.consumers {
            let own = matches!(consumer, Consumer::Runc | Consumer::Crun);
            for runtime in consumer.runtimes() {
                let version = version.as_ref().filter(|_| own);
                match runtimes.iter_mut().find(|(known, _)| known == runtime) {
                    // Named with a version, it is that one, whoever else starts containers by it.
                    Some((_, known)) => *known = known.or(version),
                    None => runtimes.push((*runtime, version)),
                }
            }
        }
        runtimes.sort_by_key(|(runtime, _)| *runtime);
        runtimes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Audience, AudienceError> {
        Audience::parse(&text.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_followed_by_their_versions() {
        let audience = parse("containerd,runc,v1.1.5,CRI-O,libseccomp,2.5.4").expect("an audience");
        let version = |text: &str| text.parse::<Version>().ok();
        assert_eq!(
            audience.consumers,
            [
                (Consumer::Containerd, None),
                (Consumer::Runc, version("1.1.5")),
                (Consumer::Crio, None)
            ]
        );
        assert_eq!(audience.libseccomp, version("2.5.4"));
        let runtimes = audience.runtimes();
        assert_eq!(runtimes[0], (OciRuntime::Runc, version("1.1.5").as_ref()));
        assert_eq!(runtimes[1], (OciRuntime::Crun, None));
        assert_eq!(parse("").expect("nobody: everybody"), Audience::default());
        assert_eq!(parse("libseccomp,2.6").expect("one").consumers.len(), 6);
        assert_eq!(parse("1.1.5,runc"), Err(AudienceError::VersionFirst("1.1.5".to_owned())));
        assert_eq!(parse("lxc"), Err(AudienceError::Unknown("lxc".to_owned())));
        assert_eq!(parse("libseccomp"), Err(AudienceError::WithoutVersion));
    }

    #[test]
    fn a_change_comes_with_each_series() {
        let version = |text: &str| text.parse::<Version>().expect("a version");
        let releases = ["1.2.8", "1.3.3", "1.4.0"].map(version);
        for (text, has) in [
            ("1.1.15", false),
            ("1.2.7", false),
            ("1.2.8", true),
            ("1.3", false),
            ("1.3.2", false),
            ("1.3.6", true),
            ("1.4.0-rc.1", true),
            ("1.5.1", true),
        ] {
            assert_eq!(version(text).has_change_of(&releases), has, "{text}");
        }
        assert!("1.x".parse::<Version>().is_err() && "".parse::<Version>().is_err());
    }
}
