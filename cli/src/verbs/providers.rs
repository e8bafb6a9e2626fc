//! `providers sync`: what a vendor has, beside what is registered of it, as a proposal.
//!
//! Law: nothing is changed by it. The vendor is asked by a node, with the credential that the node has; what is new, said otherwise or gone
//! becomes a file that `apply` takes, and that somebody approves. Where nothing is, nothing is proposed.

mod card;
mod compared;
mod lifecycle;
mod registered;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use policy_engine::facts::ModelGlob;
use policy_engine::vocabulary::{Id, Instant, Kind, Name};
use proto::name;
use serde_json::{Value, json};

use super::apply::label;
use super::because::Because;
use super::failure::Failure;
use super::field::{list, text};
use super::kept::Out;
use super::settle::{self, Files};
use super::terms::Terms;
use super::{Form, Shown};
use crate::client::Client;
use crate::dev::place;
use crate::output;
use compared::{Compared, Wanted};
use registered::Registered;

/// The newest proposals that are looked through for one that proposes the same.
const LOOKED_THROUGH: usize = 50;

/// See what vendors have.
#[derive(Debug, Subcommand)]
pub(crate) enum Providers {
    Sync(Sync),
}

/// Ask a vendor what models it has, and make of what is new, said otherwise or gone what `apply` takes.
#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// The provider, by its last segment or its whole name.
    provider: String,
    /// The tenant it belongs to; without it the platform's is meant.
    #[arg(long)]
    tenant: Option<String>,
    /// The geo whose node asks; without it the first that has one which can.
    #[arg(long)]
    geo: Option<String>,
    /// Of what is new, only models whose name here would be such: a name with `*` for anything; may be repeated.
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    only: Vec<ModelGlob>,
    /// Also what is new and discouraged by the vendor already.
    #[arg(long)]
    deprecated: bool,
    /// Where new endpoints process, whatever the vendor says, such as EU,UK. Without it that is as the vendor says, which is told; where
    /// it does not, it is unknown, and no residency rule lets requests there.
    #[arg(long, value_delimiter = ',', value_name = "REGIONS", value_parser = place)]
    regions: Vec<String>,
    /// Labels of what is new: KEY=VALUE, several with commas between them; `source=PROVIDER` is always one.
    #[arg(short = 'l', long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = label)]
    labels: Vec<(String, String)>,
    /// Retire what the list has no more also where that is most of what the vendor serves: a list may be short once.
    #[arg(long)]
    end_many: bool,
    /// Keep it as a proposal, for another principal to approve by `chancery proposals approve`.
    #[arg(long, conflicts_with_all = ["dry_run", "out"])]
    propose: bool,
    /// Tell every field that would change, as `apply --dry-run` does.
    #[arg(long, conflicts_with = "out")]
    dry_run: bool,
    /// Write it to a file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file of --out.
    #[arg(long, requires = "out")]
    force: bool,
    #[command(flatten)]
    because: Because,
    /// `text` tells what is new, changed and gone; `yaml` is what `apply` takes; `json` has both.
    #[command(flatten)]
    shown: Shown,
}

/// Syncs.
pub(super) async fn run(client: &Client, Providers::Sync(asked): &Providers) -> Result<(), Failure> {
    let client = &asked.because.told_by(client)?;
    let id = asked.id().map_err(Failure::Input)?;
    let name = name::format(Kind::Provider, &id);
    let body = json!({ "geo": asked.geo.clone().unwrap_or_default() });
    let survey = client.post(&format!("{name}:survey"), &body).await?.json;
    let registered = Registered::at(client, &id).await?;
    let wanted = Wanted {
        only: &asked.only,
        deprecated: asked.deprecated,
        regions: &asked.regions,
        labels: &asked.labels,
        end_many: asked.end_many,
        now: Instant(Timestamp::now().as_microsecond()),
    };
    let compared = compared::compare((&id, &survey), &registered, &wanted)?;
    let from = format!("asked by {} in {}", text(&survey, "node"), text(&survey, "geo"));
    let told = format!("{} of `{name}`, {from}\n", compared.counted(list(&survey, "models").len()));
    if let Some(path) = &asked.out {
        let out = Out::begin(path, asked.force)?;
        let yaml = compared.written.yaml()?;
        out.writer().write_all(yaml.as_bytes()).map_err(|source| out.failed(source))?;
        out.done()?;
        asked.lead(&compared, &told);
        return Ok(());
    }
    if (asked.propose || asked.dry_run) && !compared.is_nothing() {
        asked.lead(&compared, &told);
        return asked.settle(client, (&name, &compared)).await;
    }
    match asked.shown.output {
        Form::Json => output::line(&asked.json((&name, &survey), &compared)?.to_string()),
        Form::Yaml => {
            output::text_as_is(&compared.written.yaml()?);
            asked.lead(&compared, &told);
        }
        Form::Text => {
            output::text_as_is(&format!("{}{told}", compared.lines()));
            compared.told.iter().for_each(|line| output::complain(&output::plain(line)));
        }
    }
    Ok(())
}

impl Sync {
    /// Which provider is meant.
    fn id(&self) -> Result<Id, String> {
        if self.provider.contains('/') {
            let id = name::parse_as(Kind::Provider, &self.provider).map_err(|error| error.to_string())?;
            let own = id.tenant.as_ref().map(Name::as_str);
            return match self.tenant.as_deref() {
                Some(tenant) if own != Some(tenant) => Err(format!(
                    "`{}` says whose it is already: leave out --tenant",
                    output::plain(&self.provider)
                )),
                _ => Ok(id),
            };
        }
        let named = |text: &str| Name::new(text).map_err(|error| error.to_string());
        let tenant = self.tenant.as_deref().map(named).transpose()?;
        Ok(Id { tenant, name: named(&self.provider)? })
    }

    /// Proposes or tries it, unless the same waits for somebody already.
    async fn settle(&self, client: &Client, (name, compared): (&str, &Compared)) -> Result<(), Failure> {
        let file = compared.written.yaml()?;
        if self.propose
            && let Some(waits) = waiting(client, &file).await?
        {
            self.shown.say(&format!("{waits} proposes the same and waits for another principal"));
            return Ok(());
        }
        let files = [json!({ "path": format!("{name}.yaml"), "text": file })];
        let terms = Terms::of(self.dry_run, self.propose);
        let how = (terms.fields(), terms, self.shown);
        settle::settle(client, ("policy:apply", "applied"), Files::These(&files), how).await
    }

    /// Tells people on standard error what leads up to the answer.
    fn lead(&self, compared: &Compared, told: &str) {
        let lines = compared.lines();
        lines.lines().chain(told.lines()).for_each(|line| self.shown.lead(line));
        compared.told.iter().for_each(|line| self.shown.lead(&output::plain(line)));
    }

    fn json(&self, (name, survey): (&str, &Value), compared: &Compared) -> Result<Value, Failure> {
        Ok(json!({
            "provider": name,
            "geo": text(survey, "geo"),
            "node": text(survey, "node"),
            "listed": list(survey, "models").len(),
            "new": compared.new,
            "changed": compared.changed.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "gone": compared.gone.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "told": compared.told,
            "resources": compared.written.json()?,
        }))
    }
}

/// The proposal that waits and has this file alone, where there is one.
async fn waiting(client: &Client, file: &str) -> Result<Option<String>, Failure> {
    let newest = client.some("proposals", (&[], LOOKED_THROUGH), "proposals").await?.json;
    let pending = list(&newest, "proposals").iter().filter(|proposal| text(proposal, "state") == "pending");
    for proposal in pending {
        let name = text(proposal, "name");
        let whole = client.get(&name, &[]).await?.json;
        let is_it = |of: &Value| of.get("text").and_then(Value::as_str) == Some(file);
        if matches!(list(&whole, "files"), [one] if is_it(one)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn glob(text: &str) -> Result<ModelGlob, String> {
    ModelGlob::new(text).map_err(|error| error.to_string())
}
