//! A program to execute, with its arguments and its environment as C strings.

use std::{
    ffi::{CStr, CString, OsString, c_char},
    io,
    os::unix::ffi::OsStringExt,
    ptr,
};

/// A program to execute, as `execve(2)` takes it.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) path: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
}

/// A null-terminated array of pointers to strings, with the strings.
pub(super) struct Pointers {
    pointers: Vec<*const c_char>,
    _strings: Vec<CString>,
}

// SAFETY: the pointers lead into the strings beside them, which nobody changes.
unsafe impl Send for Pointers {}
// SAFETY: see above.
unsafe impl Sync for Pointers {}

impl Pointers {
    pub(super) fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _strings: strings }
    }
}

impl Program {
    /// A program by its path, with its arguments (its name first) and its environment.
    ///
    /// # Errors
    /// A text has a NUL byte in it.
    pub fn new(
        path: OsString,
        arguments: Vec<OsString>,
        environment: Vec<(OsString, OsString)>,
    ) -> io::Result<Self> {
        let text = |text: OsString| CString::new(text.into_vec()).map_err(io::Error::other);
        let variable = |(mut name, value): (OsString, OsString)| {
            name.push("=");
            name.push(value);
            text(name)
        };
        Ok(Self {
            path: text(path)?,
            arguments: arguments.into_iter().map(text).collect::<io::Result<_>>()?,
            environment: environment.into_iter().map(variable).collect::<io::Result<_>>()?,
        })
    }

    /// Calls `prepare`, then executes the program in place of this one. Returns only when one of
    /// the two failed: whether `prepare` succeeded, and the error.
    pub(super) fn execute_after(
        &self,
        prepare: impl FnOnce() -> io::Result<()>,
    ) -> (bool, io::Error) {
        let arguments = Pointers::new(self.arguments.clone());
        let environment = Pointers::new(self.environment.clone());
        match prepare() {
            Ok(()) => (true, execute(&self.path, &arguments, &environment)),
            Err(error) => (false, error),
        }
    }
}

/// Executes a program in place of this one, with one system call and without allocation. Returns
/// only when that failed.
pub(super) fn execute(path: &CStr, arguments: &Pointers, environment: &Pointers) -> io::Error {
    // SAFETY: the path and both arrays end in a null, and outlive the call.
    unsafe {
        libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    }
    io::Error::last_os_error()
}
