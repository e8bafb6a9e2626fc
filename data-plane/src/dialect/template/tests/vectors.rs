//! Vectors by templates. Three published APIs are described: Ollama's `POST /api/embed` and its older `POST /api/embeddings`
//! (github.com/ollama/ollama, `docs/api.md`), and `POST /embed` of Text Embeddings Inference (huggingface.github.io/text-embeddings-inference).
//! No vendor was asked.

use proto::admin::EmbeddingsTemplate;

use super::*;

fn alone(embeddings: EmbeddingsTemplate) -> Wire {
    Wire { embeddings: Some(embeddings), ..Wire::default() }
}

/// Ollama's vectors.
pub(crate) fn ollama() -> Wire {
    alone(EmbeddingsTemplate {
        path: "/api/embed".into(),
        body: r#"{"model": "${model}", "input": "${inputs}", "dimensions": "${dimensions}", "keep_alive": "10m"}"#.into(),
        vectors: "/embeddings".into(),
        input_tokens: "/prompt_eval_count".into(),
        error: "/error".into(),
        ..Default::default()
    })
}

/// Its older vectors, of one text.
fn older() -> Wire {
    alone(EmbeddingsTemplate {
        path: "/api/embeddings".into(),
        body: r#"{"model": "${model}", "prompt": "query: ${input}"}"#.into(),
        vector: "/embedding".into(),
        ..Default::default()
    })
}

/// Text Embeddings Inference's, whose answer is the list.
fn tei() -> Wire {
    alone(EmbeddingsTemplate {
        path: "/embed".into(),
        body: r#"{"inputs": "${inputs}", "who": "${user}"}"#.into(),
        ..Default::default()
    })
}

fn asked(template: Wire, body: &Value) -> Result<(Value, Vec<String>), Unfit> {
    let plan = Plan::of(read(template));
    let embed = plan.template().embed.as_ref().unwrap();
    let (written, _) = embed::write(body.to_string().as_bytes(), &plan, embed)?;
    let left_out = written.left_out.into_iter().map(|field| field.to_string()).collect();
    Ok((serde_json::from_slice(&written.body).unwrap(), left_out))
}

fn told(template: Wire, body: &Value, answer: &str) -> Option<Value> {
    let plan = Plan::of(read(template));
    let embed = plan.template().embed.as_ref().unwrap();
    let (_, vectors) = embed::write(body.to_string().as_bytes(), &plan, embed).unwrap();
    Some(serde_json::from_slice(&vectors.read(embed, answer.as_bytes())?).unwrap())
}

#[test]
fn texts_are_a_list_or_one_text() {
    let two = json!({"model": "m", "input": ["a", "b\"c"], "user": "u"});
    let (body, left_out) = asked(ollama(), &two).unwrap();
    assert_eq!(body, json!({"model": "m", "input": ["a", "b\"c"], "keep_alive": "10m"}));
    assert_eq!(left_out, ["user"]);
    let (body, _) = asked(ollama(), &json!({"model": "m", "input": "a", "dimensions": 64})).unwrap();
    assert_eq!((&body["input"], &body["dimensions"]), (&json!(["a"]), &json!(64)));
    let (body, left_out) = asked(tei(), &two).unwrap();
    assert_eq!((body, left_out.len()), (json!({"inputs": ["a", "b\"c"], "who": "u"}), 0));
    let (body, _) = asked(older(), &json!({"model": "m", "input": ["a"]})).unwrap();
    assert_eq!(body, json!({"model": "m", "prompt": "query: a"}));
}

#[test]
fn what_has_no_place_is_refused_by_its_name() {
    for (template, more, field) in [
        (older(), ("input", json!(["a", "b"])), "input"),
        (tei(), ("dimensions", json!(64)), "dimensions"),
        (tei(), ("input_type", json!("query")), "input_type"),
        (tei(), ("nobody_knows_this", json!(1)), "nobody_knows_this"),
        (tei(), ("input", json!([1, 2])), "input"),
    ] {
        let mut body = json!({"model": "m", "input": "a"});
        body[more.0] = more.1;
        assert_eq!(asked(template, &body).unwrap_err().field, field);
    }
}

#[test]
fn vectors_are_read_where_the_template_points() {
    let two = json!({"model": "m", "input": ["a", "b"]});
    let read =
        told(ollama(), &two, r#"{"model":"x","embeddings":[[0.10,-2],[1e-9,3.5]],"prompt_eval_count":4}"#)
            .unwrap();
    assert_eq!(read["data"][0]["embedding"], json!([0.10, -2]));
    assert_eq!((&read["data"][1]["index"], &read["data"][1]["embedding"]), (&json!(1), &json!([1e-9, 3.5])));
    assert_eq!((&read["model"], &read["usage"]["total_tokens"]), (&json!("m"), &json!(4)));
    let read = told(tei(), &two, "[[1],[2]]").unwrap();
    assert_eq!((&read["data"][1]["embedding"], read.get("usage")), (&json!([2]), None));
    let one = json!({"model": "m", "input": "a", "encoding_format": "base64"});
    let read = told(older(), &one, r#"{"embedding":[1.0]}"#).unwrap();
    assert_eq!(read["data"][0]["embedding"], "AACAPw==");
}

#[test]
fn what_are_no_such_vectors_are_none() {
    let two = json!({"model": "m", "input": ["a", "b"]});
    for answer in [
        "",
        "{}",
        "[]",
        "[[1]]",
        "[[1],[2],[3]]",
        "[[1],[]]",
        "[[1],null]",
        "[[1],2]",
        r#"[[1],["2"]]"#,
        r#"[[1],{"a":1}]"#,
        r#"{"error":"x"}"#,
        "[[1],[2]",
        "[[[1]],[[2]]]",
    ] {
        assert_eq!(told(tei(), &two, answer), None, "{answer}");
    }
    let failed = r#"{"embeddings":[[1],[2]],"error":"out of memory"}"#;
    assert_eq!(told(ollama(), &two, failed), None);
}
