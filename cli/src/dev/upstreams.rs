//! Real vendors from the environment: their listed models as declarative documents, for the same `apply` as everything else.
//!
//! Law: a vendor that does not answer is told and left out; the house stands without it. What a vendor charges is not known
//! here: its models are unpriced, which is said in every record, never zero. Where it processes isn't known either: that is
//! the operator's word, so it is said aloud.

use std::collections::BTreeSet;
use std::time::Duration;

use control_plane::upstream::Refused;
use policy_engine::rules::geo;
use serde::Deserialize;

use crate::slug::slug;

/// The most models taken over from one vendor.
const MOST: usize = 200;

/// Parts of names, and whole words of them, that tell of a model that neither chats nor embeds.
const UNFIT: [&str; 2] = ["dall-e", "search-preview"];
const UNFIT_WORDS: [&str; 15] = [
    "whisper",
    "tts",
    "image",
    "images",
    "audio",
    "speech",
    "video",
    "sora",
    "moderation",
    "realtime",
    "transcribe",
    "rerank",
    "reranker",
    "babbage",
    "davinci",
];

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

/// What is taken over of a vendor's models.
#[derive(Debug, PartialEq)]
pub(super) struct Models {
    /// Their names, as the vendor spells them.
    pub(super) names: Vec<String>,
    /// How many are left out because they plainly neither chat nor embed.
    unfit: usize,
    /// How many are left out because there are too many.
    beyond: usize,
}

impl Models {
    fn of(listed: impl Iterator<Item = String>) -> Self {
        let (mut names, unfit): (Vec<_>, Vec<_>) = listed.partition(|id| fits(id));
        let beyond = names.len().saturating_sub(MOST);
        names.truncate(MOST);
        Self { names, unfit: unfit.len(), beyond }
    }

    /// One line on what was registered, and by whose word it is where.
    pub(super) fn told(&self, vendor: &Vendor, regions: &[String]) -> String {
        let left_out = |count: usize, why: &str| match count {
            0 => String::new(),
            count => format!("; {count} left out: {why}"),
        };
        format!(
            "registered {} models of {}, said to process in {} (--upstream-regions){}{}",
            self.names.len(),
            vendor.base_url,
            regions.join(", "),
            left_out(self.unfit, "neither chat nor embeddings, by their names"),
            left_out(self.beyond, &format!("more than {MOST}")),
        )
    }
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

/// A base URL on the command line. What has its form and must not be dialled is told and left out later, as a vendor is that
/// does not answer.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    match super::upstream().check(text) {
        Ok(()) | Err(Refused::Forbidden | Refused::Loopback | Refused::Private) => Ok(text.to_owned()),
        Err(refused) => Err(format!("it {refused}")),
    }
}

/// A place on the command line: one that the region table knows.
pub(crate) fn place(text: &str) -> Result<String, String> {
    let known = geo::resolve(text).map(|_| text.to_owned());
    known.ok_or_else(|| {
        format!("it is not a place of the region table of {}, such as EU, UK or US", geo::TABLE_AS_OF)
    })
}

/// Whether a model may chat or embed, as far as its name tells: `GET /models` says no more.
fn fits(id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    let mut words = id.split(|c: char| !c.is_ascii_alphanumeric());
    !UNFIT.iter().any(|part| id.contains(part)) && !words.any(|word| UNFIT_WORDS.contains(&word))
}

/// A vendor's models, as `GET /models` lists them.
pub(super) async fn models(vendor: &Vendor, key: Option<&str>) -> anyhow::Result<Models> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()?;
    let mut request = client.get(format!("{}/models", vendor.base_url));
    if let (Some(_), Some(key)) = (vendor.key_variable, key) {
        request = request.bearer_auth(key);
    }
    let listing: Listing = request.send().await?.error_for_status()?.json().await?;
    Ok(Models::of(listing.data.into_iter().map(|listed| listed.id)))
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
        let name = slug(model);
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
    fn what_plainly_neither_chats_nor_embeds_is_left_out_and_counted() {
        let listed = [
            "gpt-4o",
            "whisper-1",
            "dall-e-3",
            "gpt-4o-mini-tts",
            "gpt-image-1",
            "gpt-4o-audio-preview",
            "omni-moderation-latest",
            "gpt-4o-realtime-preview",
            "gpt-4o-transcribe",
            "sora-2",
            "gpt-4o-search-preview",
            "text-embedding-3-small",
            "meta/imagery-8b",
        ];
        let models = Models::of(listed.map(str::to_owned).into_iter());
        assert_eq!(models.names, ["gpt-4o", "text-embedding-3-small", "meta/imagery-8b"]);
        let vendor = &asked_for(None, &["http://h/v1".to_owned()])[0];
        let regions = ["EU".to_owned(), "UK".to_owned()];
        assert_eq!(
            models.told(vendor, &regions),
            "registered 3 models of http://h/v1, said to process in EU, UK (--upstream-regions); \
             10 left out: neither chat nor embeddings, by their names"
        );
        let many = Models::of((0..MOST + 2).map(|n| format!("m-{n}")));
        assert_eq!((many.names.len(), many.beyond), (MOST, 2));
        assert!(many.told(vendor, &regions).ends_with("(--upstream-regions); 2 left out: more than 200"));
    }

    #[test]
    fn places_and_urls_are_checked_before_anything_starts() {
        assert!(place("UK").is_ok() && place("FOO").is_err() && place("").is_err());
        for good in ["http://127.0.0.1:8000/v1", "https://api.example.com/v1", "http://169.254.169.254/v1"] {
            assert_eq!(base_url(good).unwrap(), good);
        }
        for bad in ["notaurl", "", "ftp://a/v1", "http://u:p@a/v1", "http://a:x/v1"] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
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
