use policy_engine::facts::{AssumedRole, Auth, Federation, Provider};

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
    Method::Aws(admin::AwsAuth {
        access_key_id: access_key_id.into(),
        region: region.into(),
        ..Default::default()
    })
}

fn entra(tenant_id: &str, authority: &str) -> Method {
    Method::Entra(admin::EntraAuth {
        tenant_id: tenant_id.into(),
        client_id: "c".into(),
        authority: authority.into(),
        ..Default::default()
    })
}

#[test]
fn what_is_left_out_has_its_default() {
    let azure = read("azure", "https://r.openai.azure.com", entra("t", "")).unwrap();
    let scope = "https://cognitiveservices.azure.com/.default".to_owned();
    let authority = "https://login.microsoftonline.com".to_owned();
    let (tenant, client) = ("t".into(), "c".into());
    assert_eq!(azure.auth, Some(Auth::Entra { tenant, client, scope, authority, is_federated: false }));
    let google = Method::Google(admin::GoogleAuth::default());
    let vertex = read("gemini", "https://europe-west1-aiplatform.googleapis.com/v1", google).unwrap();
    let scope = "https://www.googleapis.com/auth/cloud-platform".to_owned();
    assert_eq!(vertex.auth, Some(Auth::Google { scope, federation: None }));
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
        let expected = Auth::Aws { access_key_id: "AKIDEXAMPLE".into(), region: region.into(), role: None };
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

const ROLE: &str = "arn:aws:iam::123456789012:role/team/models";
const POOL: &str = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s";

#[test]
fn a_machines_own_identity_is_exchanged_where_the_vendor_does_it() {
    let url = "https://bedrock-runtime.eu-central-1.amazonaws.com";
    let assumed = |role_arn: &str, web_identity, sts: &str| {
        let role = admin::AwsAuth {
            role_arn: role_arn.into(),
            external_id: if web_identity { "" } else { "ext-1" }.into(),
            web_identity,
            sts: sts.into(),
            ..Default::default()
        };
        match read("bedrock", url, Method::Aws(role)).unwrap().auth {
            Some(Auth::Aws { role: Some(role), .. }) => role,
            other => panic!("{other:?}"),
        }
    };
    let expected = AssumedRole {
        arn: ROLE.into(),
        external_id: "ext-1".into(),
        is_web_identity: false,
        sts: "https://sts.eu-central-1.amazonaws.com".into(),
    };
    assert_eq!(assumed(ROLE, false, ""), expected);
    let china = "arn:aws-cn:iam::123456789012:role/models";
    assert_eq!(assumed(china, true, "").sts, "https://sts.eu-central-1.amazonaws.com.cn");
    assert_eq!(assumed(ROLE, true, "https://vpce-1.sts.example/").sts, "https://vpce-1.sts.example");

    let federated = admin::EntraAuth {
        tenant_id: "t".into(),
        client_id: "c".into(),
        federated: true,
        ..Default::default()
    };
    let azure = read("azure", "https://r.openai.azure.com", Method::Entra(federated)).unwrap();
    assert!(matches!(azure.auth, Some(Auth::Entra { is_federated: true, .. })));

    let google = admin::GoogleAuth { audience: POOL.into(), ..Default::default() };
    let vertex = "https://europe-west1-aiplatform.googleapis.com/v1";
    let Some(Auth::Google { federation, .. }) = read("gemini", vertex, Method::Google(google)).unwrap().auth
    else {
        panic!("a token of Google's")
    };
    let token_url = "https://sts.googleapis.com/v1/token".to_owned();
    let expected = Federation { audience: POOL.into(), token_url, impersonation_url: None };
    assert_eq!(federation, Some(expected));
}

#[test]
fn what_is_of_an_identity_is_told_with_it() {
    let url = "https://bedrock-runtime.eu-central-1.amazonaws.com";
    let role = || admin::AwsAuth { role_arn: ROLE.into(), ..Default::default() };
    for (wire, expected) in [
        (
            admin::AwsAuth { role_arn: "arn:aws:iam::1:role/r".into(), ..role() },
            "roleArn: `arn:aws:iam::1:role/r` is not the ARN of a role",
        ),
        (
            admin::AwsAuth { role_arn: "arn:aws:iam::123456789012:user/u".into(), ..role() },
            "is not the ARN of a role",
        ),
        (
            admin::AwsAuth { role_arn: String::new(), web_identity: true, ..role() },
            "webIdentity: is for a role",
        ),
        (
            admin::AwsAuth { role_arn: String::new(), external_id: "e".into(), ..role() },
            "externalId: is for a role",
        ),
        (
            admin::AwsAuth { web_identity: true, access_key_id: "A".into(), ..role() },
            "accessKeyId: is of a key",
        ),
        (
            admin::AwsAuth { web_identity: true, external_id: "e".into(), ..role() },
            "externalId: is told with a key alone",
        ),
        (admin::AwsAuth { sts: "ftp://sts.example".into(), ..role() }, "sts: `ftp://sts.example` is neither"),
    ] {
        let fault = read("bedrock", url, Method::Aws(wire)).unwrap_err();
        assert!(fault.contains(expected), "{fault}");
    }
    let vertex = "https://europe-west1-aiplatform.googleapis.com/v1";
    for (wire, expected) in [
        (
            admin::GoogleAuth { token_url: "https://t.example".into(), ..Default::default() },
            "tokenUrl: is for a token that is exchanged",
        ),
        (
            admin::GoogleAuth { audience: "https://iam.example".into(), ..Default::default() },
            "audience: `https://iam.example` does not begin",
        ),
    ] {
        let fault = read("gemini", vertex, Method::Google(wire)).unwrap_err();
        assert!(fault.contains(expected), "{fault}");
    }
}

#[test]
fn the_responses_api_is_openais() {
    let spec = |adapter: &str, responses_api: Option<bool>| admin::ProviderSpec {
        adapter: adapter.into(),
        base_url: "https://api.example.com/v1".into(),
        responses_api,
        ..Default::default()
    };
    for told in [None, Some(true), Some(false)] {
        assert_eq!(of(spec("openai", told)).unwrap().responses_api, told);
        assert_eq!(of(spec("azure", told)).unwrap().responses_api, told);
    }
    let refused = of(spec("anthropic", Some(false))).unwrap_err();
    assert!(refused.contains("spec.responsesApi") && refused.contains("alone"), "{refused}");
}
