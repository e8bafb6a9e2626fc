//! Files of the dialect beside what they are in OpenAI's, and what they are when they come back.
//!
//! Each file has parts that begin with `== name`; bodies are compared without the white space between their words, streams as they stand but
//! for the ends of their lines.

use std::fs;
use std::path::Path;

use super::super::{Api, answer, events, read, write};
use super::read_stream;
use crate::dialect::openai::{self, Reader};

/// Seconds of Unix time at which answers are read that don't tell.
const NOW: u64 = 1_790_000_000;

/// The parts of a file by their names.
fn parts(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("== ").skip(1);
    parts.map(|part| part.split_once('\n').expect("a name has a line of its own")).collect()
}

fn each(prefix: &str, check: impl Fn(&str, &dyn Fn(&str) -> Option<String>)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialect/gemini/tests");
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|end| end != "txt") || !name.starts_with(prefix) {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).unwrap();
        let parts = parts(&text);
        check(&name, &|wanted| {
            parts.iter().find(|(name, _)| *name == wanted).map(|(_, part)| part.trim().to_owned())
        });
    }
    assert!(seen > 0, "no file is called {prefix}*");
}

/// JSON without the white space between its words.
fn compact(json: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for letter in json.chars() {
        if quoted || !letter.is_ascii_whitespace() {
            out.push(letter);
        }
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
    }
    out
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap()
}

fn same(file: &str, part: &str, wanted: Option<String>, got: String) {
    let wanted = wanted.unwrap_or_else(|| panic!("{file} has no part `{part}`"));
    assert_eq!(compact(&got), compact(&wanted), "{file}: {part}");
}

fn left_out(left_out: &[std::borrow::Cow<'static, str>]) -> String {
    left_out.join("\n")
}

/// What a caller of the dialect sends is what the pipeline reads, and what a vendor of the dialect gets of that.
#[test]
fn requests_of_callers() {
    each("request_", |file, part| {
        let model = part("model").unwrap();
        let chat = read::read(&model, false, part("caller").unwrap().as_bytes()).unwrap();
        let pipeline = text(openai::write::write(&chat, Reader::Pipeline).unwrap().body);
        same(file, "pipeline", part("pipeline"), pipeline.clone());
        let chat = openai::read::read(pipeline.as_bytes()).unwrap();
        let written = write::write(&chat, Api::Gemini).unwrap();
        same(file, "vendor", part("vendor"), text(written.body));
        assert_eq!(left_out(&written.left_out), part("left out").unwrap_or_default(), "{file}");
    });
}

/// What a caller of OpenAI's dialect sends is what a vendor gets, but for what is told to be left out.
#[test]
fn requests_of_the_pipeline() {
    each("openai_", |file, part| {
        let chat = openai::read::read(part("pipeline").unwrap().as_bytes()).unwrap();
        let written = write::write(&chat, Api::Gemini).unwrap();
        same(file, "vendor", part("vendor"), text(written.body));
        assert_eq!(left_out(&written.left_out), part("left out").unwrap_or_default(), "{file}");
        if let Some(vertex) = part("vertex") {
            let written = write::write(&chat, Api::Vertex).unwrap();
            same(file, "vertex", Some(vertex), text(written.body));
        }
    });
}

/// What a vendor answers is what the pipeline reads, and what a caller of the dialect gets of that.
#[test]
fn answers() {
    each("answer_", |file, part| {
        let body = part("vendor").unwrap();
        let read = answer::read(body.as_bytes()).unwrap();
        let pipeline = text(openai::answer::write(&read, NOW));
        same(file, "pipeline", part("pipeline"), pipeline.clone());
        let read = openai::answer::read(pipeline.as_bytes()).unwrap();
        same(file, "caller", part("caller"), text(answer::write(&read)));
    });
}

/// What a vendor streams is what the pipeline reads, and what a caller of the dialect gets of that.
#[test]
fn streams() {
    each("stream_", |file, part| {
        let body = part("vendor").unwrap().replace('\n', "\r\n") + "\r\n\r\n";
        let (read, failed) = read_stream(&[body.as_bytes()]);
        let mut pipeline = Vec::new();
        let mut writing = openai::events::Writing::at(NOW);
        read.into_iter().for_each(|event| writing.put(event, &mut pipeline));
        let pipeline = text(pipeline);
        same(file, "pipeline", part("pipeline"), pipeline.clone());
        let failed = failed.map(|failed| format!("{:?} {}", failed.fault, failed.message));
        assert_eq!(failed, part("failed"), "{file}");
        same(file, "caller", part("caller"), to_caller(&pipeline));
    });
}

/// What another vendor streams, in OpenAI's dialect, for a caller of this one.
#[test]
fn streams_of_the_pipeline() {
    each("told_", |file, part| {
        same(file, "caller", part("caller"), to_caller(&part("pipeline").unwrap()));
    });
}

fn to_caller(pipeline: &str) -> String {
    let (mut reading, mut events, mut out) = (openai::events::Reading::default(), Vec::new(), Vec::new());
    let data = pipeline.lines().filter_map(|line| line.strip_prefix("data: "));
    data.for_each(|data| reading.take(data.as_bytes(), &mut events));
    let mut writing = events::Writing::default();
    events.into_iter().for_each(|event| writing.put(event, &mut out));
    text(out)
}
