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
    let textual = outline.embedded.iter().filter(|embedded| embedded.textual).map(|embedded| &embedded.at);
    outline.texts.iter().chain(textual).map(|at| body[at.clone()].trim_matches('"')).collect()
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
        (r#""tool_choice":"none","function_call":"auto""#.into(), &[]),
        (r#""tool_choice":"web_search""#.into(), &["web_search"]),
        (r#""tool_choice":{"type":"function","function":{"name":"$web_search"}}"#.into(), &["web_search"]),
        (
            r#""tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[
                {"type":"function","function":{"name":"f"}},{"type":"mcp"}]}}"#
                .into(),
            &["mcp"],
        ),
        (r#""function_call":{"name":"f"},"functions":[{"name":"f"}]"#.into(), &[]),
        (r#""function_call":{"name":"$web_search"}"#.into(), &["web_search"]),
        (r#""functions":[{"type":"web_search"},{"name":"$code_runner"}]"#.into(), &["web_search", "code_runner"]),
        (r#""functions":[{"name":"f","google_search":{}}],"functions_x":1"#.into(), &["google_search"]),
        (
            r#""tools":[{"type":"builtin_function","function":{"name":"$web_search"}}]"#.into(),
            &["builtin_function", "web_search"],
        ),
        (r#""tools":[{"type":"function","function":{"name":"$web_search"}}]"#.into(), &["web_search"]),
        (
            r#""tools":[{"type":"web_search","x":{"tools":[{"type":"mcp","tools":[{"type":"code_interpreter"}]}]}}]"#
                .into(),
            &["web_search", "mcp", "code_interpreter"],
        ),
        (
            r#""tools":[{"type":"function","function":{"name":"f","parameters":{"tools":[{"type":"x"}]}}}]"#.into(),
            &[],
        ),
        (r#""tools":[{"type":"web_search","filters":[{"type":"and"}]}]"#.into(), &["web_search"]),
        (
            r#""compound_custom":{"tools":{"enabled_tools":["web_search","visit_website"]}}"#.into(),
            &["compound_custom", "web_search", "visit_website"],
        ),
        (r#""return_citations":true,"search_domain_filter":["x"]"#.into(), &["web_search"]),
        (r#""attachments":[{"tools":[{"type":"file_search"}]}]"#.into(), &["attachments", "file_search"]),
    ] {
        let outline = read(&format!(r#"{{"model":"m",{HI},{with}}}"#)).unwrap();
        assert_eq!(outline.egress_tools, expected, "{with}");
    }
    for (with, expected) in [
        (r#""tools":[{"type":"web_search"}]"#, &["web_search"][..]),
        (r#""tools":[{"type":"function","function":{"name":"f"}}],"functions":null"#, &[]),
        (r#""functions":[{"name":"$web_search"}]"#, &["web_search"]),
        (r#""mcp_servers":[{}],"plugins":false,"attachments":null"#, &["mcp"]),
        (r#""web_searc\u0068":{}"#, &["web_search"]),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi",{with}}}]}}"#);
        assert_eq!(read(&body).unwrap().egress_tools, expected, "{with}");
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
fn media_is_set_apart_by_where_it_stands_and_named_by_its_part() {
    let long = "A".repeat(2000);
    let embedded = |part: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let outline = read(&body).unwrap();
        let found = outline.embedded.iter().map(|embedded| {
            (embedded.medium, embedded.textual, body[embedded.at.clone()].trim_matches('"').len())
        });
        (found.collect::<Vec<_>>(), outline.elsewhere)
    };
    let file = |data: &str| embedded(&format!(r#"{{"type":"file","file":{{"file_data":"{data}"}}}}"#));
    let image = |url: &str| embedded(&format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#));
    assert_eq!(file("data:application/pdf;base64,AAAA"), (vec![("file", false, 32)], vec![]));
    assert_eq!(file("data:text/plain;charset=x,y;BASE64,AAAA"), (vec![("file", true, 39)], vec![]));
    assert_eq!(file("AAAA"), (vec![("file", true, 4)], vec![]));
    assert_eq!(file("a word"), (vec![], vec![]));
    assert_eq!(image(r"data:image\/png;base64,\/AAA").0, [("image", false, 28)]);
    assert_eq!(image(&long).0, [("image", false, 2000)]);
    assert_eq!(image("AAAA"), (vec![], vec![]));
    assert_eq!(image("https://example.org/a.png"), (vec![], vec!["image"]));
    assert_eq!(embedded(r#"{"type":"file","file":{"file_id":"f-1"}}"#), (vec![], vec!["file"]));
    let other = r#"{"type":"document","source":{"data":"AAAA","media_type":"application/pdf"}}"#;
    assert_eq!(embedded(other).0, [("other", true, 4)]);
    assert_eq!(embedded(r#"{"type":"text","text":"data:image/png;base64,AAAA"}"#), (vec![], vec![]));
}

#[test]
fn long_numbers_are_read_but_those_of_the_dialect() {
    let hi = r#"{"role":"user","content":"hi"}"#;
    let call = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","n":7777771}]}"#;
    let part = r#"{"role":"user","phone":[7777772,5],"content":[{"type":"text","text":"a","x":7777773}]}"#;
    let body = format!(
        r#"{{"model":"m","seed":8888881,"max_tokens":8888882,"max_completion_tokens":8888883,"short":123456,"deep":{{"card":[1,7777774]}},
        "loose":7777775.0,"messages":[{hi},{call},{part}],"tools":[{{"type":"function","function":{{"name":"f","parameters":{{"default":7777776}}}}}}]}}"#
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
        ("default", "7777776"),
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
    assert_eq!(joined(&outline, &body), ["abcabc"]);
}

/// What is read as one, put together.
fn joined(outline: &Outline, body: &str) -> Vec<String> {
    let text = |at: &std::ops::Range<usize>| body[at.clone()].trim_matches('"').to_owned();
    outline.joined.iter().map(|parts| parts.iter().map(text).collect()).collect()
}

#[test]
fn what_a_reader_takes_for_one_text_is_read_as_one() {
    let of = |role: &str, content: &str| format!(r#"{{"role":"{role}","content":{content}}}"#);
    let parts = r#"[{"type":"text","text":"a"},{"type":"refusal","refusal":"b"},{"type":"input_text","text":"c","tags":["d","e"]}]"#;
    for (messages, more, expected) in [
        (of("user", parts), "", &["de", "abc"][..]),
        ([of("user", r#""a""#), of("user", r#""b""#), of("assistant", r#""c""#)].join(","), "", &["ab"]),
        ([of("user", r#""a""#), of("tool", r#""b""#), of("user", r#""c""#)].join(","), "", &[]),
        ([of("tool", r#""a""#), of("tool", r#"[{"type":"text","text":"b"}]"#)].join(","), "", &["ab"]),
        (r#"{"role":"assistant","refusal":"b","content":"a"}"#.to_owned(), "", &["ba"]),
        (
            r#"{"role":"user","content":"a","x":[["b","c"],[{"text":"d"},7,{"text":"e"}]]}"#.to_owned(),
            "",
            &["bc", "de"],
        ),
        (
            of("user", r#""a""#),
            r#","prediction":{"type":"content","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]},"stop":["d","e"],"y":["f"]"#,
            &["bc", "de"],
        ),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{messages}]{more}}}"#);
        let outline = read(&body).unwrap();
        assert_eq!(joined(&outline, &body), expected, "{body}");
        let known = |at: &std::ops::Range<usize>| outline.texts.contains(at);
        assert!(outline.joined.iter().flatten().all(known), "{body}");
    }
    let body = r#"{"model":"m","input":["a","b"],"x":["c","d"]}"#;
    let outline = Outline::read(&mut Tape::default(), body.as_bytes(), Operation::Embed).unwrap();
    assert_eq!(joined(&outline, body), ["ab", "cd"]);
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
        (format!(r#"{{"model":"m",{HI},"functions":{{}}}}"#), "functions"),
        (format!(r#"{{"model":"m",{HI},"functions":["f"]}}"#), "functions[0]"),
        (format!(r#"{{"model":"m",{HI},"tool_choice":7}}"#), "tool_choice"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"hi","tools":[{}]}]}"#.to_owned(),
            "messages[0].tools[0].type",
        ),
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
fn numbers_of_the_dialect_are_within_their_bounds() {
    for (field, good, bad) in [
        (
            "temperature",
            &["0", "2", "2.0", "1e0", "null"][..],
            &["-0.1", "2.1", "1e400", "true", "[]", "\"1\""][..],
        ),
        ("top_p", &["0", "1", "0.5"], &["1.01", "-1", "{}"]),
        ("presence_penalty", &["-2", "2"], &["-2.1", "3"]),
        ("frequency_penalty", &["-2", "2"], &["-2.1", "3"]),
        ("top_logprobs", &["0", "20", "null"], &["21", "-1", "1.5", "\"5\""]),
        (
            "seed",
            &["-7", "9223372036854775807", "null"],
            &["1.5", "1e3", "9223372036854775808", "\"7\"", "true"],
        ),
        (
            "logit_bias",
            &["null", "{}", "{\"1\":-100,\"2\":100}"],
            &["[]", "{\"1\":101}", "{\"1\":null}", "{\"1\":\"2\"}"],
        ),
    ] {
        for value in good {
            let body = format!(r#"{{"model":"m",{HI},"{field}":{value}}}"#);
            assert!(read(&body).is_ok(), "{body}");
        }
        for value in bad {
            assert_eq!(refused(&format!(r#"{{"model":"m",{HI},"{field}":{value}}}"#)), field, "{value}");
        }
    }
}

#[test]
fn numbers_that_a_schema_must_have_stay_and_those_it_gives_as_data_are_read() {
    let schema = r#"{"type":"object","maxProperties":5550001,"properties":{
        "maximum":5551001,
        "n":{"type":"integer","minimum":5550002,"maximum":5550003,"multipleOf":5550004,"default":5551002},
        "s":{"type":"string","minLength":5550005,"const":5551003,"enum":["x",5551004]},
        "a":{"items":[{"exclusiveMaximum":5550006}],"examples":[{"maximum":5551005}],"maxItems":{"x":5551006}}},
        "allOf":[{"minItems":5550007},{"not":{"minContains":5550008}}],"anyOf":[5551007],
        "$defs":{"d":{"maxLength":5550009}},"x-order":5551008}"#;
    let numbers = |with: String| {
        let body = format!(r#"{{"model":"m",{HI},{with}}}"#);
        let outline = read(&body).unwrap();
        outline.numbers.iter().map(|n| body[n.at.clone()].to_owned()).collect::<Vec<_>>()
    };
    let data: Vec<String> = (5551001..=5551008).map(|n: u32| n.to_string()).collect();
    for with in [
        format!(r#""tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]"#),
        format!(r#""functions":[{{"name":"f","parameters":{schema}}}]"#),
        format!(
            r#""response_format":{{"type":"json_schema","json_schema":{{"name":"s","schema":{schema}}}}}"#
        ),
        format!(r#""response_format":{{"type":"json_object","schema":{schema}}}"#),
    ] {
        assert_eq!(numbers(with.clone()), data, "{with}");
    }
    for with in [
        r#""metadata":{"maximum":5551001}"#,
        r#""schema":{"maximum":5551001}"#,
        r#""tools":[{"type":"function","function":{"name":"f","maximum":5551001}}]"#,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":5551001}}]"#,
        r#""tools":[{"type":"mcp","function":{"parameters":[5551001]}}]"#,
        r#""response_format":{"json_schema":5551001}"#,
    ] {
        assert_eq!(numbers(with.to_owned()), ["5551001"], "{with}");
    }
}

#[test]
fn fields_outside_the_published_schema_are_noted_by_name() {
    let unknown = |with: &str| read(&format!(r#"{{"model":"m",{HI}{with}}}"#)).unwrap().unknown_fields;
    assert_eq!(unknown(r#","seed":7,"moderation":{},"function_call":"none","n":1,"stream":false"#), [""; 0]);
    assert_eq!(unknown(r#","best_of":2,"seed":7,"transforms":null"#), ["best_of", "transforms"]);
    assert_eq!(unknown(&format!(r#","{}":1"#, "ß".repeat(70))), ["ß".repeat(64)]);
    let many: String = (0..1000).map(|n| format!(r#","x{n}":1"#)).collect();
    assert_eq!(unknown(&many).len(), 8);
    let body = br#"{"model":"m","input":"hi","user":"u","input_type":"query","truncate":true}"#;
    let outline = Outline::read(&mut Tape::default(), body, Operation::Embed).unwrap();
    assert_eq!(outline.unknown_fields, ["input_type", "truncate"]);
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
