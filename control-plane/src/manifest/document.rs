//! A YAML document as the resource it declares: its envelope read, its spec bound to the kind's message.

use policy_engine::vocabulary::{Id, Kind, Name};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, Value as Field};
use proto::admin::credential::Source;
use proto::admin::{Fault, Provider, SourceFile};
use proto::name::{self, Collection};

use super::bind::{Binder, Lines, Misfit};
use super::yaml::{self, Entry, Node, Value, shown};
use crate::descriptors;
use crate::error::ChangeError;
use crate::nearest::suggestion;
use crate::registry::{Registry, Stored};
use crate::subjects::Subjects;

/// The only version of the declarative form.
pub(crate) const API_VERSION: &str = "chancery/v1";

/// Documents of one act at most, and faults of them that are told.
const MAX_DOCUMENTS: usize = 250_000;
pub(crate) const MAX_FAULTS: usize = 1_000;

/// Bytes of a file's path at most: every fault repeats it.
const MAX_PATH: usize = 4096;

/// A resource as a file declares it.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) path: String,
    pub(crate) line: u32,
    pub(crate) kind: Kind,
    pub(crate) id: Id,
    /// Whether the file says so; else the id stands for one that is none, and the document is there for its other faults alone.
    named: bool,
    /// The encoded message of the kind; without what could not be bound.
    pub(crate) encoded: Vec<u8>,
    pub(crate) lines: Lines,
    misfits: Vec<Misfit>,
}

impl Document {
    /// A fault of this document, under its author's path and with its line.
    pub(crate) fn fault(&self, field: &str, message: String) -> Fault {
        let (field, line) = self.lines.find(field).unwrap_or_else(|| (field.to_owned(), self.line));
        Fault {
            path: self.path.clone(),
            line,
            field,
            message,
            kind: self.kind.to_string(),
            name: if self.named { name::format(self.kind, &self.id) } else { String::new() },
        }
    }

    /// What is in force under its name.
    pub(crate) fn stored<'r>(&self, registry: &'r Registry) -> Option<&'r Stored> {
        registry.get(self.kind, &self.id).filter(|_| self.named).map(AsRef::as_ref)
    }

    /// Whether all of it could be bound.
    pub(crate) fn is_bound(&self) -> bool {
        self.misfits.is_empty()
    }

    /// Whether it could be bound, and has a name.
    pub(crate) fn is_whole(&self) -> bool {
        self.named && self.is_bound()
    }

    /// Whether a fault only repeats that what it is about could not be bound.
    pub(crate) fn repeats(&self, fault: &Fault) -> bool {
        let within = |misfit: &Misfit| {
            let rest = fault.field.strip_prefix(misfit.field.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.misfits.iter().any(within)
    }
}

/// What files declare.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Every document that has a kind and a name, whatever its faults.
    pub(crate) documents: Vec<Document>,
    /// Those whose name is none; each has a fault of that.
    pub(crate) nameless: Vec<Document>,
    /// What is wrong with any.
    pub(crate) faults: Vec<Fault>,
}

/// Reads every document of every file; with any fault, whatever has a kind is given too, to find its other faults.
/// Nothing more is read of what has more faults than are told, or more documents than one act may have.
pub(crate) fn read(files: &[SourceFile]) -> Read {
    let mut read = Read::default();
    for file in files {
        if let Err(fault) = read_file(file, &mut read) {
            read.faults.push(fault);
        }
        if read.faults.len() > MAX_FAULTS {
            return read;
        }
    }
    read.faults.extend(twice(&read.documents));
    read
}

/// The same documents, with pseudonyms in the place of the people that they name, all of them kept.
pub(crate) async fn covered(subjects: &Subjects, documents: &mut [Document]) -> Result<(), ChangeError> {
    for document in documents.iter_mut() {
        if let Some(covered) = subjects.covered_resource(document.kind, &document.id, &document.encoded)? {
            (document.id, document.encoded) = (covered.id, covered.encoded);
        }
    }
    Ok(subjects.keep().await?)
}

/// A fault for every secret that stands in the open, of files that are to be kept as they are.
pub(crate) fn secrets(documents: &[Document]) -> Vec<Fault> {
    let given = |document: &&Document| {
        let provider =
            Provider::decode(document.encoded.as_slice()).ok().filter(|_| document.kind == Kind::Provider);
        let credential = provider.and_then(|provider| provider.spec?.credential?.source);
        matches!(credential, Some(Source::Value(_)))
    };
    let told = documents.iter().filter(given).map(|document| {
        let why = "is a secret, which no proposal keeps: name it by `env` or `file`, or by the `sealed` that an export shows";
        document.fault("spec.credential.value", why.to_owned())
    });
    told.collect()
}

fn read_file(file: &SourceFile, read: &mut Read) -> Result<(), Fault> {
    if file.path.len() > MAX_PATH || file.path.chars().any(char::is_control) {
        let message = format!("the path is longer than {MAX_PATH} bytes or has control characters");
        return Err(Fault { path: shown(&file.path), message, ..Fault::default() });
    }
    let at = |line, message| Fault { path: file.path.clone(), line, message, ..Fault::default() };
    let nodes = yaml::documents(&file.text).map_err(|error| at(error.line, error.message))?;
    for node in &nodes {
        if read.documents.len() >= MAX_DOCUMENTS {
            let message = format!("there are more than {MAX_DOCUMENTS} documents: apply them in parts");
            return Err(at(node.line, message));
        }
        let (document, found) = Reading::new(node).document(&file.path);
        let (named, nameless) = document.into_iter().partition::<Vec<_>, _>(|document| document.named);
        read.documents.extend(named);
        read.nameless.extend(nameless);
        read.faults.extend(found);
        if read.faults.len() > MAX_FAULTS {
            break;
        }
    }
    Ok(())
}

/// The kinds that files declare.
fn declarable() -> impl Iterator<Item = &'static str> {
    Kind::ALL.iter().filter(|kind| **kind != Kind::Key).map(|kind| kind.as_str())
}

/// A fault for every document that declares what another has declared.
fn twice(documents: &[Document]) -> Vec<Fault> {
    let mut first = std::collections::HashMap::new();
    let mut faults = Vec::new();
    for document in documents {
        match first.get(&(document.kind, &document.id)) {
            None => drop(first.insert((document.kind, &document.id), (&document.path, document.line))),
            Some((path, line)) => {
                faults.push(document.fault("metadata.name", format!("is declared before, in {path}:{line}")));
            }
        }
    }
    faults
}

/// A document being read.
struct Reading<'n> {
    node: &'n Node,
    binder: Binder,
    kind: Option<Kind>,
    name: Option<Name>,
    tenant: Option<Name>,
}

impl<'n> Reading<'n> {
    fn new(node: &'n Node) -> Self {
        Self { node, binder: Binder::default(), kind: None, name: None, tenant: None }
    }

    fn document(mut self, path: &str) -> (Option<Document>, Vec<Fault>) {
        let bound = self.bind();
        let id = self.name.clone().map(|name| Id { tenant: self.tenant.clone(), name });
        let faults = self.faults(path, id.as_ref());
        let named = id.is_some();
        let document = match (bound, self.kind, id.or_else(|| self.stand_in())) {
            (Some(message), Some(kind), Some(id)) => Some(Document {
                path: path.to_owned(),
                line: self.node.line,
                kind,
                id,
                named,
                encoded: message.encode_to_vec(),
                lines: self.binder.lines,
                misfits: self.binder.faults,
            }),
            _ => None,
        };
        (document, faults)
    }

    /// What stands for the id where the name is none.
    fn stand_in(&self) -> Option<Id> {
        Some(Id { tenant: self.tenant.clone(), name: Name::new("unnamed").ok()? })
    }

    fn bind(&mut self) -> Option<DynamicMessage> {
        let node = self.node;
        let Value::Map(entries) = &node.value else {
            self.binder.fault(node.line, "", format!("a resource is a mapping, not {}", node.what()));
            return None;
        };
        for entry in entries {
            if !matches!(entry.key.as_str(), "apiVersion" | "kind" | "metadata" | "spec") {
                let message = format!(
                    "unknown field `{}`; known are apiVersion, kind, metadata, spec",
                    shown(&entry.key)
                );
                self.binder.fault(entry.line, &shown(&entry.key), message);
            }
        }
        match self.text(entries, "apiVersion") {
            Some((line, text)) if text != API_VERSION => {
                self.binder.fault(line, "apiVersion", format!("`{}` is not `{API_VERSION}`", shown(&text)));
            }
            _ => {}
        }
        let (line, kind) = self.text(entries, "kind")?;
        let Some(kind) = kind.parse().ok().filter(|kind| *kind != Kind::Key) else {
            let message = match kind.as_str() {
                "Key" => "API keys are made by a call, because a secret comes back once".to_owned(),
                _ => format!("`{}` is not a kind: {}", shown(&kind), suggestion(&kind, declarable())),
            };
            self.binder.fault(line, "kind", message);
            return None;
        };
        self.kind = Some(kind);
        let message = descriptors::message(kind)?;
        let mut into = DynamicMessage::new(message.clone());
        self.metadata(entries, kind, &message, &mut into);
        self.spec(entries, &message, &mut into);
        Some(into)
    }

    fn metadata(
        &mut self,
        entries: &[Entry],
        kind: Kind,
        message: &MessageDescriptor,
        into: &mut DynamicMessage,
    ) {
        let Some(found) = entries.iter().find(|e| e.key == "metadata") else {
            return self.binder.fault(self.node.line, "metadata", "is missing".to_owned());
        };
        let Value::Map(fields) = &found.value.value else {
            let message = format!("a mapping was expected, not {}", found.value.what());
            return self.binder.fault(found.value.line, "metadata", message);
        };
        let mut has_name = false;
        for entry in fields {
            let field = format!("metadata.{}", shown(&entry.key));
            match (entry.key.as_str(), &entry.value.value) {
                ("name", Value::Scalar { text, .. }) => {
                    has_name = true;
                    self.name = self.name_of(&entry.value, &field, text);
                }
                ("tenant", _) if entry.value.is_null() => {}
                ("tenant", Value::Scalar { text, .. }) => {
                    self.tenant = self.name_of(&entry.value, &field, text)
                }
                ("name" | "tenant", _) => {
                    let message = format!("a text was expected, not {}", entry.value.what());
                    self.binder.fault(entry.line, &field, message);
                }
                ("labels", _) => {
                    if let Some(labels) = message.get_field_by_name("labels") {
                        self.binder.field(&field, &entry.value, &labels, into);
                    }
                }
                (other, _) => {
                    let message = format!("unknown field `{}`; known are name, tenant, labels", shown(other));
                    self.binder.fault(entry.line, &field, message);
                }
            }
        }
        if !has_name {
            self.binder.fault(found.line, "metadata.name", "is missing".to_owned());
        }
        let collection = Collection::of(kind);
        if !collection.may_belong_to(self.tenant.as_ref()) {
            let place =
                if self.tenant.is_some() { "to the platform, not to a tenant" } else { "to a tenant" };
            self.binder.fault(found.line, "metadata.tenant", format!("a {kind} belongs {place}"));
        }
        if let Some(name) = &self.name {
            let id = Id { tenant: self.tenant.clone(), name: name.clone() };
            into.set_field_by_name("name", Field::String(name::format(kind, &id)));
        }
    }

    fn spec(&mut self, entries: &[Entry], message: &MessageDescriptor, into: &mut DynamicMessage) {
        let Some(field) = message.get_field_by_name("spec") else { return };
        match entries.iter().find(|e| e.key == "spec") {
            Some(found) => self.binder.field("spec", &found.value, &field, into),
            None => self.binder.fault(self.node.line, "spec", "is missing".to_owned()),
        }
    }

    fn text(&mut self, entries: &[Entry], key: &str) -> Option<(u32, String)> {
        match entries.iter().find(|e| e.key == key).map(|e| (&e.value.value, e.value.line)) {
            Some((Value::Scalar { text, .. }, line)) => Some((line, text.clone())),
            Some((_, line)) => {
                self.binder.fault(line, key, "a text was expected".to_owned());
                None
            }
            None => {
                self.binder.fault(self.node.line, key, "is missing".to_owned());
                None
            }
        }
    }

    fn name_of(&mut self, node: &Node, field: &str, text: &str) -> Option<Name> {
        self.binder.lines.note(field, node.line);
        Name::new(text).map_err(|error| self.binder.fault(node.line, field, error.to_string())).ok()
    }

    fn faults(&self, path: &str, id: Option<&Id>) -> Vec<Fault> {
        let kind = self.kind;
        let name = kind.zip(id).map(|(kind, id)| name::format(kind, id)).unwrap_or_default();
        let fault = |misfit: &Misfit| Fault {
            path: path.to_owned(),
            line: misfit.line,
            field: misfit.field.clone(),
            message: misfit.message.clone(),
            kind: kind.map(|kind| kind.to_string()).unwrap_or_default(),
            name: name.clone(),
        };
        self.binder.faults.iter().map(fault).collect()
    }
}
