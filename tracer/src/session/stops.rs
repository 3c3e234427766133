//! The signals that end a recording.

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};

/// The signals that end a recording, caught: from then on they no longer end the process, so that every file that was
/// begun is finished or removed.
pub struct Stops {
    interrupt: SignalStream,
    terminate: SignalStream,
    hangup: Option<SignalStream>,
}

impl Stops {
    /// Catches them. `hangup` is false when the signal was ignored on entry, as `nohup` asks for.
    ///
    /// # Errors
    /// A handler could not be installed.
    pub fn catch(hangup: bool) -> Result<Self> {
        let catch = |kind| signal(kind).context("a signal could not be caught");
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hangup: hangup.then(|| catch(SignalKind::hangup())).transpose()?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = hangup => Signal::SIGHUP,
        }
    }
}
