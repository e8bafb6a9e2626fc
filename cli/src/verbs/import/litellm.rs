//! LiteLLM's `config.yaml`, as providers, endpoints, models, prices and limits.
//!
//! Law: what is carried means the same; what would not is left, and noted with its place and why. A file that can't be read for sure
//! is refused whole, with every fault. Absent on purpose: asking anybody, and the environment of who imports.

mod assemble;
mod at;
mod card;
mod deployment;
mod routes;
mod settings;

use std::collections::BTreeMap;

use control_plane::manifest::yaml;

use super::super::failure::Failure;
use super::super::written::Written;
pub(in crate::verbs) use at::Note;
use at::{At, Notes};
use deployment::Around;

/// What became of a file.
pub(super) struct Imported {
    /// What is carried.
    pub(super) written: Written,
    /// What is not.
    pub(super) left: Vec<Note>,
    /// Variables that nodes need, and whether the key is in the file, to be taken from there.
    pub(super) variables: Vec<(String, bool)>,
}

/// Why a file is refused.
pub(super) enum Refused {
    /// Each fault.
    Faults(Vec<Note>),
    /// What was made could not be written.
    Unwritten(Failure),
}

/// Reads a file; endpoints that do not say where they process do so in `regions`.
pub(super) fn read(text: &str, regions: &[String]) -> Result<Imported, Refused> {
    let whole =
        |line: u32, why: String| Refused::Faults(vec![Note { path: "the file".to_owned(), line, why }]);
    let documents = yaml::documents(text).map_err(|error| whole(error.line, error.message))?;
    let [document] = documents.as_slice() else {
        return Err(whole(1, format!("has {} documents, not one", documents.len())));
    };
    let notes = Notes::default();
    let carried = carry(&At::root(document, &notes), regions);
    let (left, faults) = notes.into_parts();
    if !faults.is_empty() {
        return Err(Refused::Faults(faults));
    }
    let (written, variables) = carried.map_err(Refused::Unwritten)?;
    Ok(Imported { written, left, variables })
}

fn carry(root: &At<'_>, regions: &[String]) -> Result<(Written, Vec<(String, bool)>), Failure> {
    let mut sections: BTreeMap<&str, At<'_>> = root.pairs().into_iter().collect();
    let mut around = Around::default();
    for (name, at) in sections.remove("environment_variables").iter().flat_map(At::pairs) {
        at.left("is not carried: set it where nodes run, if an endpoint's credential names it");
        around.variables.extend(at.text().map(|value| (name, value)));
    }
    for at in sections.remove("credential_list").iter().flat_map(At::items) {
        let mut fields: BTreeMap<&str, At<'_>> = at.pairs().into_iter().collect();
        let name = fields.remove("credential_name").and_then(|at| at.text());
        let values = fields.remove("credential_values").map(|at| at.pairs());
        around.credentials.extend(name.zip(values));
    }
    let mut section = |name: &str| sections.remove(name);
    let (router, module, general) =
        (section("router_settings"), section("litellm_settings"), section("general_settings"));
    let settings = settings::read(router, module, general);
    match sections.remove("model_list") {
        Some(models) => {
            let entries = models.items();
            if entries.is_empty() {
                models.fault("names no model");
            }
            let deployments: Vec<_> =
                entries.into_iter().filter_map(|entry| deployment::read(entry, &around)).collect();
            sections.values().for_each(|at| at.all_left(|_| "has no counterpart"));
            assemble::assemble(&deployments, &settings, regions)
        }
        None => {
            root.fault("has no `model_list`: models of LiteLLM's database are not in its file");
            Ok(Default::default())
        }
    }
}

#[cfg(test)]
mod tests;
