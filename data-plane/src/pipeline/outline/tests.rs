//! What bodies are understood as, and which are refused by which field.

use proptest::prelude::*;

use super::*;

fn read(body: &str) -> Result<Outline, BodyFault> {
    Outline::read(&mut Tape::default(), body.as_bytes(), Operation::Chat)
}

fn refused(body: &str) -> String {
    read(body).map(drop).unwrap_err().field().unwrap_or("-").to_owned()
}

fn texts<'b>(outline: &Outline, body: &'b str) -> Vec<&'b str> {
    outline.texts.iter().map(|at| body[at.clone()].trim_matches('"')).collect()
}

const HI: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

#[test]
fn a_body_is_understood() {
    let body = r#"{"model":"gpt","stream":true,"n":3,"max_tokens":9,"max_completion_tokens":7,"user":"u-1",
        "tools":[{"type":"function","function":{"name":"find","description":"finds a user"}},{"type":"web_search_preview"}],
        "messages":[{"role":"system","content":"be brief"},
          {"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
          {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}}]},
          {"role":"tool","tool_call_id":"c1","content":"found"}],
        "new_field":{"deep":["leaf"]}}"#;
    let outline = read(body).unwrap();
    assert_eq!((outline.model.as_str(), &body[outline.model_at.clone()]), ("gpt", "\"gpt\""));
    assert!(outline.stream && outline.answers == 3 && outline.max_tokens == Some(7));
    assert_eq!(outline.egress_tools, ["web_search_preview"]);
    assert_eq!(outline.media_bytes, r#""data:image/png;base64,AAAA""#.len());
    let texts = texts(&outline, body);
    for text in [
        "u-1",
        "finds a user",
        "be brief",
        "look",
        "c1",
        r#"{\"q\":1}"#,
        "found",
        "new_field",
        "deep",
        "leaf",
    ] {
        assert!(texts.contains(&text), "{text} in {texts:?}");
    }
    for structure in ["user", "messages", "gpt", "type", "assistant"] {
        assert!(!texts.contains(&structure), "{structure}");
    }
}

#[test]
fn tools_of_a_vendor_are_told_from_the_callers_own() {
    let own = r#"{"type":"function","function":{"name":"f"}}"#;
    for (with, expected) in [
        (format!(r#""tools":[{own},{{"type":"custom","custom":{{"name":"c"}}}}]"#), &[][..]),
        (
            format!(r#""tools":[{own},{{"type":"mcp"}},{{"type":"mcp"}},{{"type":"Function"}}]"#),
            &["mcp", "Function"],
        ),
        (
            r#""tools":[{"type":"never_heard_of"},{"type":"functi\u006fn","function":{"name":"f"}}]"#.into(),
            &["never_heard_of"],
        ),
        (r#""tools":null,"web_search_options":null,"plugins":null,"enable_search":false"#.into(), &[]),
        (r#""web_search_options":{}"#.into(), &["web_search"]),
        (r#""web_search_opti\u006fns":{}"#.into(), &["web_search"]),
        (r#""enable_search":true,"search_parameters":{"mode":"on"}"#.into(), &["web_search"]),
        (r#""mcp_servers":[{"url":"https://x"}],"data_sources":[{}]"#.into(), &["mcp", "data_sources"]),
        (r#""tool_choice":"required""#.into(), &[]),
        (r#""tool_choice":{"type":"function","function":{"name":"f"}}"#.into(), &[]),
        (r#""tool_choice":{"type":"allowed_tools","allowed_tools":{}}"#.into(), &[]),
        (r#""tool_choice":{"type":"file_search"}"#.into(), &["file_search"]),
    ] {
        let outline = read(&format!(r#"{{"model":"m",{HI},{with}}}"#)).unwrap();
        assert_eq!(outline.egress_tools, expected, "{with}");
    }
    for (model, searches) in
        [("gpt-4o-search-preview", true), ("gpt-5-search-api", true), ("x:online", true), ("gpt-4o", false)]
    {
        let outline = read(&format!(r#"{{"model":"{model}",{HI}}}"#)).unwrap();
        assert_eq!(!outline.egress_tools.is_empty(), searches, "{model}");
    }
}

#[test]
fn nothing_hides_where_media_or_names_are_expected() {
    let message = |message: &str| format!(r#"{{"model":"m","messages":[{message}]}}"#);
    let part = |part: &str| message(&format!(r#"{{"role":"user","content":[{part}]}}"#));
    let long = "a".repeat(2000);
    for body in [
        format!(r#"{{"model":"m",{HI},"SECRET":null}}"#),
        part(r#"{"type":"text","text":"data:x SECRET"}"#),
        part(&format!(r#"{{"type":"text","text":"SECRET{long}"}}"#)),
        part(r#"{"type":"image_url","image_url":{"url":"data:image/svg+xml,SECRET"}}"#),
        part(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA SECRET"}}"#),
        part(r#"{"type":"image_url","image_url":{"url":"data:SECRET x;base64,AAAA"}}"#),
        part(r#"{"type":"SECRET","x":1}"#),
        part(r#"{"type":"text","text":"x","SECRET":1}"#),
        message(r#"{"role":"assistant","tool_calls":[{"id":"a","SECRET":1}]}"#),
        message(r#"{"role":"assistant","function_call":{"name":"f","SECRET":"x"}}"#),
    ] {
        let outline = read(&body).unwrap();
        assert!(texts(&outline, &body).iter().any(|text| text.contains("SECRET")), "{body}");
        assert_eq!(outline.media_bytes, 0, "{body}");
    }
}

#[test]
fn long_numbers_are_read_but_those_of_the_dialect() {
    let hi = r#"{"role":"user","content":"hi"}"#;
    let call = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","n":7777771}]}"#;
    let part = r#"{"role":"user","phone":[7777772,5],"content":[{"type":"text","text":"a","x":7777773}]}"#;
    let body = format!(
        r#"{{"model":"m","seed":8888881,"max_tokens":8888882,"top_logprobs":8888883,"short":123456,"deep":{{"card":[1,7777774]}},
        "loose":7777775.0,"messages":[{hi},{call},{part}],"tools":[{{"type":"function","function":{{"name":"f","parameters":{{"maximum":7777776}}}}}}]}}"#
    );
    let outline = read(&body).unwrap();
    let found = |at: &std::ops::Range<usize>| body[at.clone()].to_owned();
    let numbers: Vec<_> = outline.numbers.iter().map(|n| (found(&n.label), found(&n.at))).collect();
    let expected = [
        ("card", "7777774"),
        ("loose", "7777775.0"),
        ("n", "7777771"),
        ("phone", "7777772"),
        ("x", "7777773"),
        ("maximum", "7777776"),
    ];
    assert_eq!(numbers, expected.map(|(label, number)| (format!("\"{label}\""), number.to_owned())));
}

#[test]
fn the_parts_of_a_message_are_one_text() {
    let text = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
    let image = r#"{"type":"image_url","image_url":{"url":"https://x"}}"#;
    let user = |parts: &[&str]| format!(r#"{{"role":"user","content":[{}]}}"#, parts.join(","));
    let (a, b, c) = (text("a"), text("b"), text("c"));
    let body = format!(
        r#"{{"model":"m","messages":[{},{},{}]}}"#,
        user(&[&a, image, &b]),
        user(&[&c]),
        user(&[&a, &b, &c])
    );
    let outline = read(&body).unwrap();
    let joined: Vec<Vec<&str>> =
        outline.joined.iter().map(|parts| parts.iter().map(|at| &body[at.clone()]).collect()).collect();
    assert_eq!(joined, [vec!["\"a\"", "\"b\""], vec!["\"a\"", "\"b\"", "\"c\""]]);
}

#[test]
fn usage_is_asked_for_in_the_right_place() {
    let usage = |options: &str| read(&format!(r#"{{"model":"m",{HI}{options}}}"#)).unwrap().usage;
    assert_eq!(usage(""), UsageOption::Absent(1));
    assert_eq!(usage(r#","stream_options":{"include_usage":true}"#), UsageOption::Asked);
    assert!(matches!(usage(r#","stream_options":null"#), UsageOption::Instead(_, Written::Options)));
    assert!(matches!(usage(r#","stream_options":{}"#), UsageOption::Instead(_, Written::Options)));
    assert!(matches!(
        usage(r#","stream_options":{"include_usage":false}"#),
        UsageOption::Instead(_, Written::Value)
    ));
    assert!(matches!(usage(r#","stream_options":{"x":1}"#), UsageOption::Beside(_)));
}

#[test]
fn wrong_types_are_refused_by_name() {
    for (body, field) in [
        ("[]".to_owned(), "-"),
        ("{}".to_owned(), "model"),
        (format!(r#"{{"model":7,{HI}}}"#), "model"),
        (format!(r#"{{"model":"",{HI}}}"#), "model"),
        (format!(r#"{{"model":"a\nb",{HI}}}"#), "model"),
        (r#"{"model":"m"}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":[]}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":"hi"}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":[7]}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":["hi"]}"#.to_owned(), "messages[0]"),
        (r#"{"model":"m","messages":[{"content":"hi"}]}"#.to_owned(), "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"robot","content":"hi"}]}"#.to_owned(), "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"user"}]}"#.to_owned(), "messages[0].content"),
        (r#"{"model":"m","messages":[{"role":"user","content":null}]}"#.to_owned(), "messages[0].content"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":7}]}"#
                .to_owned(),
            "messages[1].content",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":1}]}]}"#.to_owned(),
            "messages[0].content[0].text",
        ),
        (format!(r#"{{"model":"m",{HI},"stream":"yes"}}"#), "stream"),
        (format!(r#"{{"model":"m",{HI},"temperature":"hot"}}"#), "temperature"),
        (format!(r#"{{"model":"m",{HI},"stop":[1]}}"#), "stop"),
        (format!(r#"{{"model":"m",{HI},"tools":[{{"type":"function"}}]}}"#), "tools[0].function.name"),
        (format!(r#"{{"model":"m",{HI},"model":"n"}}"#), "model"),
    ] {
        assert_eq!(refused(&body), field, "{body}");
    }
}

#[test]
fn case_35_caps_of_every_kind() {
    for bad in ["-1", "0", "1.5", "1e3", "9223372036854775808", "18446744073709551616", "\"7\"", "[]", "true"]
    {
        for field in ["max_tokens", "max_completion_tokens"] {
            assert_eq!(refused(&format!(r#"{{"model":"m",{HI},"{field}":{bad}}}"#)), field, "{bad}");
        }
    }
    assert_eq!(read(&format!(r#"{{"model":"m",{HI},"max_tokens":null}}"#)).unwrap().max_tokens, None);
}

#[test]
fn case_36_answers_are_counted_and_bounded() {
    assert_eq!(read(&format!(r#"{{"model":"m",{HI},"n":128}}"#)).unwrap().answers, 128);
    assert_eq!(read(&format!(r#"{{"model":"m",{HI},"best_of":9}}"#)).unwrap().answers, 9);
    for bad in ["0", "129", "-1", "1.0"] {
        assert_eq!(refused(&format!(r#"{{"model":"m",{HI},"n":{bad}}}"#)), "n");
    }
}

#[test]
fn embeddings_take_texts_or_numbers() {
    let read = |input: &str| {
        let body = format!(r#"{{"model":"m","input":{input}}}"#);
        Outline::read(&mut Tape::default(), body.as_bytes(), Operation::Embed)
    };
    assert_eq!(read(r#""hi""#).unwrap().texts.len(), 1);
    assert_eq!(read(r#"["a","b"]"#).unwrap().texts.len(), 2);
    assert_eq!(read("[1,2,3]").unwrap().token_numbers, 3);
    assert_eq!(read("[[1,2],[3]]").unwrap().token_numbers, 3);
    let huge = format!("[{}\"a\"]", "\"a\",".repeat(2048));
    for bad in ["null", "\"\"", "[]", "[\"a\",1]", "[\"\"]", "[[]]", "[{}]", "{}", "7", huge.as_str()] {
        assert!(read(bad).unwrap_err().field().unwrap().starts_with("input"), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_body_is_read_without_panic_and_its_spans_are_strings(body in ".{0,120}") {
        drop(read(&body));
    }

    #[test]
    fn every_text_is_found_where_it_stands(text in "\\PC{1,40}", extra in "[a-z]{3,9}") {
        let text = format!("{text}{extra}");
        let quoted = serde_json::to_string(&text).unwrap();
        let body = format!(
            r#"{{"zz_{extra}":[{quoted}],"messages":[{{"content":{quoted},"role":"user","x":{{"y":{quoted}}}}}],"model":"m"}}"#
        );
        let outline = read(&body).unwrap();
        let found: Vec<String> =
            outline.texts.iter().filter_map(|at| serde_json::from_str(&body[at.clone()]).ok()).collect();
        prop_assert_eq!(found.iter().filter(|found| **found == text).count(), 3);
    }
}

#[test]
fn a_field_that_only_looks_like_the_dialects_is_refused() {
    for field in [
        "MODEL",
        "Model",
        "model ",
        "maxTokens",
        "Messages",
        "Tools",
        "WEB_SEARCH_OPTIONS",
        "webSearchOptions",
    ] {
        let body = format!(r#"{{"model":"m",{HI},"{field}":["x"]}}"#);
        assert_eq!(refused(&body), field, "{body}");
    }
    for field in ["models_of", "tool", "n_gram", "frequency", "seed"] {
        assert!(read(&format!(r#"{{"model":"m",{HI},"{field}":1}}"#)).is_ok(), "{field}");
    }
}

#[test]
fn what_else_is_in_a_callers_own_tool_is_the_vendors() {
    let body = format!(
        r#"{{"model":"m",{HI},"tools":[{{"type":"function","function":{{"name":"f"}},"google_search":{{}},"cache_control":{{}}}}],
            "models":["n"],"route":null}}"#
    );
    assert_eq!(read(&body).unwrap().egress_tools, ["google_search", "routing"]);
}

#[test]
fn kinds_of_tools_are_bounded() {
    let tools = |n: usize| (0..n).map(|n| format!(r#"{{"type":"t{n}"}}"#)).collect::<Vec<_>>().join(",");
    let body = |n| format!(r#"{{"model":"m",{HI},"tools":[{}]}}"#, tools(n));
    assert_eq!(read(&body(64)).unwrap().egress_tools.len(), 64);
    assert_eq!(refused(&body(60_000)), "tools[64]");
}
