//! Content to be judged, and what it was judged to be.
//!
//! Law: see the parent. There is one result for each text, or one for all parts, and no category of it twice.

use std::collections::HashSet;

use proto::inference::{ModerateRequest, ModerateResponse, Moderation};

use super::super::Unfit;
use super::super::field::{given, raw};
use super::super::json::Json;
use super::super::openai::read::parts;
use super::super::untold::Untold;
use super::write::part;
use super::{Written, extensions};
use crate::tape::{Kind, Tape};

/// The message of a body of OpenAI's dialect.
pub(crate) fn write(body: &[u8]) -> Result<Written<ModerateRequest>, Unfit> {
    let mut tape = Tape::for_text(body.len());
    let root = tape.read(body).ok().and_then(|()| tape.root(body));
    let root = root.ok_or_else(|| Unfit::new("input", "the body is no JSON"))?;
    let (mut message, mut others, mut untold) = (ModerateRequest::default(), Vec::new(), Untold::default());
    for (key, value) in root.members().filter(|(_, value)| given(*value)) {
        match key.text().as_ref() {
            "model" => message.model = value.text().into_owned(),
            "input" if value.kind() == Kind::String => message.inputs.push(value.text().into_owned()),
            "input" if value.elements().all(|text| text.kind() == Kind::String) => {
                message.inputs = value.elements().map(|text| text.text().into_owned()).collect();
            }
            "input" => {
                let read = parts("input", value);
                let read = read.map_err(|_| Unfit::new("input", "it is not what the dialect has there"))?;
                let told = read.iter().enumerate();
                message.parts =
                    told.filter_map(|(at, one)| part(one, &format!("input[{at}]"), &mut untold)).collect();
            }
            name => others.push((name.to_owned(), raw(value))),
        }
    }
    message.extensions = extensions(&others)?;
    Ok(Written { message, left_out: untold.told()? })
}

/// An answer with so many results as OpenAI's dialect has it; `None`: it is none.
pub(crate) fn read(model: &str, count: usize, told: &ModerateResponse) -> Option<Vec<u8>> {
    let is_one = |result: &Moderation| {
        let mut seen = HashSet::new();
        result.categories.iter().all(|category| category.score.is_finite() && seen.insert(&category.name))
    };
    if told.results.len() != count || !told.results.iter().all(is_one) {
        return None;
    }
    let mut json = Json::default();
    json.object(|json| {
        json.key("id").string(&told.id);
        json.key("model").string(model);
        json.key("results")
            .array(|json| told.results.iter().for_each(|result| json.object(|json| one(result, json))));
    });
    Some(json.done())
}

fn one(result: &Moderation, json: &mut Json) {
    let all = &result.categories;
    json.key("flagged").boolean(result.flagged);
    json.key("categories").object(|json| {
        all.iter().for_each(|category| json.key(&category.name).boolean(category.flagged));
    });
    json.key("category_scores").object(|json| {
        for category in all {
            // What is not finite came no further.
            if json.key(&category.name).number(category.score).is_err() {
                json.null();
            }
        }
    });
    let typed = || all.iter().filter(|category| !category.input_types.is_empty());
    if typed().next().is_some() {
        json.key("category_applied_input_types").object(|json| {
            for category in typed() {
                json.key(&category.name)
                    .array(|json| category.input_types.iter().for_each(|kind| json.string(kind)));
            }
        });
    }
}
