//! A terminal, and what a program wrote to it.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal of its own (`pty(7)`).
#[derive(Debug)]
pub struct Terminal {
    user_end: File,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
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
        let shown = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&shown);
        let reader = thread::spawn(move || {
            let mut some = [0; 4096];
            // When nobody has it open any more, reading fails (`pty(7)`): that is the end.
            while let Ok(count @ 1..) = controller.read(&mut some) {
                kept.lock().expect("nobody panicked").extend_from_slice(&some[..count]);
            }
        });
        Self { user_end, shown, reader }
    }

    /// What a program gets as one of its streams.
    pub fn stream(&self) -> Stdio {
        self.user_end.try_clone().expect("a descriptor").into()
    }

    /// What was written so far.
    pub fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("nobody panicked")).into_owned()
    }

    /// What was written, when every program that had it open has ended.
    pub fn written(self) -> String {
        let Self { user_end, shown, reader } = self;
        drop(user_end);
        reader.join().expect("what was written can be read");
        let shown = shown.lock().expect("nobody panicked");
        String::from_utf8_lossy(&shown).into_owned()
    }
}
