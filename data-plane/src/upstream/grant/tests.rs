use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;

/// A key file as Google hands it out, of a key made on the spot; and its public half.
fn key_file(token_uri: Option<&str>) -> (String, Vec<u8>) {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = key.public_key().as_ref().to_vec();
    let pem = STANDARD.encode(key.as_der().unwrap().as_ref());
    let lines: Vec<&str> = pem.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    let mut file = json!({
        "type": "service_account",
        "project_id": "p-1",
        "private_key_id": "k-1",
        "private_key": pem,
        "client_email": "robot@p-1.iam.gserviceaccount.com",
    });
    if let Some(uri) = token_uri {
        file["token_uri"] = uri.into();
    }
    (file.to_string(), public)
}

fn form(grant: &Grant, now: u64) -> Vec<(String, String)> {
    form_urlencoded::parse(grant.form(now).unwrap().as_bytes()).into_owned().collect()
}

#[test]
fn an_assertion_is_signed_by_the_key_and_says_to_whom_it_is_shown() {
    for uri in [None, Some("https://oauth2.example/token")] {
        let (file, public) = key_file(uri);
        let account = Account::read(&Secret::new(file), "https://scope.example/auth").unwrap();
        let shown_to = uri.unwrap_or("https://oauth2.googleapis.com/token").to_owned();
        assert_eq!(account.token_uri(), shown_to);
        let form = form(&Grant::Account(account), 1_000_000);
        assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let (signed, signature) = form[1].1.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        key.verify(signed.as_bytes(), &signature).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let read =
            |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
        assert_eq!(read(header), json!({ "alg": "RS256", "typ": "JWT", "kid": "k-1" }));
        let expected = json!({
            "iss": "robot@p-1.iam.gserviceaccount.com",
            "scope": "https://scope.example/auth",
            "aud": shown_to,
            "iat": 1_000_000,
            "exp": 1_003_600,
        });
        assert_eq!(read(claims), expected);
    }
}

#[test]
fn what_is_no_key_is_told_without_what_it_is() {
    let (file, _) = key_file(None);
    let torn = file.replace("-----BEGIN PRIVATE KEY-----", "-----BEGIN");
    let other = file.replace("MII", "AAA");
    for document in ["", "sk-canary", "{}", r#"{"client_email":"a","private_key":"canary"}"#, &torn, &other] {
        let fault = Account::read(&Secret::new(document.to_owned()), "s").err().unwrap();
        assert!(fault.is_of_credential() && !fault.to_string().contains("canary"), "{fault}");
    }
}
