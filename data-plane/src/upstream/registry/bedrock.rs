//! Bedrock's two lists: foundation models, and the inference profiles by which some of them are called.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListInferenceProfiles.html>
//!
//! Law: what is listed can be called by its id: a model that is not served on demand is there by its profiles alone. A profile is
//! processed wherever one of its models is; where one of them is anywhere, or there are too many, its places are not known.

use std::collections::HashMap;

use proto::admin::VendorModel;
use serde_json::Value;

use super::Page;
use super::card::{escaped, fitting, has, id, list, places, prose, text, those, time, token, words};

/// Where the foundation models are.
pub(super) const FOUNDATION: &str = "/foundation-models";

const MODALITIES: &[(&str, &str)] = &[
    ("TEXT", "text"),
    ("IMAGE", "image"),
    ("SPEECH", "audio"),
    ("AUDIO", "audio"),
    ("EMBEDDING", "embedding"),
];

/// Both lists, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What is known of every foundation model by its id, called by that or not; none: that list is to come.
    known: Option<HashMap<String, VendorModel>>,
}

impl Reading {
    /// Reads a page: of the foundation models first, then of the profiles.
    pub(super) fn read(&mut self, page: &Value) -> Option<Page> {
        match &self.known {
            None => {
                page.get("modelSummaries")?.as_array()?;
                let all = list(page, "/modelSummaries").iter().map(|entry| Some((entry, foundation(entry)?)));
                let all = all.collect::<Option<Vec<_>>>()?;
                let callable =
                    all.iter().filter(|(entry, _)| has(entry, "/inferenceTypesSupported", "ON_DEMAND"));
                let models = callable.map(|(_, model)| model.clone()).collect();
                self.known = Some(all.into_iter().map(|(_, model)| (model.id.clone(), model)).collect());
                Some(Page { models, next: Some(profiles(None)) })
            }
            Some(known) => {
                page.get("inferenceProfileSummaries")?.as_array()?;
                let all = list(page, "/inferenceProfileSummaries").iter();
                let models = all.map(|entry| profile(entry, known)).collect::<Option<Vec<_>>>()?;
                Some(Page { models, next: token(page, "nextToken").map(|token| profiles(Some(token))) })
            }
        }
    }
}

/// Where a page of the profiles is.
fn profiles(after: Option<&str>) -> String {
    let after = after.map(|token| format!("&nextToken={}", escaped(token))).unwrap_or_default();
    // In the order of their names, as the signature has them.
    format!("/inference-profiles?maxResults=1000{after}&type=SYSTEM_DEFINED")
}

fn foundation(entry: &Value) -> Option<VendorModel> {
    let writes = |modality: &str| has(entry, "/outputModalities", modality);
    let status = entry.pointer("/modelLifecycle/status").and_then(Value::as_str);
    Some(VendorModel {
        id: id(entry.get("modelId"))?,
        display_name: text(entry, &["/modelName"]),
        publisher: text(entry, &["/providerName"]),
        input: words(entry, "/inputModalities", MODALITIES),
        output: words(entry, "/outputModalities", MODALITIES),
        operations: those(&[(writes("TEXT"), "chat"), (writes("EMBEDDING"), "embed")]),
        operations_known: true,
        regions: entry.get("modelArn").and_then(region).into_iter().collect(),
        deprecated: status == Some("LEGACY"),
        deprecate_time: time(entry, &["/modelLifecycle/legacyTime"]),
        retire_time: time(entry, &["/modelLifecycle/endOfLifeTime"]),
        ..VendorModel::default()
    })
}

/// A profile, with what is known of the model that it is of.
fn profile(entry: &Value, known: &HashMap<String, VendorModel>) -> Option<VendorModel> {
    let arns = list(entry, "/models").iter().filter_map(|model| model.get("modelArn")?.as_str());
    let of = arns.filter_map(|arn| arn.rsplit_once('/')).find_map(|(_, id)| known.get(id));
    let regions = list(entry, "/models").iter().map(|model| region(model.get("modelArn")?));
    Some(VendorModel {
        id: id(entry.get("inferenceProfileId"))?,
        display_name: text(entry, &["/inferenceProfileName"]),
        description: prose(entry, &["/description"]),
        regions: places(regions),
        // Of a model that is not known, nor is what can be asked of it.
        ..of.cloned().unwrap_or_default()
    })
}

/// The region in an ARN; none: it is of all of them.
fn region(arn: &Value) -> Option<String> {
    fitting(arn.as_str()?.split(':').nth(3)?)
}
