//! What declarative files say, settled by the control plane: applied, deleted, proposed or only tried.
//!
//! Law: what is only tried is told with what it would turn of the requests of the last day.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::failure::Failure;
use super::field::list;
use super::simulate::tried;
use super::source::{declared, faultless};
use super::terms::Terms;
use super::{Shown, changes, differences};
use crate::client::{Client, Reply};
use crate::output;

/// Where declarative files are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Files<'d> {
    /// At paths, as the command line has them.
    At(&'d [PathBuf]),
    /// Here, as the control plane takes them.
    These(&'d [Value]),
}

/// Sends it, with what else the call is to know, to a call that settles it, and tells what became of each resource, or every fault; `done` is what was not done because
/// of those. Errors where nothing at all is declared.
pub(super) async fn settle(
    client: &Client,
    (call, done): (&str, &'static str),
    files: Files<'_>,
    (fields, terms, shown): (Map<String, Value>, Terms, Shown),
) -> Result<(), Failure> {
    let (mut reply, body) = send(client, call, (files, fields)).await?;
    let is_tried = terms.dry_run && list(&reply.json, "faults").is_empty() && changes::any(&reply.json);
    if is_tried && !shown.is_text() {
        // One answer, with both.
        if let (Some((_, simulation)), Some(fields)) =
            (tried(client, (call, &body), shown).await, reply.json.as_object_mut())
        {
            fields.insert("simulation".to_owned(), simulation);
            reply.text = reply.json.to_string();
        }
    }
    if list(&reply.json, "faults").is_empty() || !shown.is_text() {
        let told =
            || format!("{}{}", differences::first(&reply.json), changes::told(&reply.json, terms.mood()));
        shown.print(&reply, told);
    }
    if is_tried
        && shown.is_text()
        && let Some((text, _)) = tried(client, (call, &body), shown).await
    {
        output::text_as_is(&text);
    }
    faultless(&reply.json, done)?;
    terms.end(client, &reply, shown).await
}

async fn send(
    client: &Client,
    call: &str,
    (from, mut body): (Files<'_>, Map<String, Value>),
) -> Result<(Reply, Map<String, Value>), Failure> {
    let (paths, files) = match from {
        Files::At(paths) => (paths, declared(paths)?),
        Files::These(files) => (&[][..], files.to_vec()),
    };
    body.insert("files".to_owned(), files.into());
    let reply = client.post(call, &body.clone().into()).await?;
    let empty = ["changes", "faults"].iter().all(|field| list(&reply.json, field).is_empty());
    if empty { Err(Failure::Nothing(paths.to_vec())) } else { Ok((reply, body)) }
}
