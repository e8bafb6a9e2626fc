//! Reviewed examples of dialects that vendors alone speak: each file in a folder has a body of one dialect, and what it is in the other.
//!
//! A request is of OpenAI's dialect first, then the vendor's and what is left out; an answer and a stream are the vendor's first, then OpenAI's.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::super::answer::Answer;
use super::super::chat::Chat;
use super::super::event::{Event, Start};
use super::super::openai::{self, events::Writing};
use super::super::{Unfit, VendorError, Written};

/// The examples of one vendor's dialect.
pub(crate) struct Examples {
    /// Its folder, which is its name.
    pub(crate) dialect: &'static str,
    /// What a request is there.
    pub(crate) write: fn(&Chat) -> Result<Written, Unfit>,
    /// What an answer of it is.
    pub(crate) read: fn(&[u8]) -> Option<Answer>,
}

/// Sections of a file after its first, by their names.
type Sections = Vec<(String, String)>;

impl Examples {
    fn each(&self, of: &str, examples: usize, render: impl Fn(&str) -> Sections) {
        let place = format!("src/dialect/{}/tests/golden/{of}", self.dialect);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        let mut seen = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let mut sections = text.split("\n=== ");
            let (why, first) = (sections.next().unwrap(), sections.next().unwrap());
            let (dialect, body) = first.split_once('\n').unwrap();
            let mut whole = format!("{why}\n=== {dialect}\n{}\n", body.trim_end());
            for (name, section) in render(body.trim_end()) {
                write!(whole, "=== {name}\n{}\n", section.trim_end()).unwrap();
            }
            assert_eq!(text, whole, "{}", path.display());
            seen += 1;
        }
        assert_eq!(seen, examples, "{}", folder.display());
    }

    /// Requests, as many as there are.
    pub(crate) fn requests(&self, examples: usize) {
        self.each("requests", examples, |body| {
            let written = (self.write)(&openai::read::read(body.as_bytes()).unwrap()).unwrap();
            let left_out = written.left_out.join("\n");
            let told = (!left_out.is_empty()).then(|| ("left out".to_owned(), left_out));
            [(self.dialect.to_owned(), pretty(&written.body))].into_iter().chain(told).collect()
        });
    }

    /// Answers, as many as there are.
    pub(crate) fn answers(&self, examples: usize) {
        self.each("answers", examples, |body| {
            let read = (self.read)(body.as_bytes()).unwrap();
            vec![("openai".to_owned(), pretty(&openai::answer::write(&read, 7)))]
        });
    }

    /// Streams, as many as there are: the data of an event a line.
    pub(crate) fn streams(
        &self,
        examples: usize,
        read: impl Fn(&mut dyn Iterator<Item = &[u8]>, &mut Vec<Event>) -> Result<(), VendorError>,
    ) {
        self.each("streams", examples, |body| {
            let mut events = Vec::new();
            let ended = read(&mut body.lines().map(str::as_bytes), &mut events);
            let (mut writing, mut out) = (Writing::at(7), Vec::new());
            for event in events {
                // As the vendor's caller fills in what the dialect does not tell.
                let event = match event {
                    Event::Start(start) if start.model.is_empty() => {
                        Event::Start(Start { model: "m-1".to_owned(), ..start })
                    }
                    event => event,
                };
                writing.put(event, &mut out);
            }
            let written = ("openai".to_owned(), String::from_utf8(out).unwrap());
            let broken = ended.err().map(|error| ("broken off".to_owned(), error.message));
            [written].into_iter().chain(broken).collect()
        });
    }
}

fn pretty(json: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(json).unwrap();
    serde_json::to_string_pretty(&json).unwrap()
}
