//! Where a provider may be, by every way it is written.

use proto::admin::auth::Method;
use proto::admin::credential::Source;
use proto::admin::providers_service_server::ProvidersService;

use super::*;

const METADATA: &str = "http://2852039166/latest";
const LOOPBACK: &str = "http://127.0.0.1:9000/v1";

fn provider(url: &str) -> Provider {
    let spec = ProviderSpec { adapter: "openai".into(), base_url: url.into(), ..Default::default() };
    Provider { spec: Some(spec), ..Provider::default() }
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, why: &str) {
    let refusal = Refusal::of_status(&answer.unwrap_err());
    assert_eq!(refusal.code, ErrorCode::InvalidRequest);
    let [field] = refusal.fields.as_slice() else { panic!("{refusal:?}") };
    assert!(field.field == "spec.baseUrl" && field.message.contains(why), "{refusal:?}");
}

async fn applied(admin: &Admin, url: &str, dry_run: bool) -> Vec<Fault> {
    let text = format!(
        "apiVersion: chancery/v1\nkind: Provider\nmetadata: {{name: p, tenant: acme}}\nspec:\n  adapter: openai\n  baseUrl: \"{url}\"\n"
    );
    let files = vec![SourceFile { path: "p.yaml".into(), text }];
    admin
        .apply(root(ApplyRequest { files, dry_run, ..Default::default() }))
        .await
        .unwrap()
        .into_inner()
        .faults
}

#[tokio::test]
async fn case_76_a_provider_is_not_registered_where_no_node_would_call() {
    let House { admin, .. } = &house().await;
    let create = |url: &str| CreateProviderRequest {
        provider_id: "p".into(),
        provider: Some(provider(url)),
        ..Default::default()
    };
    refused(admin.create_provider(root(create(METADATA))).await, "usual spelling");
    refused(admin.create_provider(root(create("https://u:hush@a.test/v1"))).await, "user name or a secret");
    let trial = CreateProviderRequest { validate_only: true, ..create(LOOPBACK) };
    refused(admin.create_provider(root(trial)).await, "upstream.allow_loopback");
    admin.create_provider(root(create("https://a.test/v1"))).await.unwrap();

    let update = |url: &str, mask: &[&str]| {
        let mask = FieldMask { paths: mask.iter().map(|path| (*path).to_owned()).collect() };
        let provider = Provider { name: "providers/p".into(), ..provider(url) };
        UpdateProviderRequest {
            provider: Some(provider),
            update_mask: Some(mask),
            allow_missing: true,
            ..Default::default()
        }
    };
    refused(admin.update_provider(root(update("http://metadata/v1", &[]))).await, "metadata service");
    refused(admin.update_provider(root(update(LOOPBACK, &["spec.base_url"]))).await, "this machine");
    let other = UpdateProviderRequest {
        provider: Some(Provider { name: "providers/q".into(), ..provider("http://10.0.0.1") }),
        ..update("", &[])
    };
    refused(admin.update_provider(root(other)).await, "upstream.allowed_networks");
    let clear = admin.update_provider(root(update("http://a.test/v1", &["spec.base_url"]))).await;
    refused(clear, "credentials and prompts in clear");

    let boss = key(admin, "acme", "boss", "research").await.secret;
    let own = CreateProviderRequest { parent: "tenants/acme".into(), ..create(LOOPBACK) };
    refused(admin.create_provider(signed(&boss, own)).await, "this machine");

    for dry_run in [true, false] {
        let faults = applied(admin, "http://[::ffff:169.254.169.254]/v1", dry_run).await;
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert_eq!((fault.line, fault.field.as_str()), (6, "spec.baseUrl"));
        assert!(fault.message.contains("metadata service"), "{fault:?}");
    }
    assert_eq!(applied(admin, "https://a.test/v1", false).await, vec![]);
}

#[tokio::test]
async fn a_url_and_a_credential_that_are_both_wrong_are_both_told_and_neither_is_repeated() {
    let House { admin, .. } = &house().await;
    let mut wrong = provider("https://ann:hush-hush@a.test/v1");
    wrong.spec.as_mut().unwrap().credential =
        Some(Credential { source: Some(credential::Source::Sealed("cred-0".into())) });
    let request =
        CreateProviderRequest { provider_id: "p".into(), provider: Some(wrong), ..Default::default() };
    let refusal = Refusal::of_status(&admin.create_provider(root(request)).await.unwrap_err());
    let fields: Vec<&str> = refusal.fields.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(fields, ["spec.baseUrl", "spec.credential.sealed"]);
    assert!(!format!("{refusal:?}").contains("hush"), "{refusal:?}");
}

#[tokio::test]
async fn a_tenants_provider_names_nothing_that_lies_on_a_node() {
    let House { admin, .. } = &house().await;
    let boss = key(admin, "acme", "boss", "research").await.secret;
    let sources = [credential::Source::Env("AWS_SECRET".into()), credential::Source::File("/etc/key".into())];
    for (source, written) in sources.into_iter().zip(["env: AWS_SECRET", "file: /etc/key"]) {
        let mut theirs = provider("https://a.test/v1");
        theirs.spec.as_mut().unwrap().credential = Some(Credential { source: Some(source) });
        let request = CreateProviderRequest {
            parent: "tenants/acme".into(),
            provider_id: "p".into(),
            provider: Some(theirs),
            ..Default::default()
        };
        let refusal = Refusal::of_status(&admin.create_provider(signed(&boss, request)).await.unwrap_err());
        let [field] = refusal.fields.as_slice() else { panic!("{refusal:?}") };
        assert!(field.field == "spec.credential" && field.message.contains("the value"), "{refusal:?}");

        let url = format!("https://a.test/v1\"\n  credential: {{{written}}} #");
        let faults = applied(admin, &url, false).await;
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert_eq!((fault.line, fault.field.as_str()), (7, "spec.credential"), "{fault:?}");
    }
}

#[tokio::test]
async fn tokens_are_asked_for_where_a_node_would_call() {
    let House { admin, .. } = &house().await;
    let create = |authority: &str| {
        let entra = EntraAuth {
            tenant_id: "t".into(),
            client_id: "c".into(),
            authority: authority.into(),
            ..Default::default()
        };
        let spec = ProviderSpec {
            adapter: "azure".into(),
            base_url: "https://r.openai.azure.com".into(),
            credential: Some(Credential { source: Some(Source::Value("hush".into())) }),
            auth: Some(Auth { method: Some(Method::Entra(entra)) }),
            ..Default::default()
        };
        let provider = Some(Provider { spec: Some(spec), ..Provider::default() });
        CreateProviderRequest { provider_id: "p".into(), provider, ..Default::default() }
    };
    for bad in ["http://169.254.169.254", "http://login.example", "https://u:hush@login.example", LOOPBACK] {
        let refusal = admin.create_provider(root(create(bad))).await.unwrap_err();
        let refusal = Refusal::of_status(&refusal);
        let fields: Vec<&str> = refusal.fields.iter().map(|field| field.field.as_str()).collect();
        assert!(fields.contains(&"spec.auth.entra.authority"), "{bad}: {refusal:?}");
        assert!(!format!("{refusal:?}").contains("hush"), "{refusal:?}");
    }
    admin.create_provider(root(create(""))).await.unwrap();
}

#[tokio::test]
async fn whoever_gives_sessions_or_exchanges_tokens_is_where_a_node_would_call() {
    let House { admin, .. } = &house().await;
    let create = |(adapter, base_url): (&str, &str), method: Method| {
        let spec = ProviderSpec {
            adapter: adapter.into(),
            base_url: base_url.into(),
            credential: Some(Credential { source: Some(Source::Value("hush".into())) }),
            auth: Some(Auth { method: Some(method) }),
            ..Default::default()
        };
        let provider = Some(Provider { spec: Some(spec), ..Provider::default() });
        CreateProviderRequest { provider_id: "p".into(), provider, ..Default::default() }
    };
    let aws = |sts: &str| {
        let role_arn = "arn:aws:iam::123456789012:role/models".into();
        let auth = AwsAuth { role_arn, web_identity: true, sts: sts.into(), ..Default::default() };
        create(("bedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com"), Method::Aws(auth))
    };
    let google = |token_url: &str, impersonation_url: &str| {
        let audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k";
        let auth = GoogleAuth {
            audience: audience.into(),
            token_url: token_url.into(),
            impersonation_url: impersonation_url.into(),
            ..Default::default()
        };
        create(("gemini", "https://europe-west1-aiplatform.googleapis.com/v1"), Method::Google(auth))
    };
    for bad in ["http://169.254.169.254/latest", "http://sts.example", "https://u:hush@sts.example", LOOPBACK]
    {
        for (request, field) in [
            (aws(bad), "spec.auth.aws.sts"),
            (google(bad, ""), "spec.auth.google.tokenUrl"),
            (google("", bad), "spec.auth.google.impersonationUrl"),
        ] {
            let refusal = Refusal::of_status(&admin.create_provider(root(request)).await.unwrap_err());
            let fields: Vec<&str> = refusal.fields.iter().map(|field| field.field.as_str()).collect();
            assert!(fields.contains(&field), "{bad}: {refusal:?}");
            assert!(!format!("{refusal:?}").contains("hush"), "{refusal:?}");
        }
    }
    admin.create_provider(root(aws(""))).await.unwrap();
}
