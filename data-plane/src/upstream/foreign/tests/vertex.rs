//! Gemini by a service account: one scripted upstream is both who gives tokens and who answers.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_engine::facts::Auth;

use super::*;

const ANSWER: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2}}"#;

/// Gives tokens of a name each its number, and answers whoever shows the latest; others are refused.
async fn google(answer: &'static str) -> (Vendor, mpsc::UnboundedReceiver<String>) {
    let (told, heard) = mpsc::unbounded_channel();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let port = serve(move |mut stream| {
        let (told, asked) = (told.clone(), std::sync::Arc::clone(&asked));
        async move {
            let (head, _) = request(&mut stream).await;
            let latest = asked.load(std::sync::atomic::Ordering::SeqCst);
            let shown = format!("authorization: Bearer ya29.canary-{latest}");
            let answer = match head.starts_with("POST /token") {
                true => {
                    let number = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                    whole(
                        "200 OK",
                        &format!(r#"{{"access_token":"ya29.canary-{number}","expires_in":3599}}"#),
                    )
                }
                // The first token was taken back.
                false if latest > 1 && head.contains(&shown) => whole("200 OK", answer),
                false => whole("401 Unauthorized", r#"{"error":{"message":"no"}}"#),
            };
            told.send(head.lines().next().unwrap().to_owned()).unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    })
    .await;
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pem = STANDARD.encode(key.as_der().unwrap().as_ref());
    let file = json!({
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"),
        "client_email": "robot@p-1.iam.gserviceaccount.com",
        "token_uri": format!("http://127.0.0.1:{port}/token"),
    });
    let config = EndpointConfig {
        credential: Some(Secret::new(file.to_string())),
        auth: Some(Auth::Google { scope: "s".to_owned(), federation: None }),
        ..endpoint(port)
    };
    (Vendor::build(&config, Dialect::Gemini).unwrap(), heard)
}

#[tokio::test]
async fn a_token_is_shown_and_one_that_is_refused_is_asked_for_anew() {
    let (vendor, mut heard) = google(ANSWER).await;
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    assert!(matches!(&error.kind, Kind::Status(refusal) if refusal.status == 401), "{error:?}");
    for _ in 0..2 {
        let answer = vendor.call(call(BODY, false)).await.unwrap();
        let read: Value = serde_json::from_slice(&collected(answer).await.unwrap()).unwrap();
        assert_eq!(read["choices"][0]["message"]["content"], "hello");
    }
    let (token, content) = ("POST /token HTTP/1.1", "POST /v1/models/m-1:generateContent HTTP/1.1");
    for expected in [token, content, token, content, content] {
        assert_eq!(heard.recv().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_token_that_is_echoed_does_not_pass() {
    let echo = r#"{"candidates":[{"content":{"parts":[{"text":"ya29.canary-2"}]},"finishReason":"STOP"}]}"#;
    let (vendor, _heard) = google(echo).await;
    vendor.call(call(BODY, false)).await.unwrap_err();
    let error = vendor.call(call(BODY, false)).await.unwrap_err();
    assert!(matches!(error.kind, Kind::Protocol), "{error:?}");
}

#[test]
fn a_secret_that_is_no_key_is_the_credentials_fault() {
    let config = EndpointConfig {
        auth: Some(Auth::Google { scope: "s".to_owned(), federation: None }),
        ..endpoint(8000)
    };
    let fault = Vendor::build(&config, Dialect::Gemini).err().unwrap();
    assert!(fault.is_of_credential() && !fault.to_string().contains(KEY), "{fault}");
}
