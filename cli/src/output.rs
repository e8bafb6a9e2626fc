//! What people and programs read: the one place that writes to standard output and standard error.
//!
//! Law: who reads may stop reading (`| head`); that ends the program quietly, it is not a fault.

pub(crate) mod table;
pub(crate) mod yaml;

use std::io::{self, Write as _};

/// Prints a line on standard output.
pub(crate) fn line(text: &str) {
    text_as_is(&format!("{text}\n"));
}

/// Prints text on standard output as it is.
pub(crate) fn text_as_is(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Standard output, for what is written bit by bit.
#[derive(Debug)]
pub(crate) struct Raw;

impl io::Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).or_else(|_| std::process::exit(0))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().or_else(|_| std::process::exit(0))
    }
}

/// Prints a line on standard error.
pub(crate) fn complain(text: &str) {
    let _nowhere_to_say_it = writeln!(io::stderr().lock(), "{text}");
}

/// What a server or a file said, fit for a terminal: control characters escaped, so that it can't move the cursor.
pub(crate) fn plain(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// An error and all its causes on one line; what only repeats its cause is not said twice.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string);
    let told = causes.fold(error.to_string(), |told, cause| match told.ends_with(&cause) {
        true => told,
        false => format!("{told}: {cause}"),
    });
    plain(&told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_commanded_by_what_it_shows() {
        assert_eq!(plain("a\u{1b}[2Jb\r\n\tü"), "a\\u{1b}[2Jb\\r\\n\\tü");
    }
}
