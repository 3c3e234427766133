//! What the kernel side logs on its cold paths, for `-v`.

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Writes the kernel side's log lines to a function.
struct Forward<F>(F);

impl<F: Fn(String) + Send + Sync> Log for Forward<F> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            (self.0)(format!("kernel: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

/// Sends what the kernel side logs to `sink`, for the rest of the process. A second call changes
/// nothing.
pub fn forward_kernel_log(sink: impl Fn(String) + Send + Sync + 'static) {
    if log::set_boxed_logger(Box::new(Forward(sink))).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
