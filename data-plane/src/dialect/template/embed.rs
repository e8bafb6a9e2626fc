//! Texts to be turned into vectors, by a template, and the vectors.
//!
//! Law: see the parent. There is one vector for each text, in the order of the texts, and nothing but numbers in it; an API that is asked for one
//! text at a time is asked for no more.

use std::borrow::Cow;

use policy_engine::facts::template::Embed;
use policy_engine::vocabulary::{Operation, Slot, is_published};

use super::super::untold::{Untold, is_hint};
use super::super::vectors::{self, Asked};
use super::super::{Unfit, Written};
use super::Plan;
use super::answer::{at, error};
use super::fill::{Fill, Value};
use crate::tape::{Kind as Form, Tape};

const NO_PLACE: &str = "its template has no place for it";

/// What was asked, and how its answer is read.
#[derive(Debug)]
pub(crate) struct Vectors(Asked);

/// A request, by the template of vectors of a plan.
pub(crate) fn write(body: &[u8], plan: &Plan, embed: &Embed) -> Result<(Written, Vectors), Unfit> {
    let asked = vectors::read(body)?;
    let mut untold = Untold::default();
    let has = |slot| embed.body.shape.has(slot);
    if !has(Slot::Inputs) && asked.texts.len() != 1 {
        untold.refuse("input", "its template has a place for one text");
    }
    if asked.dimensions.is_some() && !has(Slot::Dimensions) {
        untold.refuse("dimensions", NO_PLACE);
    }
    if asked.user.is_some() && !has(Slot::User) {
        untold.leave("user");
    }
    for (name, _) in &asked.others {
        match is_hint(name) {
            true => untold.leave(name.clone()),
            false if is_published(Operation::Embed, name) => untold.refuse(name.clone(), NO_PLACE),
            false => untold.refuse(name.clone(), "it is not known there"),
        }
    }
    let filled = Fill::of(&plan.template().ask, body.len(), |slot, _| value(&asked, slot)).body(&embed.body);
    let Some(json) = filled else {
        return Err(Unfit::new("input", "its template makes too much of it"));
    };
    let written = untold.written(json)?;
    Ok((written, Vectors(asked)))
}

/// What a place is filled with; `None`: the request has nothing for it.
fn value(asked: &Asked, slot: Slot) -> Option<Value<'_>> {
    let text = |text| Some(Value::Text(Cow::Borrowed(text)));
    match slot {
        Slot::Model => text(&asked.model),
        Slot::Inputs => Some(Value::Texts(&asked.texts)),
        Slot::Input => text(asked.texts.first()?),
        Slot::Dimensions => asked.dimensions.as_deref().map(|raw| Value::Raw(Cow::Borrowed(raw))),
        Slot::User => text(asked.user.as_deref()?),
        // Nobody talks here; a template that has these is none.
        _ => None,
    }
}

impl Vectors {
    /// The model that was asked for.
    pub(crate) fn model(&self) -> &str {
        &self.0.model
    }

    /// An answer as OpenAI's dialect has it; `None`: it is none.
    pub(crate) fn read(&self, embed: &Embed, body: &[u8]) -> Option<Vec<u8>> {
        let Self(asked) = self;
        let mut tape = Tape::for_text(body.len());
        tape.read(body).ok()?;
        let root = tape.root(body)?;
        if error(root, embed.error.as_ref()).is_some() {
            return None;
        }
        let vectors = match embed.body.shape.has(Slot::Inputs) {
            true => {
                let all = at(root, &embed.vectors).filter(|all| all.kind() == Form::Array)?;
                all.elements().map(|one| at(one, &embed.vector)).collect::<Option<Vec<_>>>()?
            }
            false => vec![at(root, &embed.vector)?],
        };
        // Numbers in an array have no place on the tape: what has one is none.
        let numbers = vectors.iter().all(|vector| vector.len() > 0 && vector.elements().next().is_none());
        if !numbers || vectors.len() != asked.texts.len() {
            return None;
        }
        let tokens =
            embed.tokens.as_ref().and_then(|tokens| at(root, tokens)).and_then(|value| value.whole());
        vectors::write((&asked.model, asked.encoding), &vectors, tokens)
    }
}
