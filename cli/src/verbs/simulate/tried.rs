//! What a change that is only tried would turn of the requests of the last day.
//!
//! Law: the change alone is told of, by comparing with what is in force, and not with what was decided before other changes. It is told
//! beside what would change, and hinders nothing: where it can't be known, that is said. Longer than a day is for `simulate`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::super::failure::Failure;
use super::asked::ask;
use super::told::Told;
use super::{Client, Shown};
use crate::output;

/// What is told of, back from now.
const SINCE: SignedDuration = SignedDuration::from_hours(24);

/// What a call would turn whose fields are these; `None`: it is not known, which was said.
pub(in super::super) async fn tried(
    client: &Client,
    (call, fields): (&str, &Map<String, Value>),
    shown: Shown,
) -> Option<(String, Value)> {
    match simulated(client, (call, fields), shown).await {
        Ok(told) => {
            if let Err(unread) = told.whole() {
                output::complain(&format!("warning: {unread}"));
            }
            let text = match told.counted.counts.decisions() {
                0 => "no request of the last 24 hours that a decision is recorded of\n".to_owned(),
                _ => format!("of the requests of the last 24 hours:\n{}", told.text()),
            };
            Some((text, told.json()))
        }
        Err(unknown) => {
            output::complain(&format!(
                "warning: which decisions that are recorded it would turn is not known: {}",
                output::chain(&unknown)
            ));
            None
        }
    }
}

async fn simulated(
    client: &Client,
    (call, fields): (&str, &Map<String, Value>),
    shown: Shown,
) -> Result<Told, Failure> {
    let mut body = Map::new();
    for field in ["files", "pruneLabels"] {
        body.extend(fields.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    if call == "policy:delete" {
        body.insert("deletes".to_owned(), true.into());
    }
    let since = Timestamp::now().checked_sub(SINCE).unwrap_or(Timestamp::UNIX_EPOCH);
    body.insert("since".to_owned(), since.to_string().into());
    body.insert("inForce".to_owned(), true.into());
    ask(client, (&body.into(), shown)).await
}
