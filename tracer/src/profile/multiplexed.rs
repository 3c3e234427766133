//! Calls that i386 programs make through one entrance, which tells them apart by its first
//! argument.

use super::oci::{Condition, Operator};
use crate::syscalls::{self, Abi};

/// A call behind an entrance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Multiplexed {
    /// The call that is made.
    pub(super) entrance: Entrance,
    /// Its first argument.
    first: u64,
}

/// A call that stands for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// `socketcall(2)`.
    SocketCall,
    /// `ipc(2)`.
    Ipc,
}

/// The calls behind `socketcall`: the first is number 1 (`include/uapi/linux/net.h`).
const SOCKET_CALLS: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];

/// The calls behind `ipc` with their numbers (`include/uapi/linux/ipc.h`).
const IPC_CALLS: [(&str, u64); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// The call behind an entrance, of a name.
pub(super) fn by_name(name: &str) -> Option<Multiplexed> {
    if let Some(at) = SOCKET_CALLS.iter().position(|call| *call == name) {
        return Some(Multiplexed { entrance: Entrance::SocketCall, first: at as u64 + 1 });
    }
    let (_, first) = IPC_CALLS.iter().find(|(call, _)| *call == name)?;
    Some(Multiplexed { entrance: Entrance::Ipc, first: *first })
}

/// Whether i386 programs make a call through an entrance as well.
pub fn is_multiplexed(name: &str) -> bool {
    by_name(name).is_some()
}

impl Multiplexed {
    /// The conditions on the entrance: its first argument is this call's. Others stay, though the
    /// entrance's arguments are not the call's: that is what libseccomp makes of them.
    pub(super) fn conditions(self, conditions: &[Condition]) -> Vec<Condition> {
        let this =
            Condition { index: 0, value: self.first, value_two: 0, operator: Operator::Equal };
        let others = conditions.iter().copied().filter(|condition| condition.index != 0);
        [this].into_iter().chain(others).collect()
    }
}

impl Entrance {
    /// Its number in i386's table.
    pub(super) fn number(self) -> u32 {
        let name = match self {
            Self::SocketCall => "socketcall",
            Self::Ipc => "ipc",
        };
        let number = Abi::multiplexing().find_map(|abi| syscalls::number(abi, name));
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.expect("an ABI that multiplexes has both, as the unit tests prove")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entrances_have_numbers() {
        assert_eq!(Entrance::SocketCall.number(), 102);
        assert_eq!(Entrance::Ipc.number(), 117);
    }

    #[test]
    fn calls_are_found_by_name() {
        let first = |name| by_name(name).map(|call| call.first);
        assert_eq!(first("socket"), Some(1));
        assert_eq!(first("sendmmsg"), Some(20));
        assert_eq!(first("shmctl"), Some(24));
        assert_eq!(first("read"), None);
    }
}
