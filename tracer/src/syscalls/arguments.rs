//! How the values of arguments are written for people: `socket(AF_VSOCK, SOCK_STREAM, 0)`.

/// One value of an argument, by its name; in hexadecimal or decimal where it has none.
pub fn value(_call: &str, _index: u8, value: u64) -> String {
    format!("{value:#x}")
}

/// A call with its registers, when the table looks at one of its arguments: those that it looks at by name, those before them in
/// hexadecimal, and none behind the last one.
pub fn call(_call: &str, _registers: &[u64; 6]) -> Option<String> {
    None
}
