//! The kernel's audit records, as they are made.
//!
//! A netlink socket that joins the multicast group of readers gets every record, also when no audit
//! daemon runs, and without the limits of the kernel log (`kernel/audit.c`,
//! `kauditd_send_multicast_skb`).

use std::{
    fmt, fs, io,
    mem::size_of_val,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketAddrAny, SocketFlags, SocketType, bind,
        netlink::{AUDIT, SocketAddrNetlink},
        recvfrom, socket_with, sockopt,
    },
};
use thiserror::Error;

use crate::audit::{SECCOMP, time};

/// `AUDIT_NLGRP_READLOG` as a mask (`include/uapi/linux/audit.h`).
const READ_LOG: u32 = 1;
/// Bytes that may wait to be read.
const BUFFER: usize = 4 << 20;
/// The longest record (`MAX_AUDIT_MESSAGE_LENGTH` in `include/uapi/linux/audit.h`), its header, and
/// some more.
const MESSAGE: usize = 16 << 10;
/// Length of `struct nlmsghdr` (`include/uapi/linux/netlink.h`).
const HEADER: usize = 16;
/// How many numbers `SO_MEMINFO` has, and which one counts what did not find room
/// (`SK_MEMINFO_VARS` and `SK_MEMINFO_DROPS` in `include/uapi/linux/sock_diag.h`).
const NUMBERS: usize = 9;
const DROPS: usize = 8;
/// The file that lists what filters may log (`seccomp(2)`, "/proc interfaces").
const LOGGED: &str = "/proc/sys/kernel/seccomp/actions_logged";

/// Why audit records cannot be read.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The kernel has no audit.
    #[error("this kernel has no audit (CONFIG_AUDIT)")]
    NotThere,
    /// The kernel's command line switches audit off.
    #[error("audit is switched off on the kernel's command line (audit=0)")]
    SwitchedOff,
    /// The administrator took an action out of those that are logged.
    #[error("{LOGGED} does not list {0:?}: the kernel logs no such decision")]
    NotLogged(&'static str),
    /// The capability is missing.
    #[error(
        "the audit log needs the capability CAP_AUDIT_READ, in the initial pid and user namespaces"
    )]
    Refused,
    /// Another error.
    #[error("the audit socket: {0}")]
    Socket(#[from] io::Error),
}

/// A socket that gets every audit record.
#[derive(Debug)]
pub struct AuditSocket(OwnedFd);

/// So many records did not find room; one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostRecords(pub u32);

impl fmt::Display for LostRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(f, "1 audit record was lost: there were too many"),
            more => write!(f, "{more} audit records were lost: there were too many"),
        }
    }
}

/// A message of the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditMessage {
    /// The text of a record on seccomp.
    Seccomp(String),
    /// Another record, and when it was made, since 1970.
    Other(Option<Duration>),
    /// Records were lost: the buffer was full. [`AuditSocket::lost`] counts them.
    Lost,
}

impl AuditSocket {
    /// Joins the readers.
    ///
    /// # Errors
    /// [`AuditError`]: the reason why there would be nothing to read.
    pub fn open() -> Result<Self, AuditError> {
        let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
        if command_line.split_whitespace().any(|word| matches!(word, "audit=0" | "audit=off")) {
            return Err(AuditError::SwitchedOff);
        }
        let actions = fs::read_to_string(LOGGED).unwrap_or_default();
        if !actions.split_whitespace().any(|action| action == "log") {
            return Err(AuditError::NotLogged("log"));
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(AUDIT))
            .map_err(|error| match error {
                Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT => AuditError::NotThere,
                other => AuditError::Socket(other.into()),
            })?;
        // A smaller buffer than asked for is no failure: the socket reports what it loses.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, BUFFER));
        bind(&socket, &SocketAddrNetlink::new(0, READ_LOG)).map_err(|error| match error {
            Errno::PERM | Errno::ACCESS | Errno::CONNREFUSED => AuditError::Refused,
            other => AuditError::Socket(other.into()),
        })?;
        Ok(Self(socket))
    }

    /// The next message; None when there is none now.
    ///
    /// # Errors
    /// The error of `recv(2)`.
    pub fn poll(&mut self) -> io::Result<Option<AuditMessage>> {
        let mut buffer = vec![0; MESSAGE];
        match recvfrom(&self.0, &mut buffer[..], RecvFlags::empty()) {
            // A process with CAP_NET_ADMIN can send to the group as well (netlink(7)).
            Ok((_, _, sender)) if !is_the_kernel(sender.as_ref()) => {
                Ok(Some(AuditMessage::Other(None)))
            }
            Ok((_, length, _)) => Ok(Some(message(&buffer[..length.min(MESSAGE)]))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(Errno::NOBUFS) => Ok(Some(AuditMessage::Lost)),
            Err(Errno::INTR) => Ok(Some(AuditMessage::Other(None))),
            Err(error) => Err(error.into()),
        }
    }

    /// How many messages were lost so far because the buffer was full. Once it is, the kernel drops
    /// and counts every message until all that wait are read (`netlink_overrun` in
    /// `net/netlink/af_netlink.c`). The count begins again behind 2^32 - 1.
    ///
    /// # Errors
    /// The error of `getsockopt(2)`.
    pub fn lost(&self) -> io::Result<u32> {
        let mut numbers = [0_u32; NUMBERS];
        let mut length = libc::socklen_t::try_from(size_of_val(&numbers)).unwrap_or_default();
        let (level, option) = (libc::SOL_SOCKET, libc::SO_MEMINFO);
        let place = (&raw mut numbers).cast();
        // SAFETY: the descriptor is open, and the kernel writes at most `length` bytes, which are
        // those of the array; any bytes are numbers.
        let status =
            unsafe { libc::getsockopt(self.0.as_raw_fd(), level, option, place, &raw mut length) };
        match status {
            0 => Ok(numbers[DROPS]),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl AsFd for AuditSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The kernel's port has the number 0 (netlink(7)).
fn is_the_kernel(sender: Option<&SocketAddrAny>) -> bool {
    let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender.clone()).ok());
    sender.is_some_and(|sender| sender.pid() == 0)
}

/// A message is a header and a text. The length in the header does not include the header in every
/// kernel, so that the length of the message comes from the socket.
fn message(bytes: &[u8]) -> AuditMessage {
    let kind = bytes.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match (kind, bytes.get(HEADER..)) {
        (Some(SECCOMP), Some(text)) => {
            let text = String::from_utf8_lossy(text);
            AuditMessage::Seccomp(text.trim_end_matches('\0').to_owned())
        }
        (_, text) => {
            AuditMessage::Other(text.and_then(|text| time(&String::from_utf8_lossy(text))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_another_process_is_not_the_kernels() {
        let sender = |port| SocketAddrAny::from(SocketAddrNetlink::new(port, 0));
        assert!(is_the_kernel(Some(&sender(0))));
        assert!(!is_the_kernel(Some(&sender(4242))) && !is_the_kernel(None));
    }

    #[test]
    fn what_was_lost_is_counted_in_words() {
        let shown = |count| LostRecords(count).to_string();
        assert_eq!(shown(1), "1 audit record was lost: there were too many");
        assert_eq!(shown(2), "2 audit records were lost: there were too many");
    }

    #[test]
    fn a_message_is_known_by_its_type() {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&SECCOMP.to_ne_bytes());
        bytes.extend(b"audit(1.200:3): pid=1\0");
        assert_eq!(message(&bytes), AuditMessage::Seccomp("audit(1.200:3): pid=1".into()));
        bytes[4] = 0;
        let made = Some(Duration::from_millis(1200));
        assert_eq!(message(&bytes), AuditMessage::Other(made));
        assert_eq!(message(&[1, 2]), AuditMessage::Other(None));
    }
}
