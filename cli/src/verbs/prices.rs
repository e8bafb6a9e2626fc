//! `prices import`: the community's list of prices, as dated prices of what is registered.
//!
//! Law: it changes nothing; what it prints is for `apply`. A model that the list has no price of stays unpriced, and is named. Absent on
//! purpose: fetching the list, which is somebody's to check before it is money.

mod list;
mod registered;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use policy_engine::vocabulary::{Instant, Kind};
use serde_json::json;

use super::Form;
use super::failure::Failure;
use super::kept::Out;
use super::source::text;
use super::written::{Amounts, Price, Written};
use crate::client::Client;
use crate::output;
use crate::slug::slug;
use list::List;
use registered::{Of, Registered};

/// The label that tells where a price came from.
const SOURCE: &str = "price-list";

/// Take prices over from a list.
#[derive(Debug, Subcommand)]
pub(crate) enum Prices {
    Import(Import),
}

/// Turn LiteLLM's list of prices into prices of the models that are registered, which `apply` takes.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The list, `model_prices_and_context_window.json`, or `-` for standard input.
    file: PathBuf,
    /// From when on they apply: a date or an instant; without it today, in UTC.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    valid_from: Option<String>,
    /// Every model of the list, by its name there, whether or not one of that name is registered.
    #[arg(long)]
    all: bool,
    /// The file that the prices are written to; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Overwrite the file of --out.
    #[arg(long)]
    force: bool,
    /// `yaml` and `text` are what `apply` takes; `json` has the prices and what has none.
    #[arg(short, long, value_enum, default_value_t = Form::Yaml, value_name = "FORM")]
    output: Form,
}

/// What became of a list.
#[derive(Default)]
struct Imported {
    written: Written,
    /// What stays unpriced, and why; and what costs beside.
    told: Vec<String>,
    /// How many cost what is in force already.
    known: usize,
}

/// Imports.
pub(super) async fn run(client: &Client, Prices::Import(asked): &Prices) -> Result<(), Failure> {
    let list = List::read(&text(&asked.file)?).map_err(|(line, why)| {
        let at = format!("{}:{line}", output::plain(&asked.file.display().to_string()));
        Failure::Faults { done: "imported", faults: vec![(at, why)] }
    })?;
    let from = asked
        .valid_from
        .clone()
        .unwrap_or_else(|| Timestamp::now().to_zoned(TimeZone::UTC).date().to_string());
    let imported = if asked.all {
        everything(&list, &from)?
    } else {
        known(&list, &Registered::at(client).await?, &from)?
    };
    let written = match asked.output {
        Form::Json => {
            format!("{}\n", json!({ "resources": imported.written.json()?, "told": imported.told }))
        }
        Form::Yaml | Form::Text => imported.written.yaml()?,
    };
    let out = Out::begin(&asked.out, asked.force)?;
    out.writer().write_all(written.as_bytes()).map_err(|source| out.failed(source))?;
    out.done()?;
    if asked.output != Form::Json {
        imported.told.iter().for_each(|line| output::complain(&output::plain(line)));
        let count = imported.written.count(Kind::Price);
        output::complain(&format!("{count} prices from {from} on; {} are in force already", imported.known));
    }
    Ok(())
}

/// Every entry that has a price, as that of a model of its name.
fn everything(list: &List, from: &str) -> Result<Imported, Failure> {
    let mut imported = Imported::default();
    for (name, entry) in list.all() {
        match entry.price() {
            Ok(price) => {
                let price = list.with_pictures(name, price, &mut imported.told);
                imported.add((&slug(name), None), (price, from))?;
            }
            Err(why) => imported.told.push(format!("`{name}` stays unpriced: {why}")),
        }
    }
    Ok(imported)
}

/// The prices of what is registered: one of a model where all its endpoints cost the same, else one of each.
fn known(list: &List, registered: &Registered, from: &str) -> Result<Imported, Failure> {
    let mut imported = Imported::default();
    for (model, endpoints) in registered.models() {
        let mut found: Vec<(&str, Option<Amounts>)> = Vec::with_capacity(endpoints.len());
        for Of { endpoint, vendors, upstream } in &endpoints {
            let found_at = vendors.iter().find_map(|vendor| list.of(vendor, upstream));
            let Some((name, entry)) = found_at else {
                imported.told.push(format!(
                    "`{model}` at `{endpoint}` stays unpriced: the list has no `{upstream}` of its vendor"
                ));
                found.push((endpoint, None));
                continue;
            };
            let beside = entry.beside();
            if !beside.is_empty() {
                imported.told.push(format!(
                    "`{model}` at `{endpoint}` costs beside what a price has: {}",
                    beside.join(", ")
                ));
            }
            let price = entry.price().map_err(|why| {
                imported.told.push(format!("`{model}` at `{endpoint}` stays unpriced: {why}"))
            });
            let price = price.ok().map(|price| list.with_pictures(name, price, &mut imported.told));
            found.push((endpoint, price));
        }
        let same = found.first().filter(|(_, first)| found.iter().all(|(_, price)| price == first));
        if let Some((_, Some(price))) = same {
            imported.unless_known(registered, (model, None), (price.clone(), from))?;
            continue;
        }
        for (endpoint, price) in found.into_iter().filter_map(|(endpoint, price)| Some((endpoint, price?))) {
            imported.unless_known(registered, (model, Some(endpoint)), (price, from))?;
        }
    }
    Ok(imported)
}

impl Imported {
    fn unless_known(
        &mut self,
        registered: &Registered,
        of: (&str, Option<&str>),
        (price, from): (Amounts, &str),
    ) -> Result<(), Failure> {
        if registered.costs(of, &price, from) {
            self.known = self.known.saturating_add(1);
            return Ok(());
        }
        self.add(of, (price, from))
    }

    fn add(
        &mut self,
        (model, endpoint): (&str, Option<&str>),
        (amounts, from): (Amounts, &str),
    ) -> Result<(), Failure> {
        let at = endpoint.map(|endpoint| format!("{endpoint}.")).unwrap_or_default();
        let day = from.get(..10).unwrap_or(from);
        let price = Price {
            model: model.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            valid_from: Some(from.to_owned()),
            currency: "USD",
            amounts,
        };
        self.written.add(Kind::Price, (&slug(&format!("{model}.{at}{day}")), SOURCE), &price)
    }
}

fn instant(text: &str) -> Result<String, String> {
    Instant::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const LIST: &str = r#"{
        "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
        "groq/llama": {"litellm_provider": "groq", "input_cost_per_token": 5.9e-07, "output_cost_per_token": 7.9e-07},
        "claude": {"litellm_provider": "anthropic", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_creation_input_token_cost": 1e-06}
    }"#;

    fn registered(prices: Value) -> Registered {
        let target = |endpoint: &str| json!({"endpoint": endpoint});
        Registered::of(
            json!([{"name": "providers/openai", "spec": {"adapter": "openai", "baseUrl": "https://api.openai.com/v1"}},
                   {"name": "providers/groq", "spec": {"adapter": "openai", "baseUrl": "https://api.groq.com/openai/v1"}},
                   {"name": "providers/own", "spec": {"adapter": "openai", "baseUrl": "http://10.0.0.7/v1"}},
                   {"name": "providers/anthropic", "spec": {"adapter": "anthropic", "baseUrl": "https://api.anthropic.com/v1"}}]),
            json!([{"name": "endpoints/gpt-1", "spec": {"provider": "openai", "upstreamModel": "gpt-4o"}},
                   {"name": "endpoints/gpt-2", "spec": {"provider": "openai", "upstreamModel": "gpt-4o"}},
                   {"name": "endpoints/llama", "spec": {"provider": "groq", "upstreamModel": "llama"}},
                   {"name": "endpoints/claude", "spec": {"provider": "anthropic", "upstreamModel": "claude"}},
                   {"name": "endpoints/own", "spec": {"provider": "own", "upstreamModel": "gpt-4o"}}]),
            json!([{"name": "models/gpt", "spec": {"route": {"groups": [{"targets": [target("gpt-1"), target("gpt-2")]}]}}},
                   {"name": "models/mixed", "spec": {"route": {"groups": [{"targets": [target("gpt-1")]}, {"targets": [target("own")]}, {"targets": [target("llama")]}]}}},
                   {"name": "models/claude", "spec": {"route": {"groups": [{"targets": [target("claude")]}]}}}]),
            prices,
        )
    }

    fn import(prices: Value) -> (Vec<(String, Value)>, Imported) {
        let list = List::read(LIST).unwrap();
        let imported =
            known(&list, &registered(prices), "2026-11-23").map_err(|failure| failure.to_string()).unwrap();
        let Value::Array(all) = imported.written.json().map_err(|failure| failure.to_string()).unwrap()
        else {
            panic!()
        };
        let written = all
            .into_iter()
            .map(|one| (one["name"].as_str().unwrap().to_owned(), one["spec"].clone()))
            .collect();
        (written, imported)
    }

    #[test]
    fn what_is_registered_is_priced_by_its_endpoints_and_the_rest_is_told() {
        let (written, imported) = import(json!([]));
        let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
        let wanted = [
            "prices/claude.2026-11-23",
            "prices/gpt.2026-11-23",
            "prices/mixed.gpt-1.2026-11-23",
            "prices/mixed.llama.2026-11-23",
        ];
        assert_eq!(names, wanted);
        assert_eq!(
            written[1].1,
            json!({"model": "gpt", "validFrom": "2026-11-23", "currency": "USD", "perMillion": {"input": "2.50", "output": "10.00"}})
        );
        assert_eq!(written[3].1["endpoint"], "llama");
        let beside = "`claude` at `claude` costs beside what a price has: cache_creation_input_token_cost";
        assert_eq!(
            imported.told,
            [beside, "`mixed` at `own` stays unpriced: the list has no `gpt-4o` of its vendor"]
        );
    }

    #[test]
    fn a_price_that_is_in_force_by_then_is_not_written_again() {
        let price = |from: &str, input: &str, currency: &str| json!({"name": "prices/p", "spec": {"model": "gpt", "validFrom": from, "currency": currency, "perMillion": {"input": input, "output": "10"}}});
        for (prices, again) in [
            (json!([price("2026-01-01", "2.5", "USD")]), false),
            (json!([price("", "2.5", "USD")]), false),
            (json!([price("2026-12-01", "2.5", "USD")]), true),
            (json!([price("2026-01-01", "2.5", "EUR")]), true),
            (json!([price("2026-01-01", "2.5", "USD"), price("2026-02-01", "3", "USD")]), true),
            (json!([price("2026-02-01", "2.5", "USD"), price("2026-01-01", "3", "USD")]), false),
        ] {
            let (written, imported) = import(prices.clone());
            let is_there = written.iter().any(|(name, _)| name == "prices/gpt.2026-11-23");
            assert_eq!((is_there, imported.known), (again, usize::from(!again)), "{prices}");
        }
    }

    #[test]
    fn every_model_of_a_list_is_written_where_that_is_asked_for() {
        let imported = everything(&List::read(LIST).unwrap(), "2026-01-01")
            .map_err(|failure| failure.to_string())
            .unwrap();
        assert_eq!(imported.written.count(Kind::Price), 3);
        assert!(
            imported
                .written
                .yaml()
                .map_err(|failure| failure.to_string())
                .unwrap()
                .contains("model: groq-llama\n")
        );
    }

    #[test]
    fn a_time_is_one() {
        assert!(
            instant("2026-01-01").is_ok()
                && instant("2026-01-01T00:00:00Z").is_ok()
                && instant("soon").is_err()
        );
    }
}
