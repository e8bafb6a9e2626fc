//! One entry of `model_list`: where it is called, with which key, and what is said of it.
//!
//! Law: a key is a reference or stays here; it is printed nowhere. What is said by `os.environ/..` where no reference can be is read
//! from the file's own `environment_variables`, and from nowhere else, so that a file always means the same.

mod cloud;

use std::collections::{BTreeMap, HashMap};

use control_plane::upstream::Upstream;
use policy_engine::rules::geo;

use super::at::At;
use super::card;
use crate::verbs::per_million::{amount, per_million};
use crate::verbs::vendors::{Called, Vendor, based};
use crate::verbs::written::{Auth, Card, PerMillion};

/// What the rest of the file says that counts for an entry.
#[derive(Default)]
pub(super) struct Around<'n> {
    /// `environment_variables`.
    pub(super) variables: HashMap<&'n str, &'n str>,
    /// `credential_list`, by their names.
    pub(super) credentials: HashMap<&'n str, Vec<(&'n str, At<'n>)>>,
}

/// Where the key of a provider is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// None is sent.
    None,
    /// In this variable.
    Variable(String),
    /// In this file, where nodes run.
    File(String),
    /// In the file, and to be put into a variable like this one.
    Inline {
        /// The key.
        secret: String,
        /// What LiteLLM calls the vendor's variable.
        variable: String,
    },
}

/// Whom an entry calls.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Whom {
    /// The vendor, as LiteLLM names it.
    pub(super) vendor: &'static str,
    /// The adapter.
    pub(super) adapter: &'static str,
    /// The root of its API.
    pub(super) base_url: String,
    /// The version of its API, where that is told.
    pub(super) api_version: Option<String>,
    /// Its key.
    pub(super) key: Key,
    /// How that is used, where it is not sent itself.
    pub(super) auth: Option<Auth>,
}

/// An entry that can be carried.
pub(super) struct Deployment<'n> {
    /// Where it is.
    pub(super) at: At<'n>,
    /// What callers ask for: entries of the same share the load.
    pub(super) group: &'n str,
    /// What it is called itself.
    pub(super) id: Option<&'n str>,
    pub(super) whom: Whom,
    /// The model's name at the vendor.
    pub(super) upstream_model: String,
    /// Where it is processed, as far as it is said.
    pub(super) region: Option<String>,
    /// Requests a minute.
    pub(super) rpm: Option<u64>,
    /// Tokens a minute.
    pub(super) tpm: Option<u64>,
    /// Requests at once.
    pub(super) parallel: Option<u64>,
    /// Its share.
    pub(super) weight: Option<u64>,
    /// Its rank; the least is tried first.
    pub(super) order: Option<u64>,
    /// Until the whole answer is there.
    pub(super) timeout: Option<String>,
    /// Money, and in which time.
    pub(super) budget: Option<(String, String)>,
    pub(super) price: Option<PerMillion>,
    pub(super) card: Card,
}

const NO_MEANING: &str = "has no counterpart";

/// Reads an entry; `None` where it is not carried, which is noted.
pub(super) fn read<'n>(entry: At<'n>, around: &Around<'n>) -> Option<Deployment<'n>> {
    let mut parts: BTreeMap<&str, At<'n>> = entry.pairs().into_iter().collect();
    let group = parts.remove("model_name").and_then(|at| at.text());
    let params = parts.remove("litellm_params");
    let info: BTreeMap<_, _> =
        parts.remove("model_info").map(|at| at.pairs()).into_iter().flatten().collect();
    let (Some(group), Some(params)) = (group.filter(|name| !name.is_empty()), params) else {
        entry.fault("needs `model_name` and `litellm_params`");
        return None;
    };
    let mut fields: BTreeMap<&str, At<'n>> = params.pairs().into_iter().collect();
    if let Some(named) = fields.remove("litellm_credential_name") {
        match named.text().and_then(|name| around.credentials.get(name)) {
            Some(values) => values.iter().for_each(|(key, at)| {
                fields.entry(key).or_insert_with(|| at.clone());
            }),
            None => named.left("`credential_list` has no such credential"),
        }
    }
    let Some(model_at) = fields.remove("model") else {
        params.fault("has no `model`");
        return None;
    };
    let model = plain(&model_at, around)?;
    if group.contains('*') || model.contains('*') {
        entry.left("stands for any model of a vendor: register those that shall be used, each by its name");
        return None;
    }
    let mut entry = Entry { fields, info, around, place: None };
    let (whom, upstream_model) = entry.whom(&model_at, model)?;
    let card = card::read(&mut entry.info, model).map_err(|(at, why)| at.left(why)).ok()?;
    let deployment = Deployment {
        group,
        id: entry.info.remove("id").and_then(|at| at.text()),
        whom,
        upstream_model,
        region: entry.region(),
        rpm: entry.count("rpm"),
        tpm: entry.count("tpm"),
        parallel: entry.count("max_parallel_requests"),
        weight: entry.count("weight"),
        order: entry.count("order"),
        timeout: entry.fields.remove("timeout").and_then(|at| seconds(&at)),
        budget: budget(entry.fields.remove("max_budget"), entry.fields.remove("budget_duration")),
        price: entry.price(),
        card,
        at: params,
    };
    parts.values().for_each(|at| at.left(NO_MEANING));
    entry.info.values().for_each(|at| at.left(NO_MEANING));
    entry.fields.iter().for_each(|(key, at)| at.left(unread(key)));
    Some(deployment)
}

/// What is left of an entry while it is read.
struct Entry<'e, 'n> {
    fields: BTreeMap<&'n str, At<'n>>,
    info: BTreeMap<&'n str, At<'n>>,
    /// Where it is processed, unless it says so itself.
    place: Option<String>,
    around: &'e Around<'n>,
}

impl<'n> Entry<'_, 'n> {
    fn whom(&mut self, at: &At<'n>, model: &'n str) -> Option<(Whom, String)> {
        let base = self.fields.remove("api_base").or_else(|| self.fields.remove("base_url"));
        let said = self.fields.remove("custom_llm_provider").and_then(|at| at.text());
        let (vendor, name) = match (said, model.split_once('/')) {
            (Some(said), Some((prefix, rest))) if prefix == said => (Vendor::of(said), rest),
            (Some(said), _) => (Vendor::of(said), model),
            (None, Some((prefix, rest))) => (Vendor::of(prefix), rest),
            (None, None) => (Vendor::of_bare(model, base.is_some()), model),
        };
        if let Some(Vendor { prefix, called: Called::In(cloud) }) = vendor {
            return self.of_cloud(at, (prefix, cloud), (name, base));
        }
        let Some(Vendor { prefix, called: Called::By { adapter, base_url, variable, tail } }) = vendor else {
            at.left(match vendor {
                Some(Vendor { prefix, .. }) => {
                    format!("`{prefix}` is not carried yet: register its provider by hand")
                }
                None => "does not tell a vendor that is known, as `openai/..` does".to_owned(),
            });
            return None;
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            at.fault("is no name of a model");
            return None;
        }
        let own = base.as_ref().map(|at| plain(at, self.around)).map(|url| url.map(|url| based(url, tail)));
        let base_url = match (own, base_url) {
            (Some(own), _) => own?,
            (None, "") => {
                at.left("needs `api_base`, since its vendor has no address that all use");
                return None;
            }
            (None, usual) => usual.to_owned(),
        };
        checked(&base_url, base.as_ref().unwrap_or(at))?;
        let api_version = match adapter {
            "azure" => {
                self.fields.remove("api_version").and_then(|at| plain(&at, self.around).map(str::to_owned))
            }
            _ => None,
        };
        let key = self.key((at, variable), base.is_some());
        Some((Whom { vendor: prefix, adapter, base_url, api_version, key, auth: None }, name.to_owned()))
    }

    fn key(&mut self, (model, variable): (&At<'n>, &str), has_base: bool) -> Key {
        let Some(at) = self.fields.remove("api_key") else {
            // What is the vendor's is not sent to somebody else.
            if has_base && !variable.is_empty() {
                model.left(format!("no key is sent to its own `api_base`, where LiteLLM would send `{variable}`: add `credential` to the provider"));
            }
            let usual = !has_base && !variable.is_empty();
            return if usual { Key::Variable(variable.to_owned()) } else { Key::None };
        };
        secret(&at, if variable.is_empty() { "UPSTREAM_API_KEY" } else { variable })
    }

    fn region(&mut self) -> Option<String> {
        let Some(at) = self.fields.remove("region_name") else { return self.place.take() };
        let text = plain(&at, self.around)?;
        let found = [text.to_owned(), text.to_ascii_uppercase()]
            .into_iter()
            .find(|name| geo::resolve(name).is_some());
        if found.is_none() {
            at.left("is no place of the region table");
        }
        found
    }

    fn count(&mut self, field: &str) -> Option<u64> {
        let at = self.fields.remove(field)?;
        if at.text()?.starts_with("os.environ/") {
            let said = plain(&at, self.around)?.parse().ok();
            if said.is_none() {
                at.fault("is not a whole number");
            }
            return said;
        }
        at.count()
    }

    /// The price, where it is whole: what a class costs is said by the entry, else by its `model_info`. A class that can't be said
    /// leaves all of it unpriced, since it would be charged as another.
    fn price(&mut self) -> Option<PerMillion> {
        let mut class = |field: &str| {
            let (own, informed) = (self.fields.remove(field), self.info.remove(field));
            own.or(informed).and_then(|at| Some((at.text().map(per_million)?, at)))
        };
        let classes = [
            class("input_cost_per_token"),
            class("output_cost_per_token"),
            class("cache_read_input_token_cost"),
            class("output_cost_per_reasoning_token"),
        ];
        if let [None, ..] | [_, None, ..] = &classes {
            let alone = "is a part of a price: without both, input and output, it stays unpriced";
            classes.iter().flatten().for_each(|(_, at)| at.left(alone));
            return None;
        }
        let read =
            classes.map(|class| class.map(|(amount, at)| amount.map_err(|why| at.left(why))).transpose());
        let [input, output, cached_input, reasoning] = read;
        Some(PerMillion {
            input: input.ok()??,
            cached_input: cached_input.ok()?,
            output: output.ok()??,
            reasoning: reasoning.ok()?,
        })
    }
}

/// A secret where it is said: in a variable, or in the file itself, to be put into a variable like this one.
fn secret(at: &At<'_>, variable: &str) -> Key {
    let text = at.text().unwrap_or_default();
    match text.strip_prefix("os.environ/") {
        Some(name) if is_variable(name) => Key::Variable(name.to_owned()),
        Some(_) => {
            at.fault("does not name a variable");
            Key::None
        }
        None if text.is_empty() => Key::None,
        None => Key::Inline { secret: text.to_owned(), variable: variable.to_owned() },
    }
}

/// A base URL that is one, wherever it leads; what is not is noted.
fn checked(base_url: &str, at: &At<'_>) -> Option<()> {
    let all = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
    let anywhere = Upstream { allowed_networks: all, allow_loopback: true };
    anywhere.check(base_url).map_err(|refused| at.left(format!("the base URL {refused}"))).ok()
}

/// A text that may not be a reference; one that is, is read from the file's own variables.
fn plain<'n>(at: &At<'n>, around: &Around<'n>) -> Option<&'n str> {
    let text = at.text()?;
    let Some(name) = text.strip_prefix("os.environ/") else { return Some(text) };
    let found = around.variables.get(name).copied();
    if found.is_none() {
        at.left(
            "is in a variable, and no resource can say so: write the value into the file, and import again",
        );
    }
    found
}

/// Seconds, as a length of time.
pub(super) fn seconds(at: &At<'_>) -> Option<String> {
    let seconds: Option<f64> = at.text()?.parse().ok();
    match seconds.filter(|seconds| (0.001..=86_400.0).contains(seconds)) {
        Some(whole) if whole.fract() == 0.0 => Some(format!("{whole:.0}s")),
        Some(part) => Some(format!("{:.0}ms", part * 1_000.0)),
        None => {
            at.fault("is not between a millisecond and a day, in seconds");
            None
        }
    }
}

/// An amount of US dollars and its window.
pub(super) fn budget(most: Option<At<'_>>, window: Option<At<'_>>) -> Option<(String, String)> {
    let (Some(most), Some(window)) = (&most, &window) else {
        let alone = most.or(window)?;
        alone.left("is one of two: a budget is an amount and how often it begins anew");
        return None;
    };
    let read = amount(most.text()?).map_err(|why| most.fault(why)).ok()?;
    let per = period(window.text()?);
    if per.is_none() {
        window.left("is not a window that a limit can have, such as `30d`, `12h` or `1mo`");
    }
    Some((format!("{read} USD"), per?))
}

/// A window as a limit has it.
fn period(text: &str) -> Option<String> {
    if text == "1mo" {
        return Some("month".to_owned());
    }
    let weeks = text.strip_suffix('w').and_then(|weeks| weeks.parse::<u64>().ok());
    let text = weeks.map_or_else(|| text.to_owned(), |weeks| format!("{}d", weeks.saturating_mul(7)));
    text.parse::<policy_engine::vocabulary::Period>().ok().map(|_| text)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Why a field of `litellm_params` is not carried.
fn unread(field: &str) -> &'static str {
    match field {
        "temperature"
        | "top_p"
        | "max_tokens"
        | "max_completion_tokens"
        | "stop"
        | "seed"
        | "response_format" => "is a default of requests: callers say it themselves",
        "mock_response" => "answers without a vendor: the adapter `simulated` does",
        "stream_timeout" => {
            "is a time for streams alone: `timeouts.firstByte` and `idle` of the endpoint are what is there"
        }
        "num_retries" | "max_retries" | "cooldown_time" | "allowed_fails" => {
            "how often is tried again is the node's to say"
        }
        "organization" | "extra_headers" | "headers" | "default_headers" => {
            "no header beside the key's is sent"
        }
        "extra_body" | "drop_params" | "additional_drop_params" | "allowed_openai_params" => {
            "a request is carried as it is: an endpoint's `unknownFields` says what becomes of unknown fields"
        }
        "tags" => "routes by tags: a route has groups and weights",
        "api_version" => "is a version of a vendor that has none in this protocol",
        _ if field.contains("cost") => "is a class of price that there is none of",
        _ => NO_MEANING,
    }
}
