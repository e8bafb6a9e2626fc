//! Logs of the process: JSON lines on standard error, one object each, escaped.

use tracing_subscriber::EnvFilter;

/// A log filter on the command line, in the syntax of `RUST_LOG`; gives it back as it is, since it is read again when logs
/// begin.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Sends logs to standard error from here on; a filter that can't be read is `info`.
pub(crate) fn logs(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call keeps the first one's subscriber.
    let _ = subscriber.try_init();
}
