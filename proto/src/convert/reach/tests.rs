use policy_engine::facts::{Auth, Provider};

use super::*;
use crate::admin::credential::Source;
use crate::convert::Governed as _;

const VAULTED: &str = "VENDOR_SECRET";

fn read(adapter: &str, base_url: &str, method: Method) -> Result<Provider, String> {
    let spec = admin::ProviderSpec {
        adapter: adapter.into(),
        base_url: base_url.into(),
        credential: Some(admin::Credential { source: Some(Source::Env(VAULTED.into())) }),
        auth: Some(admin::Auth { method: Some(method) }),
        ..Default::default()
    };
    of(spec)
}

fn of(spec: admin::ProviderSpec) -> Result<Provider, String> {
    let wire = admin::Provider { name: "providers/p".into(), spec: Some(spec), ..Default::default() };
    let fact = wire.fact().map_err(|faults| faults.to_string())?;
    let again = admin::Provider { spec: Some(admin::ProviderSpec::from(&fact)), ..wire };
    assert_eq!(again.fact().unwrap(), fact, "out and in again");
    Ok(fact)
}

fn aws(access_key_id: &str, region: &str) -> Method {
    Method::Aws(admin::AwsAuth { access_key_id: access_key_id.into(), region: region.into() })
}

fn entra(tenant_id: &str, authority: &str) -> Method {
    Method::Entra(admin::EntraAuth {
        tenant_id: tenant_id.into(),
        client_id: "c".into(),
        authority: authority.into(),
        scope: String::new(),
    })
}

#[test]
fn what_is_left_out_has_its_default() {
    let azure = read("azure", "https://r.openai.azure.com", entra("t", "")).unwrap();
    let scope = "https://cognitiveservices.azure.com/.default".to_owned();
    let authority = "https://login.microsoftonline.com".to_owned();
    assert_eq!(azure.auth, Some(Auth::Entra { tenant: "t".into(), client: "c".into(), scope, authority }));
    let google = Method::Google(admin::GoogleAuth::default());
    let vertex = read("gemini", "https://europe-west1-aiplatform.googleapis.com/v1", google).unwrap();
    let scope = "https://www.googleapis.com/auth/cloud-platform".to_owned();
    assert_eq!(vertex.auth, Some(Auth::Google { scope }));
}

#[test]
fn a_region_is_told_or_in_the_hosts_name() {
    for (url, told, region) in [
        ("https://bedrock-runtime.eu-central-1.amazonaws.com", "", "eu-central-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/", "", "us-gov-west-1"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "", "cn-north-1"),
        ("https://vpce-0a-1b.bedrock-runtime.us-east-1.vpce.amazonaws.com:443", "", "us-east-1"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "us-west-2", "us-west-2"),
        ("https://models.internal/bedrock", "eu-west-1", "eu-west-1"),
        ("https://runtime.sagemaker.eu-west-3.amazonaws.com", "", "eu-west-3"),
        ("https://runtime-fips.sagemaker.us-east-2.amazonaws.com", "", "us-east-2"),
        ("https://lambda.ap-south-1.amazonaws.com", "", "ap-south-1"),
        ("https://a1b2c3.execute-api.eu-west-3.amazonaws.com/prod", "", "eu-west-3"),
    ] {
        let fact = read("bedrock", url, aws("AKIDEXAMPLE", told)).unwrap();
        let expected = Auth::Aws { access_key_id: "AKIDEXAMPLE".into(), region: region.into() };
        assert_eq!(fact.auth, Some(expected), "{url}");
    }
    for url in [
        "https://models.internal",
        "https://bedrock-runtime.example.com",
        "https://bedrock-runtime.us-east-1.example.com",
        "https://bedrock.us-east-1.amazonaws.com",
    ] {
        let fault = read("bedrock", url, aws("", "")).unwrap_err();
        assert!(fault.contains("spec.auth.aws.region: is missing"), "{url}: {fault}");
    }
}

#[test]
fn a_way_that_is_not_the_vendors_or_not_whole_is_refused() {
    let url = "https://bedrock-runtime.us-east-1.amazonaws.com";
    for (adapter, method, expected) in [
        ("openai", aws("A", ""), "spec.auth.aws: is for the adapters `bedrock`, `sagemaker`, `custom` alone"),
        ("anthropic", entra("t", ""), "spec.auth.entra: is for the adapters `azure`, `custom` alone"),
        (
            "azure",
            Method::Google(Default::default()),
            "spec.auth.google: is for the adapters `gemini`, `custom` alone",
        ),
        ("azure", entra("", ""), "spec.auth.entra.tenantId"),
        ("azure", entra("a/../b", ""), "spec.auth.entra.tenantId: `a/../b` is not an id of Entra ID"),
        ("azure", entra("t", "https://u:p@login.example"), "spec.auth.entra.authority: carries a user name"),
        ("custom", entra("t", ""), "spec.auth.entra.scope: is missing: by default"),
        ("custom", Method::Google(Default::default()), "spec.auth.google.scope: is missing: by default"),
        ("bedrock", aws("A B", ""), "spec.auth.aws.accessKeyId: `A B` is not the id of an access key"),
        ("bedrock", aws("A", "EU Central"), "spec.auth.aws.region: `EU Central` is not a region"),
    ] {
        let fault = read(adapter, url, method).unwrap_err();
        assert!(fault.contains(expected), "{fault}");
    }
    let bare = admin::ProviderSpec {
        adapter: "bedrock".into(),
        base_url: url.into(),
        auth: Some(admin::Auth { method: Some(aws("A", "")) }),
        ..Default::default()
    };
    assert!(of(bare.clone()).unwrap_err().contains("spec.credential"));
    let empty = admin::ProviderSpec { auth: Some(admin::Auth { method: None }), ..bare };
    assert!(of(empty).unwrap_err().contains("spec.auth"));
}

#[test]
fn a_version_of_the_api_is_azures() {
    let spec = |adapter: &str, api_version: &str| admin::ProviderSpec {
        adapter: adapter.into(),
        base_url: "https://r.openai.azure.com".into(),
        api_version: api_version.into(),
        ..Default::default()
    };
    assert_eq!(of(spec("azure", "2024-10-21")).unwrap().api_version, "2024-10-21");
    assert_eq!(of(spec("azure", "")).unwrap().api_version, "");
    assert!(of(spec("openai", "2024-10-21")).unwrap_err().contains("is for the adapter `azure` alone"));
    assert!(of(spec("azure", "2024&x=1")).unwrap_err().contains("is not a version"));
}
