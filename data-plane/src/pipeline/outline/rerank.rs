//! The body of a question, and of the documents that may answer it.
//!
//! Law: see the parent. The fields are those of Cohere's and Jina's references for `rerank`; a document is a text, or an object all
//! of whose texts are read.

use policy_engine::vocabulary::Operation;

use super::Outline;
use super::chat::{model, note};
use crate::dialect::field::{BodyFault, boolean, whole};
use crate::tape::{Kind, Value};

/// The most documents of one request (Cohere's own bound).
const DOCUMENTS: usize = 10_000;

const EXPECTED: &str = "an array of 1 to 10000 texts, or objects with texts";

const COUNT: &str = "a whole number, at least 1";

/// Fields that decide what is asked of whom.
const OWN: [&str; 5] = ["model", "query", "documents", "top_n", "return_documents"];

pub(super) fn read(outline: &mut Outline, root: Value<'_>) -> Result<(), BodyFault> {
    if root.kind() != Kind::Object {
        return Err(BodyFault::wrong("", "an object"));
    }
    let (mut query, mut documents) = (None, None);
    for (key, value) in root.members() {
        match key.text().as_ref() {
            "model" => model(outline, value)?,
            "query" => query = Some(read_query(outline, value)?),
            "documents" => documents = Some(read_documents(outline, value)?),
            "top_n" => drop(whole("top_n", value, 1..=u64::from(u32::MAX), COUNT)?),
            "return_documents" => drop(boolean("return_documents", value)?),
            name => {
                note(outline, (Operation::Rerank, &OWN), name, (key, value))?;
                outline.take_all(Some(key), value);
            }
        }
    }
    if outline.model.is_empty() {
        return Err(BodyFault::Missing("model".to_owned()));
    }
    let query = query.ok_or_else(|| BodyFault::Missing("query".to_owned()))?;
    let documents = documents.ok_or_else(|| BodyFault::Missing("documents".to_owned()))?;
    // Such a model reads the question again with every document.
    outline.again_bytes = query.saturating_mul(documents.saturating_sub(1));
    Ok(())
}

/// Gives the length of the question in bytes.
fn read_query(outline: &mut Outline, query: Value<'_>) -> Result<usize, BodyFault> {
    if query.kind() != Kind::String || query.is("") {
        return Err(BodyFault::wrong("query", "a text"));
    }
    outline.texts.push(query.range());
    Ok(query.range().len())
}

/// Gives how many documents there are.
fn read_documents(outline: &mut Outline, documents: Value<'_>) -> Result<usize, BodyFault> {
    let count = documents.len();
    if documents.kind() != Kind::Array || !(1..=DOCUMENTS).contains(&count) {
        return Err(BodyFault::wrong("documents", EXPECTED));
    }
    let mut read = 0;
    for (at, document) in documents.elements().enumerate() {
        let has_text = match document.kind() {
            Kind::String => true,
            Kind::Object => document.leaves().any(|leaf| leaf.kind() == Kind::String),
            _ => false,
        };
        if !has_text {
            return Err(BodyFault::wrong(format!("documents[{at}]"), "a text, or an object with texts"));
        }
        take_document(outline, document);
        read += 1;
    }
    // Documents are pieces of longer ones, cut to the length a model takes.
    outline.join(documents.parts().map(|part| part.range()).collect());
    if read == count { Ok(count) } else { Err(BodyFault::wrong("documents", EXPECTED)) }
}

/// The member `text` is the dialect's own, every other is the caller's.
fn take_document(outline: &mut Outline, document: Value<'_>) {
    let own = |leaf: &Value<'_>| leaf.kind() == Kind::Key && leaf.is("text");
    outline.texts.extend(document.leaves().filter(|leaf| !own(leaf)).map(|leaf| leaf.range()));
    outline.join_arrays(document);
    outline.take_numbers(None, document);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Tape;

    fn read(more: &str) -> Result<Outline, BodyFault> {
        let body = format!(r#"{{"model":"m","query":"who?",{more}}}"#);
        Outline::read(&mut Tape::default(), body.as_bytes(), Operation::Rerank)
    }

    #[test]
    fn a_document_is_a_text_or_an_object_with_texts() {
        let outline =
            read(r#""documents":["a",{"text":"b"},{"title":"c","n":4111111111111111}],"top_n":2"#).unwrap();
        assert_eq!(outline.texts.len(), 6, "the question, three texts and two names that are the caller's");
        assert_eq!((outline.numbers.len(), outline.joined.len()), (1, 1));
        assert_eq!(outline.again_bytes, 2 * r#""who?""#.len(), "the question is read with every document");
        assert!(outline.unknown_fields.is_empty());
        assert!(read(r#""documents":["a","b"]"#).unwrap().input_bound() < outline.input_bound());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (more, field) in [
            (r#""x":1"#, "documents"),
            (r#""documents":[]"#, "documents"),
            (r#""documents":"a""#, "documents"),
            (r#""documents":["a",7]"#, "documents"),
            (r#""documents":["a",null]"#, "documents[1]"),
            (r#""documents":[{"n":7}]"#, "documents[0]"),
            (r#""documents":["a"],"top_n":0"#, "top_n"),
            (r#""documents":["a"],"return_documents":"yes""#, "return_documents"),
            (r#""documents":["a"],"Query":"x""#, "Query"),
        ] {
            assert_eq!(read(more).unwrap_err().field(), Some(field), "{more}");
        }
        let body = r#"{"model":"m","documents":["a"]}"#;
        let read = Outline::read(&mut Tape::default(), body.as_bytes(), Operation::Rerank);
        assert_eq!(read.unwrap_err().field(), Some("query"));
    }
}
