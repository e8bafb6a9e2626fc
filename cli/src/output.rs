//! What people read: the one place that writes to standard output.

/// Prints a line.
#[expect(clippy::print_stdout, reason = "standard output is what a command-line program answers on")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}
