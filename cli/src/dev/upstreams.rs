//! Real vendors from the environment: their listed models as declarative documents, for the same `apply` as everything else.
//!
//! Law: a vendor that does not answer is told and left out; the house stands without it. What a vendor charges is not known
//! here: its models are unpriced, which is said in every record, never zero.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

/// The most models taken over from one vendor.
const MOST: usize = 200;

/// A vendor to register.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vendor {
    /// The provider's name.
    pub(super) name: String,
    /// Its base URL, with the version's path.
    pub(super) base_url: String,
    /// The environment variable that holds its key, where it wants one.
    pub(super) key_variable: Option<&'static str>,
}

#[derive(Deserialize)]
struct Listing {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
}

/// The vendors asked for: OpenAI where `OPENAI_API_KEY` holds a key that is not one of ours, and every compatible URL.
pub(super) fn asked_for(openai_key: Option<&str>, compatible: &[String]) -> Vec<Vendor> {
    let theirs = openai_key.filter(|key| !key.is_empty() && !key.starts_with("chy_"));
    let openai = theirs.map(|_| Vendor {
        name: "openai".to_owned(),
        base_url: "https://api.openai.com/v1".to_owned(),
        key_variable: Some("OPENAI_API_KEY"),
    });
    let compatible = compatible.iter().enumerate().map(|(n, url)| Vendor {
        name: if n == 0 { "compatible".to_owned() } else { format!("compatible-{}", n + 1) },
        base_url: url.trim_end_matches('/').to_owned(),
        key_variable: None,
    });
    openai.into_iter().chain(compatible).collect()
}

/// The names of a vendor's models, as `GET /models` lists them.
pub(super) async fn models(vendor: &Vendor, key: Option<&str>) -> anyhow::Result<Vec<String>> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()?;
    let mut request = client.get(format!("{}/models", vendor.base_url));
    if let (Some(_), Some(key)) = (vendor.key_variable, key) {
        request = request.bearer_auth(key);
    }
    let listing: Listing = request.send().await?.error_for_status()?.json().await?;
    Ok(listing.data.into_iter().map(|listed| listed.id).take(MOST).collect())
}

/// Declarative documents that register a vendor's models and let the demo team use them.
pub(super) fn documents(vendor: &Vendor, models: &[String], regions: &[String]) -> String {
    let credential = vendor.key_variable.map_or(String::new(), |v| format!(", credential: {{env: {v}}}"));
    let mut yaml = format!(
        "apiVersion: chancery/v1\nkind: Provider\nmetadata: {{name: {name}}}\nspec: {{adapter: openai, baseUrl: {url}{credential}}}\n",
        name = vendor.name,
        url = quoted(&vendor.base_url),
    );
    let regions = regions.join(", ");
    let mut names = BTreeSet::new();
    for model in models {
        let name = resource_name(model);
        if name.is_empty() || !names.insert(name.clone()) {
            continue;
        }
        let alias = if name == *model { String::new() } else { format!("  aliases: [{}]\n", quoted(model)) };
        let embeds = model.contains("embed");
        let (operation, output) = if embeds { ("embed", "embedding") } else { ("chat", "text") };
        yaml.push_str(&format!(
            "---\napiVersion: chancery/v1\nkind: Endpoint\nmetadata: {{name: {vendor}-{name}}}\n\
             spec: {{provider: {vendor}, upstreamModel: {upstream}, processingRegions: [{regions}], storageRegions: [{regions}]}}\n\
             ---\napiVersion: chancery/v1\nkind: Model\nmetadata: {{name: {name}}}\nspec:\n\
             \x20 card: {{description: {description}, input: [text], output: [{output}], operations: [{operation}]}}\n\
             {alias}\
             \x20 route: {{policy: weighted, groups: [[{{endpoint: {vendor}-{name}}}]]}}\n",
            vendor = vendor.name,
            upstream = quoted(model),
            description = quoted(&format!("{model} at {}", vendor.name)),
        ));
    }
    if !names.is_empty() {
        let names: Vec<String> = names.into_iter().collect();
        yaml.push_str(&format!(
            "---\napiVersion: chancery/v1\nkind: Role\nmetadata: {{name: {vendor}-user}}\nspec:\n  permissions:\n\
             \x20   - {{action: infer, models: [{models}], operations: [chat, embed]}}\n\
             \x20   - {{action: view, models: [{models}]}}\n\
             ---\napiVersion: chancery/v1\nkind: Grant\nmetadata: {{name: research-{vendor}, tenant: acme}}\n\
             spec: {{role: {vendor}-user, team: research, to: {{team: research}}}}\n",
            vendor = vendor.name,
            models = names.join(", "),
        ));
    }
    yaml
}

/// A model's id as a resource name: what a name can't have becomes `-`; the id itself stays an alias.
fn resource_name(id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._@+~-".contains(c);
    let name: String = id.chars().map(|c| if fits(c) { c } else { '-' }).take(100).collect();
    name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// A text as a double-quoted YAML scalar; JSON's strings are such.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_our_own_keys_is_not_a_vendors() {
        assert!(asked_for(Some("chy_abc_def"), &[]).is_empty());
        assert!(asked_for(Some(""), &[]).is_empty());
        assert!(asked_for(None, &[]).is_empty());
        assert_eq!(asked_for(Some("sk-x"), &[])[0].name, "openai");
        let both = asked_for(None, &["http://127.0.0.1:1/v1/".to_owned(), "http://b/v1".to_owned()]);
        assert_eq!(both[0].base_url, "http://127.0.0.1:1/v1");
        assert_eq!(both[1].name, "compatible-2");
    }

    #[test]
    fn ids_that_are_no_names_stay_aliases() {
        let vendor = Vendor { name: "compatible".into(), base_url: "http://h/v1".into(), key_variable: None };
        let yaml =
            documents(&vendor, &["meta/llama:8b".to_owned(), "x\"y: z".to_owned()], &["EU".to_owned()]);
        assert!(yaml.contains("metadata: {name: meta-llama-8b}"), "{yaml}");
        assert!(yaml.contains("aliases: [\"meta/llama:8b\"]"));
        assert!(yaml.contains("upstreamModel: \"x\\\"y: z\""));
        assert!(!yaml.contains("credential"));
    }
}
