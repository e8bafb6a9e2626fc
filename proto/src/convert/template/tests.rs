use policy_engine::facts::Provider;
use policy_engine::facts::template::{Gap, Piece, Shape};

use super::*;
use crate::convert::Governed as _;

const BODY: &str = r#"{
  "model": "${model}",
  "input": {"text": "Q: ${prompt}", "context": "${system:-none}"},
  "parameters": {"max_new_tokens": "${maxTokens:-256}", "temperature": "${temperature}", "details": true},
  "tags": [null, -1, 1.5]
}"#;

/// A template with everything there is.
fn full() -> admin::Template {
    let words = |words: &[(&str, &str)]| words.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
    admin::Template {
        request: Some(admin::RequestTemplate {
            path: "/models/${model}/generate".into(),
            headers: words(&[("x-team", "research")]),
            credential_header: "x-api-key".into(),
            body: BODY.into(),
            message: String::new(),
            roles: words(&[("assistant", "bot")]),
            leave_out: vec!["messages".into(), "top_p".into()],
        }),
        response: Some(admin::ResponseTemplate {
            text: "/output/0/text".into(),
            finish_reason: "/output/0/why".into(),
            finish_reasons: words(&[("too_long", "length")]),
            input_tokens: "/tokens/in".into(),
            output_tokens: "/tokens/out".into(),
            id: "/id".into(),
            error: "/error/message".into(),
        }),
        stream: Some(admin::StreamTemplate {
            path: "/models/${model}/stream".into(),
            framing: "lines".into(),
            text: "/delta".into(),
            finish_reason: "/why".into(),
            done: "END".into(),
            ..Default::default()
        }),
        embeddings: None,
    }
}

fn of(adapter: &str, template: Option<admin::Template>) -> Result<Provider, String> {
    let base_url = if adapter == "simulated" { "" } else { "https://models.example/v1" };
    let spec = admin::ProviderSpec {
        adapter: adapter.into(),
        base_url: base_url.into(),
        template,
        ..Default::default()
    };
    let wire = admin::Provider { name: "providers/p".into(), spec: Some(spec), ..Default::default() };
    let fact = wire.fact().map_err(|faults| faults.to_string())?;
    let again = admin::Provider { spec: Some(admin::ProviderSpec::from(&fact)), ..wire };
    assert_eq!(again.fact().unwrap(), fact, "out and in again");
    Ok(fact)
}

fn changed(change: impl FnOnce(&mut admin::Template)) -> Result<Provider, String> {
    let mut template = full();
    change(&mut template);
    of("custom", Some(template))
}

#[test]
fn a_template_is_read_with_the_order_of_its_members() {
    let template = of("custom", Some(full())).unwrap().template.unwrap();
    let Shape::Object(members) = &template.ask.body.as_ref().unwrap().shape else { panic!("{template:?}") };
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["model", "input", "parameters", "tags"]);
    let Shape::Object(input) = &members[1].1 else { panic!("{members:?}") };
    let prompt = Piece::Gap(Gap { slot: Slot::Prompt, otherwise: None });
    assert_eq!(input[0].1, Shape::Text(vec![Piece::Words("Q: ".into()), prompt]));
    assert_eq!(input[1].1, Shape::Gap(Gap { slot: Slot::System, otherwise: Some("none".into()) }));
    let [whole, fraction] = ["-1", "1.5"].map(|number| Shape::Number(number.into()));
    assert_eq!(members[3].1, Shape::List(vec![Shape::Null, whole, fraction]));
    assert_eq!(template.ask.roles.assistant, "bot");
    assert_eq!(template.told.endings["too_long"], Ending::Length);
    assert_eq!(template.stream.as_ref().unwrap().framing, StreamFraming::Lines);
    let marked = changed(|template| template.stream.as_mut().unwrap().done = " END\n".into());
    assert_eq!(marked.unwrap().template.unwrap().stream.as_ref().unwrap().done, "END");
}

#[test]
fn a_template_is_for_custom_and_custom_needs_one() {
    assert!(of("custom", None).unwrap_err().contains("spec.template: is missing"));
    for adapter in ["openai", "bedrock"] {
        let told = of(adapter, Some(full())).unwrap_err();
        assert!(told.contains("spec.template: is for the adapters `custom` and `sagemaker` alone"), "{told}");
    }
    let told = of("custom", Some(admin::Template::default())).unwrap_err();
    assert!(told.contains("spec.template.request: is missing; spec.template.response: is missing"), "{told}");
}

#[test]
fn what_is_wrong_with_a_request_is_told_by_its_field() {
    fn request(template: &mut admin::Template) -> &mut admin::RequestTemplate {
        template.request.as_mut().unwrap()
    }
    let body =
        |text: &'static str| changed(move |template| request(template).body = text.into()).unwrap_err();
    for (text, why) in [
        ("", "is missing"),
        ("{", "is not JSON: EOF while parsing an object at line 1 column 1"),
        (r#"{"a": "${prompt}",}"#, "is not JSON: trailing comma at line 1 column 19"),
        (r#"{"a": "${prompt}"} x"#, "is not JSON: trailing characters"),
        (
            r#"{"a": "${prompt}", "t": "${temprature}"}"#,
            "in `${…}`, `temprature` is not one of model | messages",
        ),
        (r#"{"a": "${prompt", "b": 1}"#, "`${` has no `}` after it at line 1"),
        (r#"{"a": "${prompt}", "a": 1}"#, "`a` is there twice at line 1"),
        (r#"{"${prompt}": 1}"#, "`${prompt}`: a name is no place for a value"),
        (r#"{"a": "all: ${messages}"}"#, "`${messages}` is a list, and no part of a text"),
        (
            r#"{"a": "${maxTokens}"}"#,
            "tells nothing of what was said: it has none of `${messages}`, `${turns}`",
        ),
        (r#""${prompt}""#, "is neither an object nor an array"),
        (r#"{"a": "${prompt}", "b": "${role}"}"#, "has `${role}`, which does not belong there"),
    ] {
        let told = body(text);
        assert!(told.contains(&format!("spec.template.request.body: {why}")), "{text}: {told}");
    }
    let long = format!(r#"{{"a": "${{prompt}}", "b": "{}"}}"#, "x".repeat(BODY.len() + (16 << 10)));
    let told = changed(|template| request(template).body = long).unwrap_err();
    assert!(told.contains("request.body: is longer than 16384 bytes"), "{told}");

    for (place, times, fits) in
        [("prompt", 4, true), ("prompt", 5, false), ("seed", 28, true), ("seed", 32, false)]
    {
        let places: Vec<String> = (0..times).map(|at| format!(r#""{at}": "${{{place}}}""#)).collect();
        let body = format!(r#"{{"m": {{{}}}, "p": "${{transcript}}"}}"#, places.join(", "));
        let body = if place == "prompt" { body.replace(r#", "p": "${transcript}""#, "") } else { body };
        let read = changed(|template| request(template).body = body);
        assert_eq!(read.is_ok(), fits, "{place} {times}: {read:?}");
    }
    type Change = fn(&mut admin::RequestTemplate);
    let cases: [(Change, &str); 17] = [
        (|r| r.path = "generate".into(), "path: is not a path such as `/v1/generate`"),
        (|r| r.path = "/${prompt}".into(), "path: `${prompt}` has no place in a path, only `${model}` has"),
        (
            |r| drop(r.headers.insert("X-A".into(), "1".into())),
            "headers: `X-A` is not the name of a header in lower",
        ),
        (
            |r| drop(r.headers.insert("authorization".into(), "hush".into())),
            "headers: `authorization` is the gateway's",
        ),
        (
            |r| drop(r.headers.insert("host".into(), "b".into())),
            "headers: `host` is the gateway's own to say",
        ),
        (
            |r| drop(r.headers.insert("x-a".into(), "1\r\nx: y".into())),
            "headers: `x-a` has a value that no header",
        ),
        (
            |r| r.credential_header = "cookie".into(),
            "credentialHeader: `cookie` is not a header in lower case that",
        ),
        (|r| r.message = r#"{"r": "${role}"}"#.into(), "message: has no `${text}`"),
        (
            |r| r.message = r#"{"t": "${prompt}"}"#.into(),
            "message: has `${prompt}`, which does not belong there",
        ),
        (|r| r.message = r#"{"t": "${text}"}"#.into(), "message: is for `${messages}` and `${turns}`"),
        (
            |r| drop(r.roles.insert("tool".into(), "t".into())),
            "roles: `tool` is not one of system | user | assistant",
        ),
        (|r| drop(r.roles.insert("user".into(), String::new())), "roles: `user` is empty"),
        (|r| drop(r.roles.insert("user".into(), "u".repeat(65))), "roles: `user` is longer than 64 bytes"),
        (
            |r| {
                r.body = r#"{"m": "${messages}"}"#.into();
                r.message = format!(r#"{{"t": "${{text}}{}"}}"#, "x".repeat(1024));
            },
            "message: is longer than 1024 bytes",
        ),
        (
            |r| r.credential_header = "x-team".into(),
            "headers: `x-team` is the credential's, by `credentialHeader`",
        ),
        (
            |r| drop(r.headers.insert("x-amz-invocation-type".into(), "Event".into())),
            "headers: `x-amz-invocation-type` is a signature's to say",
        ),
        (|r| r.leave_out.push("tools".into()), "leaveOut[2]: `tools` is not one of messages | max_tokens"),
    ];
    for (change, why) in cases {
        let told = changed(|template| change(request(template))).unwrap_err();
        assert!(told.contains(&format!("spec.template.request.{why}")), "{told}");
        assert!(!told.contains("hush"), "{told}");
    }
}

#[test]
fn what_is_wrong_with_an_answer_is_told_by_its_field() {
    type Change = fn(&mut admin::Template, &mut admin::ResponseTemplate, &mut admin::StreamTemplate);
    let cases: [(Change, &str); 12] = [
        (|_, r, _| r.text = String::new(), "response.text: is missing"),
        (|_, r, _| r.text = "$.a".into(), "response.text: is not a JSON pointer such as `/choices/0/text`"),
        (|_, r, _| r.id = "/a~3".into(), "response.id: is not a JSON pointer"),
        (
            |_, r, _| r.output_tokens = String::new(),
            "response.outputTokens: is missing, though `inputTokens`",
        ),
        (|_, r, _| r.input_tokens = String::new(), "response.inputTokens: is missing, though `outputTokens`"),
        (
            |_, r, _| drop(r.finish_reasons.insert("x".into(), "tool_calls".into())),
            "response.finishReasons: `x` `tool_calls` is not one of stop | length | content_filter",
        ),
        (
            |_, r, s| (r.finish_reason, s.finish_reason) = Default::default(),
            "response.finishReasons: 1 words for an end, which no `finishReason` points to",
        ),
        (|_, _, s| s.text = String::new(), "stream.text: is missing"),
        (|_, _, s| s.framing = "frames".into(), "stream.framing: `frames` is not one of events | lines"),
        (|_, _, s| s.path = "stream".into(), "stream.path: is not a path"),
        (|_, _, s| s.done = " \n".into(), "stream.done: is blank"),
        (|_, _, s| s.output_tokens = "/n".into(), "stream.inputTokens: is missing, though `outputTokens`"),
    ];
    for (change, why) in cases {
        let told = changed(|template| {
            let (mut response, mut stream) =
                (template.response.take().unwrap(), template.stream.take().unwrap());
            change(template, &mut response, &mut stream);
            (template.response, template.stream) = (Some(response), Some(stream));
        });
        let told = told.unwrap_err();
        assert!(told.contains(&format!("spec.template.{why}")), "{told}");
    }
}

/// A provider whose calls are signed.
fn signed(
    adapter: &str,
    transport: &str,
    change: impl FnOnce(&mut admin::ProviderSpec),
) -> Result<Provider, String> {
    let auth = Method::Aws(admin::AwsAuth { region: "eu-west-1".into(), ..Default::default() });
    let mut spec = admin::ProviderSpec {
        adapter: adapter.into(),
        base_url: "https://models.example".into(),
        transport: transport.into(),
        credential: Some(admin::Credential { source: Some(admin::credential::Source::Env("KEY".into())) }),
        auth: Some(admin::Auth { method: Some(auth) }),
        ..Default::default()
    };
    change(&mut spec);
    let wire = admin::Provider { name: "providers/p".into(), spec: Some(spec), ..Default::default() };
    let fact = wire.fact().map_err(|faults| faults.to_string())?;
    let again = admin::Provider { spec: Some(admin::ProviderSpec::from(&fact)), ..wire };
    assert_eq!(again.fact().unwrap(), fact, "out and in again");
    Ok(fact)
}

#[test]
fn what_aws_runs_is_signed_and_its_places_are_aws_own() {
    for (adapter, transport) in [("sagemaker", ""), ("custom", "lambda")] {
        assert_eq!(signed(adapter, transport, |_| {}).unwrap().template, None);
        let mut template = full();
        let (request, stream) = (template.request.as_mut().unwrap(), template.stream.as_mut().unwrap());
        (request.path, stream.path, request.credential_header) = Default::default();
        let told = signed(adapter, transport, |spec| spec.template = Some(template.clone()));
        assert!(told.unwrap().template.is_some(), "{transport}");
        let told = signed(adapter, transport, |spec| spec.template = Some(full())).unwrap_err();
        for field in
            ["request.path: is AWS's", "stream.path: is AWS's", "request.credentialHeader: is not for calls"]
        {
            assert!(told.contains(&format!("spec.template.{field}")), "{told}");
        }
        let told = signed(adapter, transport, |spec| spec.auth = None).unwrap_err();
        assert!(told.contains("spec.auth: is missing: calls are signed, by `aws`"), "{told}");
        let google = admin::Auth { method: Some(Method::Google(Default::default())) };
        let told = signed(adapter, transport, |spec| spec.auth = Some(google)).unwrap_err();
        assert!(told.contains("spec.auth: is not `aws`, by which calls are signed"), "{told}");
    }
    let told = signed("custom", "", |spec| spec.template = Some(full())).unwrap_err();
    let why = "spec.template.request.credentialHeader: is not for calls that `auth` authenticates";
    assert!(told.contains(why), "{told}");
    let told = signed("bedrock", "lambda", |_| {}).unwrap_err();
    assert!(told.contains("spec.transport: is for the adapter `custom` alone"), "{told}");
    let told = signed("custom", "pigeon", |_| {}).unwrap_err();
    assert!(told.contains("spec.transport: `pigeon` is not one of http | lambda | grpc"), "{told}");
}

#[test]
fn what_is_called_by_grpc_has_no_template_and_no_signature() {
    let plain = signed("custom", "grpc", |spec| (spec.auth, spec.credential) = (None, None)).unwrap();
    assert_eq!((plain.transport, plain.template), (Transport::Grpc, None));
    let told = signed("custom", "grpc", |_| {}).unwrap_err();
    assert!(told.contains("spec.auth: is not `aws`: calls by gRPC are not signed"), "{told}");
    let told = signed("custom", "grpc", |spec| {
        spec.auth = None;
        spec.template = Some(full());
    });
    let told = told.unwrap_err();
    assert!(told.contains("spec.template: is not for calls by gRPC"), "{told}");
}

/// How Ollama's `POST /api/embed` is asked for vectors.
fn vectors() -> admin::EmbeddingsTemplate {
    admin::EmbeddingsTemplate {
        path: "/api/embed".into(),
        body: r#"{"model": "${model}", "input": "${inputs}", "dimensions": "${dimensions}"}"#.into(),
        vectors: "/embeddings".into(),
        input_tokens: "/prompt_eval_count".into(),
        error: "/error".into(),
        ..Default::default()
    }
}

fn of_vectors(
    with: Option<admin::Template>,
    change: impl FnOnce(&mut admin::EmbeddingsTemplate),
) -> Result<Provider, String> {
    let mut embeddings = vectors();
    change(&mut embeddings);
    let template = admin::Template { embeddings: Some(embeddings), ..with.unwrap_or_default() };
    signed("custom", "", |spec| {
        (spec.auth, spec.credential) = (None, None);
        spec.template = Some(template);
    })
}

#[test]
fn an_api_may_have_vectors_beside_chats_or_alone() {
    let template = |provider: Provider| provider.template.unwrap();
    let both = template(of_vectors(Some(full()), |_| {}).unwrap());
    assert!(both.ask.body.is_some() && both.embed.is_some());
    let alone = template(of_vectors(None, |_| {}).unwrap());
    assert!(alone.ask.body.is_none() && alone.stream.is_none());
    let headers =
        admin::RequestTemplate { headers: [("x-team".into(), "a".into())].into(), ..Default::default() };
    let with = admin::Template { request: Some(headers.clone()), ..Default::default() };
    assert_eq!(template(of_vectors(Some(with), |_| {}).unwrap()).ask.headers["x-team"], "a");
    let more = admin::RequestTemplate { message: r#"["${text}"]"#.into(), path: "/x".into(), ..headers };
    let with = admin::Template { request: Some(more), ..Default::default() };
    let told = of_vectors(Some(with), |_| {}).unwrap_err();
    for field in ["request.message: is for chats", "request.path: is for chats"] {
        assert!(told.contains(&format!("spec.template.{field}")), "{told}");
    }
    let stream = admin::Template { stream: full().stream, ..Default::default() };
    let told = of_vectors(Some(stream), |_| {}).unwrap_err();
    assert!(told.contains("spec.template.request: is missing"), "{told}");
}

#[test]
fn a_template_of_vectors_that_can_not_work_is_refused_by_its_field() {
    type Change = fn(&mut admin::EmbeddingsTemplate);
    let changes: [(Change, &str); 7] = [
        (|wire| wire.body.clear(), "body: is missing"),
        (|wire| wire.body = r#"{"model": "${model}"}"#.into(), "body: tells nothing of the texts"),
        (|wire| wire.body = r#"["${inputs}", "${input}"]"#.into(), "body: has both"),
        (
            |wire| wire.body = r#"["${inputs}", "${prompt}"]"#.into(),
            "body: has `${prompt}`, which does not belong there",
        ),
        (|wire| wire.body = r#"["${input}"]"#.into(), "vectors: is for `${inputs}`"),
        (|wire| wire.vector = "embedding".into(), "vector: "),
        (|wire| wire.path = "embed".into(), "path: "),
    ];
    for (change, why) in changes {
        let told = of_vectors(None, change).unwrap_err();
        assert!(told.contains(&format!("spec.template.embeddings.{why}")), "{told}");
    }
    let mut chat = full();
    chat.request.as_mut().unwrap().body = r#"{"p": "${prompt}", "i": "${inputs}"}"#.into();
    let told = of_vectors(Some(chat), |_| {}).unwrap_err();
    assert!(told.contains("spec.template.request.body: has `${inputs}`"), "{told}");
    let told = signed("custom", "lambda", |spec| {
        spec.template = Some(admin::Template { embeddings: Some(vectors()), ..Default::default() });
    });
    assert!(told.unwrap_err().contains("spec.template.embeddings.path: is AWS's"));
}
