//! `export`: every resource as the YAML that `apply` takes back without a change.

use clap::Args;
use policy_engine::vocabulary::Kind;
use serde_json::{Value, json};

use super::Form;
use super::failure::Failure;
use super::kind::KindName;
use crate::client::Client;
use crate::output;

/// Write every resource as the YAML that `apply` takes back without a change.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Only the resources of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Only these kinds, such as `Team`; with commas between, or repeated.
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    kinds: Vec<KindName>,
    /// `yaml` and `text` are what `apply` takes; `json` prints what REST answered.
    #[arg(short, long, value_enum, default_value_t = Form::Yaml, value_name = "FORM")]
    output: Form,
}

/// Exports.
pub(super) async fn run(client: &Client, export: &Export) -> Result<(), Failure> {
    if export.kinds.iter().any(|kind| kind.0.kind == Kind::Key) {
        return Err(Failure::Input(
            "keys are not exported: a key is made by a call, because its secret comes back once".to_owned(),
        ));
    }
    let parent = export.tenant.as_ref().map(|tenant| format!("tenants/{tenant}")).unwrap_or_default();
    let kinds: Vec<&str> = export.kinds.iter().map(|kind| kind.0.kind.as_str()).collect();
    let reply = client.post("policy:export", &json!({ "parent": parent, "kinds": kinds })).await?;
    match export.output {
        Form::Json => output::line(reply.text.trim_end()),
        Form::Yaml | Form::Text => {
            output::text_as_is(reply.json.get("text").and_then(Value::as_str).unwrap_or_default())
        }
    }
    Ok(())
}
