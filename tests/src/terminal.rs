//! A terminal, and what a program wrote to it.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::thread::{self, JoinHandle};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal of its own (`pty(7)`).
#[derive(Debug)]
pub struct Terminal {
    user_end: File,
    reader: JoinHandle<Vec<u8>>,
}

impl Terminal {
    /// Opens one of so many columns.
    pub fn new(columns: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&controller).expect("the terminal is ours");
        unlockpt(&controller).expect("the terminal can be unlocked");
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&controller, size).expect("the terminal has a size");
        let name = ptsname(&controller, Vec::new()).expect("the terminal has a name");
        let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let user_end = OpenOptions::new().read(true).write(true).open(path);
        let user_end = user_end.expect("the terminal can be opened");
        let mut controller = File::from(controller);
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            // When nobody has it open any more, reading fails (`pty(7)`): that is the end.
            let _ = controller.read_to_end(&mut all);
            all
        });
        Self { user_end, reader }
    }

    /// What a program gets as one of its streams.
    pub fn stream(&self) -> Stdio {
        self.user_end.try_clone().expect("a descriptor").into()
    }

    /// What was written, when every program that had it open has ended.
    pub fn written(self) -> String {
        drop(self.user_end);
        let all = self.reader.join().expect("what was written can be read");
        String::from_utf8_lossy(&all).into_owned()
    }
}
