//! `import`: what another gateway is configured with, as resources.
//!
//! Law: it asks nobody and changes nothing; what it prints is for `apply`, and what it could not carry is told beside it.

mod litellm;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use policy_engine::vocabulary::Kind;
use serde_json::json;

use super::Form;
use super::failure::Failure;
use super::kept::Out;
use super::source::text;
use crate::dev::place;
use crate::output;
use litellm::{Imported, Note, Refused};

/// The most lines of what is not carried that are told at a terminal; JSON has all.
const MOST_TOLD: usize = 1_000;

/// Turn another gateway's configuration into resources that `apply` takes.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    Litellm(Litellm),
}

/// Turn LiteLLM's `config.yaml` into resources; what could not be carried is told on standard error.
#[derive(Debug, Args)]
pub(crate) struct Litellm {
    /// LiteLLM's `config.yaml`, or `-` for standard input.
    file: PathBuf,
    /// Where endpoints process whose place the file does not say, such as EU,UK. Without it that is unknown, and no residency rule
    /// lets requests there.
    #[arg(long, value_delimiter = ',', value_name = "REGIONS", value_parser = place)]
    regions: Vec<String>,
    /// The file that the resources are written to; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Overwrite the file of --out.
    #[arg(long)]
    force: bool,
    /// `yaml` and `text` are what `apply` takes; `json` has the resources and what could not be carried.
    #[arg(short, long, value_enum, default_value_t = Form::Yaml, value_name = "FORM")]
    output: Form,
}

/// Imports.
pub(super) fn run(Import::Litellm(asked): &Import) -> Result<(), Failure> {
    let path = shown(&asked.file);
    let imported = litellm::read(&text(&asked.file)?, &asked.regions).map_err(|refused| match refused {
        Refused::Unwritten(failure) => failure,
        Refused::Faults(faults) => {
            let faults = faults.iter().map(|note| (place_of(&path, note), said(note))).collect();
            Failure::Faults { done: "imported", faults }
        }
    })?;
    if imported.written.count(Kind::Model) == 0 {
        tell(&path, &imported);
        return Err(Failure::Nothing(vec![asked.file.clone()]));
    }
    let written = match asked.output {
        Form::Json => {
            let (resources, left) = (imported.written.json()?, &imported.left);
            let variables = imported
                .variables
                .iter()
                .map(|(name, is_inline)| json!({ "name": name, "keyIsInFile": is_inline }));
            format!(
                "{}\n",
                json!({ "resources": resources, "left": left, "variables": variables.collect::<Vec<_>>() })
            )
        }
        Form::Yaml | Form::Text => imported.written.yaml()?,
    };
    let out = Out::begin(&asked.out, asked.force)?;
    out.writer().write_all(written.as_bytes()).map_err(|source| out.failed(source))?;
    out.done()?;
    if asked.output != Form::Json {
        tell(&path, &imported);
    }
    Ok(())
}

/// Tells what is not carried, and what is to be done by hand.
fn tell(path: &str, imported: &Imported) {
    for note in imported.left.iter().take(MOST_TOLD) {
        output::complain(&format!("{}: {}", place_of(path, note), said(note)));
    }
    if let Some(more) = imported.left.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        output::complain(&format!("{more} more are not carried: -o json has all"));
    }
    for (name, is_inline) in &imported.variables {
        let told = match is_inline {
            true => format!(
                "a key stands in the file itself: put it into `{name}` where nodes run, and out of the file"
            ),
            false => format!("nodes need `{name}` in their environment"),
        };
        output::complain(&told);
    }
    let count = |kind| imported.written.count(kind);
    output::complain(&format!(
        "{} providers, {} endpoints, {} models, {} prices, {} limits; {} not carried. Who may use the models is not in the file: grant \
         a role",
        count(Kind::Provider),
        count(Kind::Endpoint),
        count(Kind::Model),
        count(Kind::Price),
        count(Kind::Limit),
        imported.left.len(),
    ));
}

fn place_of(path: &str, note: &Note) -> String {
    format!("{path}:{}", note.line)
}

fn said(note: &Note) -> String {
    format!("{}: {}", note.path, note.why)
}

fn shown(path: &Path) -> String {
    output::plain(&path.display().to_string())
}
