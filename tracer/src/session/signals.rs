//! The signals that a recording listens to: those that end it, and the one that asks for a
//! snapshot.

use anyhow::{Context, Result};
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use std::os::fd::AsFd;

use crate::sys::AsyncFdWait;

/// `SI_KERNEL`: the terminal sent it, to every process in its foreground (sigaction(2)).
const FROM_KERNEL: i32 = 0x80;

/// The signals that a recording listens to. They are held back: they no longer end the process, so
/// that every file that was begun is finished or removed.
pub struct Signals {
    signals: SignalFd,
    readiness: AsyncFdWait,
}

/// What a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignalRequest {
    /// To end the recording.
    Stop(StopSignal),
    /// To write the files as they would be now (SIGUSR1).
    Snapshot,
}

/// A signal that ends the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSignal {
    /// Which one.
    pub signal: Signal,
    /// The terminal sent it: a command in the foreground got it as well.
    pub from_terminal: bool,
}

/// The signals to hold back.
fn signals(hangup: bool) -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGUSR1);
    if hangup {
        signals.add(Signal::SIGHUP);
    }
    signals
}

impl Signals {
    /// Holds them back. `hangup` is false when that signal was ignored on entry, as `nohup` asks
    /// for.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn catch(hangup: bool) -> Result<Self> {
        let mask = signals(hangup);
        mask.thread_block().context("signals could not be held back")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&mask, flags).context("signalfd")?;
        let readiness = AsyncFdWait::readable(signals.as_fd()).context("epoll")?;
        Ok(Self { signals, readiness })
    }

    /// The request of a signal that has arrived; None when none has.
    pub(super) fn poll(&mut self) -> Option<SignalRequest> {
        let info = self.signals.read_signal().ok()??;
        let signal = Signal::try_from(info.ssi_signo as i32).ok()?;
        let from_terminal = info.ssi_code == FROM_KERNEL;
        Some(match signal {
            Signal::SIGUSR1 => SignalRequest::Snapshot,
            signal => SignalRequest::Stop(StopSignal { signal, from_terminal }),
        })
    }

    /// Waits for a signal that ends the recording.
    pub async fn end(&mut self) {
        while self.next().await == SignalRequest::Snapshot {}
    }

    /// The request of the next signal.
    pub(super) async fn next(&mut self) -> SignalRequest {
        loop {
            if let Some(request) = self.poll() {
                return request;
            }
            if self.readiness.ready().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
