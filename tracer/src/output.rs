//! Files that are written as root in folders that others own.
