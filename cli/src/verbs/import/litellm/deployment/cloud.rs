//! Entries of Bedrock, SageMaker and Vertex AI: in which place they are called, and as whom.
//!
//! Law: as in the parent. A key of several parts that are in variables of their own is one document here, in a variable that is told;
//! who assumes a role in LiteLLM is left, for nodes assume none. The parameters are those of LiteLLM's reference for these vendors
//! (<https://docs.litellm.ai/docs/providers/bedrock>, `aws_sagemaker`, `vertex`).

use policy_engine::rules::geo;

use super::{At, Entry, Key, Whom, checked, plain, secret};
use crate::verbs::vendors::Cloud;
use crate::verbs::written::Auth;

/// What stands before a model of Bedrock's and says how LiteLLM calls it, which is one way here.
const WAYS: [&str; 3] = ["converse", "converse_like", "invoke"];

/// What begins the name of a model that is processed in more places than the one that is called.
const SPREAD: [&str; 7] = ["us.", "eu.", "apac.", "jp.", "au.", "us-gov.", "global."];

/// Where Vertex AI is called where an entry does not say.
const USUAL: &str = "us-central1";

impl<'n> Entry<'_, 'n> {
    /// Whom an entry calls.
    pub(super) fn of_cloud(
        &mut self,
        at: &At<'n>,
        (vendor, cloud): (&'static str, Cloud),
        (name, base): (&'n str, Option<At<'n>>),
    ) -> Option<(Whom, String)> {
        let (whom, model) = match cloud {
            Cloud::Bedrock => self.bedrock(at, vendor, (name, base))?,
            Cloud::SageMaker => self.sagemaker(at, vendor, (name, base))?,
            Cloud::Vertex => self.vertex(at, vendor, (name, base))?,
        };
        if model.is_empty() || !model.bytes().all(|byte| byte.is_ascii_graphic()) {
            at.fault("is no name of a model");
            return None;
        }
        Some((whom, model))
    }

    fn bedrock(
        &mut self,
        at: &At<'n>,
        vendor: &'static str,
        (name, base): (&'n str, Option<At<'n>>),
    ) -> Option<(Whom, String)> {
        let (mut model, mut named) = (name, None);
        while let Some((head, rest)) = model.split_once('/') {
            match head {
                _ if WAYS.contains(&head) => {}
                _ if is_region(head) => named = Some(head),
                _ if head.starts_with("arn:") => break,
                _ => {
                    at.left("is a way of LiteLLM's to call Bedrock that there is none of here");
                    return None;
                }
            }
            model = rest;
        }
        let own = match self.fields.remove("model_id") {
            Some(at) => Some(plain(&at, self.around)?),
            None => None,
        };
        let region = self.aws_region(at, named)?;
        let base = self.fields.remove("aws_bedrock_runtime_endpoint").or(base);
        let (adapter, host) = ("bedrock", format!("https://bedrock-runtime.{region}.amazonaws.com"));
        let base_url = self.address(at, base, host)?;
        let (key, auth) = match self.fields.remove("api_key") {
            Some(at) => (secret(&at, "AWS_BEARER_TOKEN_BEDROCK"), None),
            None => self.aws(at, &region)?,
        };
        let model = own.unwrap_or(model);
        let spreads =
            model.contains("inference-profile") || SPREAD.iter().any(|begin| model.starts_with(begin));
        self.place = Some(region).filter(|region| !spreads && geo::resolve(region).is_some());
        Some((Whom { vendor, adapter, base_url, api_version: None, key, auth }, model.to_owned()))
    }

    fn sagemaker(
        &mut self,
        at: &At<'n>,
        vendor: &'static str,
        (name, base): (&'n str, Option<At<'n>>),
    ) -> Option<(Whom, String)> {
        let region = self.aws_region(at, None)?;
        let base = self.fields.remove("sagemaker_base_url").or(base);
        let base_url = self.address(at, base, format!("https://runtime.sagemaker.{region}.amazonaws.com"))?;
        let (key, auth) = self.aws(at, &region)?;
        self.place = Some(region).filter(|region| geo::resolve(region).is_some());
        let whom = Whom { vendor, adapter: "sagemaker", base_url, api_version: None, key, auth };
        Some((whom, name.to_owned()))
    }

    fn vertex(
        &mut self,
        at: &At<'n>,
        vendor: &'static str,
        (name, base): (&'n str, Option<At<'n>>),
    ) -> Option<(Whom, String)> {
        if !name.starts_with("gemini-") {
            at.left("is no model of Google's own: of Vertex AI those alone are spoken to");
            return None;
        }
        let mut said = |names: [&str; 2]| {
            let at = names.iter().find_map(|name| self.fields.remove(*name))?;
            Some(plain(&at, self.around))
        };
        let location = said(["vertex_location", "vertex_ai_location"]).unwrap_or(Some(USUAL))?;
        let project = said(["vertex_project", "vertex_ai_project"]);
        let base_url = match (&base, project) {
            (Some(_), _) => self.address(at, base, String::new())?,
            (None, Some(project)) => {
                let host = if location == "global" { String::new() } else { format!("{location}-") };
                let path = format!("v1/projects/{}/locations/{location}/publishers/google", project?);
                self.address(at, None, format!("https://{host}aiplatform.googleapis.com/{path}"))?
            }
            (None, None) => {
                at.left("needs `vertex_project`, which its address is made of");
                return None;
            }
        };
        let key = match self
            .fields
            .remove("vertex_credentials")
            .or_else(|| self.fields.remove("vertex_ai_credentials"))
        {
            Some(at) => google_key(&at),
            None => {
                at.left("is called by the machine's own identity in LiteLLM: put the JSON of a service account's key into `VERTEX_CREDENTIALS`");
                Key::Variable("VERTEX_CREDENTIALS".to_owned())
            }
        };
        self.place = Some(location.to_owned()).filter(|location| geo::resolve(location).is_some());
        let whom =
            Whom { vendor, adapter: "gemini", base_url, api_version: None, key, auth: Some(Auth::Google {}) };
        Some((whom, name.to_owned()))
    }

    /// The region that is called.
    fn aws_region(&mut self, at: &At<'n>, named: Option<&'n str>) -> Option<String> {
        let said = match self.fields.remove("aws_region_name") {
            Some(at) => Some(plain(&at, self.around)?),
            None => None,
        };
        let region = named.or(said).filter(|region| is_region(region));
        if region.is_none() {
            at.left("needs `aws_region_name`, a region of AWS: a provider is one of a region");
        }
        region.map(str::to_owned)
    }

    /// Its address: its own, or the usual one.
    fn address(&self, at: &At<'n>, base: Option<At<'n>>, usual: String) -> Option<String> {
        let base_url = match &base {
            Some(base) => plain(base, self.around)?.trim_end_matches('/').to_owned(),
            None => usual,
        };
        checked(&base_url, base.as_ref().unwrap_or(at))?;
        Some(base_url)
    }

    /// As whom AWS is called: a key's secret beside its id, or a document of all there is to it.
    fn aws(&mut self, at: &At<'n>, region: &str) -> Option<(Key, Option<Auth>)> {
        const ASSUMED: [&str; 4] =
            ["aws_role_name", "aws_web_identity_token", "aws_profile_name", "aws_external_id"];
        let assumed: Vec<_> = ASSUMED.iter().filter_map(|field| self.fields.remove(*field)).collect();
        self.fields.remove("aws_session_name");
        if !assumed.is_empty() {
            assumed.iter().for_each(|at| at.left("is an identity to be assumed, which nodes do not yet"));
            return None;
        }
        let mut field = |name: &str| self.fields.remove(name);
        let (id, key, token) =
            (field("aws_access_key_id"), field("aws_secret_access_key"), field("aws_session_token"));
        let document = |variable: String, why: &str| {
            at.left(format!(
                "{why}: put the document `{{\"AccessKeyId\": .., \"SecretAccessKey\": .., \"SessionToken\": ..}}` into `{variable}`"
            ));
            let auth = Auth::Aws { access_key_id: String::new(), region: region.to_owned() };
            Some((Key::Variable(variable), Some(auth)))
        };
        let (Some(id), Some(key)) = (id, key) else {
            let why = "is called by the machine's own identity in LiteLLM, which nodes have none of yet";
            return document("AWS_CREDENTIALS".to_owned(), why);
        };
        let key = secret(&key, "AWS_SECRET_ACCESS_KEY");
        let text = id.text().unwrap_or_default();
        let known = match text.strip_prefix("os.environ/") {
            Some(variable) => self.around.variables.get(variable).copied(),
            None => Some(text),
        };
        match (known.filter(|_| token.is_none()), &key) {
            (Some(id), _) => {
                let auth = Auth::Aws { access_key_id: id.to_owned(), region: region.to_owned() };
                Some((key, Some(auth)))
            }
            (None, Key::Variable(name)) => {
                document(format!("{name}_DOCUMENT"), "has a key in several variables")
            }
            (None, _) => document("AWS_CREDENTIALS".to_owned(), "has a key of several parts"),
        }
    }
}

/// A service account's key where it is said: LiteLLM takes its JSON, or where that is.
fn google_key(at: &At<'_>) -> Key {
    let text = at.text().unwrap_or_default();
    match text.strip_prefix("os.environ/") {
        Some(_) => {
            at.left("is a variable that holds the JSON of the key here, and never the path of a file");
            secret(at, "VERTEX_CREDENTIALS")
        }
        None if text.trim_start().starts_with('{') => secret(at, "VERTEX_CREDENTIALS"),
        None if text.is_empty() => Key::None,
        None => Key::File(text.to_owned()),
    }
}

/// Whether it has the form of a region of AWS: `eu-central-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.as_slice() {
        [area, middle @ .., number] => {
            area.len() == 2
                && letters(area)
                && (1..=2).contains(&middle.len())
                && middle.iter().all(letters)
                && matches!(number.as_bytes(), [b'1'..=b'9'])
        }
        _ => false,
    }
}
