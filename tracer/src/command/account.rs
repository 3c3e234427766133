//! Who a command runs as, and what its environment says of them.

use std::{
    env,
    ffi::{CString, OsString},
};

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, getgrouplist};

use super::usage::usage;
use crate::{sys::User, text::escape};

/// The variables that say who a user is (environ(7)).
const VARIABLES: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];

/// A user by name or number.
pub(super) struct Account {
    /// The ids, with the groups they are in.
    pub(super) user: User,
    /// What [`VARIABLES`] are for them.
    values: [Option<OsString>; 4],
}

impl Account {
    /// Looks a user up; a number need not be known.
    pub(super) fn find(text: &str) -> Result<Self> {
        let known = match text.parse() {
            Ok(id) => nix::unistd::User::from_uid(Uid::from_raw(id)),
            Err(_) => nix::unistd::User::from_name(text),
        };
        match (known.context("the user database could not be read")?, text.parse()) {
            (Some(user), _) => Self::known(user),
            (None, Ok(id)) => Ok(Self {
                user: User { id, group: id, groups: vec![id] },
                values: [Some("/".into()), None, None, None],
            }),
            (None, Err(_)) => Err(usage(&format!("there is no user `{}`", escape(text)))),
        }
    }

    fn known(user: nix::unistd::User) -> Result<Self> {
        let name = CString::new(user.name.clone()).context("a user name")?;
        let groups =
            getgrouplist(&name, user.gid).context("the group database could not be read")?;
        let groups = groups.into_iter().map(Gid::as_raw).collect();
        let name = OsString::from(user.name);
        let shell = user.shell.into_os_string();
        // An empty field means this one (passwd(5)).
        let shell = if shell.is_empty() { "/bin/sh".into() } else { shell };
        Ok(Self {
            user: User { id: user.uid.as_raw(), group: user.gid.as_raw(), groups },
            values: [Some(user.dir.into()), Some(name.clone()), Some(name), Some(shell)],
        })
    }

    /// Makes an environment that of this user, in place of the one who typed.
    pub(super) fn change(&self, environment: &mut Vec<(OsString, OsString)>) {
        environment.retain(|(name, _)| !VARIABLES.iter().any(|variable| name == variable));
        let values = VARIABLES.iter().zip(&self.values);
        environment.extend(
            values.filter_map(|(name, value)| Some((OsString::from(name), value.clone()?))),
        );
    }
}

/// How a command is run as somebody else than root: under sudo, as the one who typed it.
pub(super) fn hint() -> String {
    match env::var("SUDO_USER") {
        Ok(name) if !name.is_empty() && name != "root" => {
            format!("hint: --user {} runs it as you", escape(&name))
        }
        _ => "hint: --user NAME runs it as another user".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Vec<(OsString, OsString)> {
        [("HOME", "/root"), ("PATH", "/bin"), ("USER", "root"), ("LOGNAME", "root")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec()
    }

    #[test]
    fn the_environment_tells_of_the_user() {
        let account = Account::find("0").expect("root is known");
        let mut environment = environment();
        account.change(&mut environment);
        let names: Vec<_> = environment.iter().filter_map(|(name, _)| name.to_str()).collect();
        assert_eq!(names, ["PATH", "HOME", "USER", "LOGNAME", "SHELL"]);
        assert_eq!(environment[2].1, "root");
    }

    #[test]
    fn a_number_without_a_name_is_at_home_in_the_root() {
        let account = Account::find("3999999999").expect("a number");
        let mut environment = environment();
        account.change(&mut environment);
        let expected = [("PATH", "/bin"), ("HOME", "/")];
        assert_eq!(environment, expected.map(|(name, value)| (name.into(), value.into())));
        assert!(Account::find("no such user").is_err());
    }
}
