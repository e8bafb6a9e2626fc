//! Reviewed examples, both ways: each file in `golden/` has a body of one dialect, and what it is in the other.
//!
//! A file of Anthropic's goes to OpenAI's as the pipeline reads it, and back; `back` is there if that is not the same. A file of OpenAI's goes to
//! Anthropic's, with what is left out.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::super::super::event::Event;
use super::super::super::openai::{self, Reader};
use super::super::super::{VendorError, VendorFault};
use super::super::{answer, events, read, write};
use super::streams::split;

/// Sections of a file after its first, by their names.
type Sections = Vec<(&'static str, String)>;

fn each(of: &str, examples: usize, render: impl Fn(&str, &str) -> Sections) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialect/anthropic/tests/golden").join(of);
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let mut sections = text.split("\n=== ");
        let (why, first) = (sections.next().unwrap(), sections.next().unwrap());
        let (dialect, body) = first.split_once('\n').unwrap();
        let mut whole = format!("{why}\n=== {dialect}\n{}\n", body.trim_end());
        for (name, section) in render(dialect, body.trim_end()) {
            write!(whole, "=== {name}\n{}\n", section.trim_end()).unwrap();
        }
        assert_eq!(text, whole, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, examples, "{}", folder.display());
}

fn pretty(json: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(json).unwrap();
    serde_json::to_string_pretty(&json).unwrap()
}

fn back(first: &str, again: &[u8]) -> Option<(&'static str, String)> {
    let again = pretty(again);
    (again != pretty(first.as_bytes())).then_some(("back", again))
}

#[test]
fn requests() {
    each("requests", 23, |dialect, body| {
        let left_out = |written: &[std::borrow::Cow<'static, str>]| {
            (!written.is_empty()).then(|| ("left out", written.join("\n")))
        };
        if dialect == "openai" {
            let written = write::write(&openai::read::read(body.as_bytes()).unwrap()).unwrap();
            let told = left_out(&written.left_out);
            return [("anthropic", pretty(&written.body))].into_iter().chain(told).collect();
        }
        let chat = read::read(body.as_bytes()).unwrap();
        let between = openai::write::write(&chat, Reader::Pipeline).unwrap();
        assert!(between.left_out.is_empty());
        let again = write::write(&openai::read::read(&between.body).unwrap()).unwrap();
        let told = left_out(&again.left_out);
        [("openai", pretty(&between.body))].into_iter().chain(back(body, &again.body)).chain(told).collect()
    });
}

#[test]
fn answers() {
    each("answers", 13, |dialect, body| {
        if dialect == "openai" {
            let read = openai::answer::read(body.as_bytes()).unwrap();
            return vec![("anthropic", pretty(&answer::write(&read)))];
        }
        let between = openai::answer::write(&answer::read(body.as_bytes()).unwrap(), 7);
        let again = answer::write(&openai::answer::read(&between).unwrap());
        [("openai", pretty(&between))].into_iter().chain(back(body, &again)).collect()
    });
}

#[test]
fn streams() {
    each("streams", 10, |dialect, body| {
        let mut said: Vec<Event> = Vec::new();
        let (mut openais, mut anthropics) = (openai::events::Reading::default(), events::Reading::default());
        let mut error = None;
        for data in split(body.as_bytes()) {
            match dialect {
                "openai" => openais.take(&data, &mut said),
                _ => error = error.or(anthropics.take(&data, &mut said).err()),
            }
        }
        let mut out = Vec::new();
        if dialect == "openai" {
            let mut writing = events::Writing::default();
            said.into_iter().for_each(|event| writing.put(event, &mut out));
            return vec![("anthropic", String::from_utf8(out).unwrap())];
        }
        let mut writing = openai::events::Writing::at(7);
        said.into_iter().for_each(|event| writing.put(event, &mut out));
        let error = error.map(|VendorError { fault, message }| {
            assert_eq!(fault, VendorFault::Overloaded);
            ("error", message)
        });
        [("openai", String::from_utf8(out).unwrap())].into_iter().chain(error).collect()
    });
}
