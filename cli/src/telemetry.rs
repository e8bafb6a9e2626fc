//! Logs of the process, on standard error: short lines where a terminal shows them, JSON objects, one a line, everywhere else.
//!
//! Law: what is logged is escaped in either form, so that it can neither end its line nor move the cursor.

use std::io::{self, IsTerminal as _, Write};

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::output;

/// How logs are written.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Logs {
    /// How logs on standard error are written; auto: text where that is a terminal, else JSON.
    #[arg(long = "log-format", env = "CHANCERY_LOG_FORMAT", value_enum, default_value_t = Format::Auto, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Auto,
    Text,
    Json,
}

/// Hours, minutes and seconds where the machine is: who watches a terminal knows the day.
struct Clock(TimeZone);

/// What makes writers whose lines have no control characters: the subscriber escapes some fields and not others, so that it may not
/// colour them either.
struct Plain<M>(M);

/// A writer that is given a whole line at a time.
struct PlainLine<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Plain<M> {
    type Writer = PlainLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        PlainLine(self.0.make_writer())
    }
}

impl<W: Write> Write for PlainLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let line = output::plain(line.strip_suffix('\n').unwrap_or(&line));
        self.0.write_all(format!("{line}\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl FormatTime for Clock {
    fn format_time(&self, to: &mut Writer<'_>) -> std::fmt::Result {
        let now = jiff::Timestamp::now().to_zoned(self.0.clone());
        write!(to, "{}", now.strftime("%H:%M:%S"))
    }
}

/// A log filter on the command line, in the syntax of `RUST_LOG`; gives it back as it is, since it is read again when logs
/// begin.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl Logs {
    /// Sends logs to standard error from here on; a filter that can't be read is `info`.
    pub(crate) fn begin(self, filter: &str) {
        let subscriber = self.subscriber(filter, (std::io::stderr, std::io::stderr().is_terminal()));
        // A second call keeps the first one's subscriber.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }

    fn subscriber<W>(self, filter: &str, (to, is_terminal): (W, bool)) -> Box<dyn Subscriber + Send + Sync>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
        let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(to);
        match (self.format, is_terminal) {
            (Format::Text, _) | (Format::Auto, true) => {
                let lines = logs.with_ansi(false).with_timer(Clock(TimeZone::system()));
                Box::new(lines.compact().with_target(false).map_writer(Plain).finish())
            }
            (Format::Json, _) | (Format::Auto, false) => Box::new(logs.json().finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, is_terminal: bool) -> String {
        let kept = Kept::default();
        let to = kept.clone();
        let subscriber = Logs { format }.subscriber("info", (move || to.clone(), is_terminal));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(node = "eu-1", count = 2, detail = %"a\u{1b}[2J\nb", "it went away");
            tracing::debug!("not asked for");
        });
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_terminal_is_shown_short_lines_and_everything_else_json() {
        let text = logged(Format::Text, false);
        assert_eq!(text.lines().count(), 1, "{text}");
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.len() == 8 && time.matches(':').count() == 2, "{text}");
        assert_eq!(rest.trim_start().split_once(' ').unwrap().0, "WARN", "{text}");
        assert!(rest.contains("it went away") && rest.contains("node=\"eu-1\" count=2"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        for text in [logged(Format::Json, true), logged(Format::Auto, false)] {
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&json["level"], &json["fields"]["node"]), (&"WARN".into(), &"eu-1".into()), "{text}");
        }
        assert!(serde_json::from_str::<serde_json::Value>(&logged(Format::Auto, true)).is_err());
    }
}
