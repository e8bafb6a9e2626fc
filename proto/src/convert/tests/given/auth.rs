//! Ways to authenticate as they may be.

use policy_engine::facts::{AssumedRole, Auth, Federation};
use proptest::option::of;
use proptest::prelude::*;

fn url() -> impl Strategy<Value = String> {
    "https://[a-z]{1,8}"
}

/// At Entra ID.
pub(super) fn entra() -> impl Strategy<Value = Auth> {
    ("[a-z0-9-]{1,8}", "[a-z0-9-]{1,8}", r"https://[a-z]{1,8}/\.default", url(), any::<bool>()).prop_map(
        |(tenant, client, scope, authority, is_federated)| Auth::Entra {
            tenant,
            client,
            scope,
            authority,
            is_federated,
        },
    )
}

/// At AWS.
pub(super) fn aws() -> impl Strategy<Value = Auth> {
    let arn = || "arn:aws(-cn)?:iam::[0-9]{12}:role/[a-z]{1,8}(/[a-z]{1,8})?";
    let key = ("[A-Z0-9]{0,8}", of((arn(), "[a-z:]{0,8}", url()))).prop_map(|(access_key_id, role)| {
        let role =
            role.map(|(arn, external_id, sts)| AssumedRole { arn, external_id, is_web_identity: false, sts });
        (access_key_id, role)
    });
    let identity = (arn(), url()).prop_map(|(arn, sts)| {
        let external_id = String::new();
        (String::new(), Some(AssumedRole { arn, external_id, is_web_identity: true, sts }))
    });
    ("[a-z]{2}-[a-z]{1,8}-[0-9]", prop_oneof![key, identity])
        .prop_map(|(region, (access_key_id, role))| Auth::Aws { access_key_id, region, role })
}

/// At Google.
pub(super) fn google() -> impl Strategy<Value = Auth> {
    let federation = ("//iam\\.googleapis\\.com/[a-z0-9/-]{1,16}", url(), of(url())).prop_map(
        |(audience, token_url, impersonation_url)| Federation { audience, token_url, impersonation_url },
    );
    (url(), of(federation)).prop_map(|(scope, federation)| Auth::Google { scope, federation })
}
