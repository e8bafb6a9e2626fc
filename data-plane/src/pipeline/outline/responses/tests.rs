//! What bodies of the Responses API are understood as. Items and parts are those of OpenAI's reference, "Create a model response".

use crate::dialect::field::BodyFault;
use crate::pipeline::outline::Outline;
use crate::tape::Tape;

fn read(body: &str) -> Result<Outline, BodyFault> {
    Outline::of_responses(&mut Tape::default(), body.as_bytes())
}

fn texts<'b>(outline: &Outline, body: &'b str) -> Vec<&'b str> {
    outline.texts.iter().map(|at| body[at.clone()].trim_matches('"')).collect()
}

#[test]
fn every_text_of_a_request_is_read_and_structure_is_not() {
    let body = r#"{"model":"gpt","stream":true,"instructions":"be brief","max_output_tokens":9,"user":"u-1","metadata":{"k":"v"},
        "include":["reasoning.encrypted_content"],"reasoning":{"effort":"low","summary":"auto"},
        "text":{"format":{"type":"json_schema","name":"place","schema":{"type":"object","properties":{"x":{"description":"says where"}}}}},
        "tools":[{"type":"function","name":"find","description":"finds a user","parameters":{"type":"object"}}],
        "input":[{"role":"system","content":"stay calm"},
          {"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},
            {"type":"input_file","filename":"cv.txt","file_data":"data:text/plain;base64,aGk="}]},
          {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a thought"}],"encrypted_content":"gAAAAABpgICAgP__-_w=="},
          {"type":"function_call","id":"fc_1","call_id":"c1","name":"find","arguments":"{\"q\":1}"},
          {"type":"function_call_output","call_id":"c1","output":"found"},
          {"type":"custom_tool_call","call_id":"c2","name":"sh","input":"ls"},
          {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"a file"}]},
          {"type":"computer_call_output","call_id":"c3","output":{"type":"computer_screenshot","image_url":"https://x.example/s.png"}},
          {"type":"web_search_call","action":{"type":"search","query":"who"}},
          {"type":"mcp_call","server_label":"s","name":"n","arguments":"{}","output":"told"},
          {"type":"message","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[{"type":"url_citation","url":"https://y.example"}]}]},
          {"type":"new_item","new_field":{"deep":["leaf"]}}],
        "another":{"x":"y"}}"#;
    let outline = read(body).unwrap();
    assert!(outline.stream && outline.max_tokens == Some(9) && outline.shows_usage());
    assert_eq!((outline.model.as_str(), &body[outline.model_at.clone()]), ("gpt", "\"gpt\""));
    assert_eq!(outline.unknown_fields, ["another"]);
    assert!(outline.egress_tools.is_empty());
    let texts = texts(&outline, body);
    for text in [
        "be brief",
        "u-1",
        "v",
        "says where",
        "finds a user",
        "stay calm",
        "look",
        "cv.txt",
        "a thought",
        r#"{\"q\":1}"#,
        "found",
        "ls",
        "a file",
        "who",
        "told",
        "hello",
        "https://x.example/s.png",
        "https://y.example",
        "new_field",
        "leaf",
        "y",
    ] {
        assert!(texts.contains(&text), "{text} in {texts:?}");
    }
    for structure in ["gpt", "input_text", "user", "assistant", "gAAAAABpgICAgP__-_w=="] {
        assert!(!texts.contains(&structure), "{structure}");
    }
    assert_eq!(outline.sealed_bytes, "gAAAAABpgICAgP__-_w==".len());
    let embedded: Vec<_> = outline.embedded.iter().map(|embedded| embedded.medium).collect();
    assert_eq!((embedded, outline.elsewhere.clone()), (vec!["image", "file"], vec!["image"]));
    let stated = outline.stated.as_ref().unwrap();
    let repeated: Vec<_> = stated.repeated.iter().map(|(name, at)| (*name, &body[at.clone()])).collect();
    assert!(repeated.contains(&("instructions", "\"be brief\"")) && repeated.contains(&("model", "\"gpt\"")));
    assert_eq!((stated.store.clone(), stated.stores), (1..1, false));
}

#[test]
fn what_one_says_in_a_row_is_read_as_one() {
    let body = r#"{"model":"m","instructions":"4111 1111","input":[{"role":"system","content":"1111 1111"},
        {"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},{"role":"user","content":"c"},
        {"type":"function_call","call_id":"x","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"x","output":"d"},{"type":"function_call_output","call_id":"y","output":"e"}]}"#;
    let outline = read(body).unwrap();
    let joined: Vec<Vec<_>> = outline
        .joined
        .iter()
        .map(|texts| texts.iter().map(|at| body[at.clone()].trim_matches('"')).collect())
        .collect();
    assert_eq!(joined, [vec!["4111 1111", "1111 1111"], vec!["a", "b", "c"], vec!["d", "e"]]);
    let plain = read(r#"{"model":"m","input":"hi","instructions":"x"}"#).unwrap();
    assert!(plain.joined.is_empty(), "two say one thing each");
}

#[test]
fn tools_of_a_vendor_are_told_from_the_callers_own() {
    for (with, expected) in [
        (r#""tools":[{"type":"function","name":"f","strict":true},{"type":"custom","name":"c"}]"#, &[][..]),
        (r#""tools":[{"type":"web_search"},{"type":"file_search"}]"#, &["web_search", "file_search"]),
        (r#""tools":[{"type":"mcp","server_label":"s","authorization":"t"}]"#, &["mcp"]),
        (r#""tools":[{"type":"image_generation"}]"#, &["image_generation"]),
        (r#""tools":[{"type":"computer_use_preview"}]"#, &["computer_use_preview"]),
        (r#""tools":[{"type":"code_interpreter","container":{"type":"auto"}}]"#, &["code_interpreter"]),
        (r#""tool_choice":{"type":"mcp","server_label":"s"}"#, &["mcp"]),
        (r#""tool_choice":"required""#, &[]),
        (r#""tools":[{"type":"function","name":"$web_search"}]"#, &["web_search"]),
    ] {
        let body = format!(r#"{{"model":"m","input":"hi",{with}}}"#);
        assert_eq!(read(&body).unwrap().egress_tools, expected, "{with}");
    }
    let drawn = read(r#"{"model":"m","input":"hi","tools":[{"type":"image_generation"}]}"#).unwrap();
    assert_eq!(drawn.elsewhere, ["image"], "what is drawn is not looked into");
}

#[test]
fn tools_in_items_are_those_of_the_body() {
    for (item, expected) in [
        (
            r#"{"type":"additional_tools","role":"developer","tools":[{"type":"mcp","server_label":"x","server_url":"https://evil.example"},{"type":"web_search"}]}"#,
            &["mcp", "web_search"][..],
        ),
        (r#"{"type":"tool_search_output","call_id":null,"tools":[{"type":"web_search"}]}"#, &["web_search"]),
        (
            r#"{"type":"tool_search_output","tools":[{"type":"function","name":"f","defer_loading":true,"parameters":{"type":"object"}}]}"#,
            &[],
        ),
        (
            r#"{"type":"mcp_list_tools","server_label":"s","tools":[{"name":"f","input_schema":{"type":"object"}}]}"#,
            &[],
        ),
        (r#"{"role":"user","content":"hi","tools":[{"type":"file_search"}]}"#, &["file_search"]),
        (
            r#"{"role":"user","content":[{"type":"input_text","text":"hi","tools":[{"type":"file_search"}]}]}"#,
            &["file_search"],
        ),
        (r#"{"type":"new","deep":{"tools":[{"type":"image_generation"}]}}"#, &["image_generation"]),
        (r#"{"type":"new","functions":[{"type":"code_interpreter","name":"c"}]}"#, &["code_interpreter"]),
    ] {
        let body = format!(r#"{{"model":"m","input":[{item},{{"role":"user","content":"hi"}}]}}"#);
        let outline = read(&body).unwrap();
        assert_eq!(outline.egress_tools, expected, "{item}");
        let drawn = if expected == ["image_generation"] { &["image"][..] } else { &[] };
        assert_eq!(outline.elsewhere, drawn, "{item}");
    }
    let body = r#"{"model":"m","input":[{"type":"additional_tools","tools":[{"type":"mcp","server_url":"https://evil.example","authorization":"tok"}]}]}"#;
    let outline = read(body).unwrap();
    let texts = texts(&outline, body);
    assert!(texts.contains(&"https://evil.example") && texts.contains(&"tok"), "{texts:?}");
}

#[test]
fn what_is_wrong_is_named() {
    for (body, field) in [
        (r#"[]"#, "-"),
        (r#"{"input":"hi"}"#, "model"),
        (r#"{"model":"m"}"#, "input"),
        (r#"{"model":"m","input":[]}"#, "input"),
        (r#"{"model":"m","input":[1]}"#, "input"),
        (r#"{"model":"m","input":["x"]}"#, "input[0]"),
        (r#"{"model":"m","input":[{"content":"x"}]}"#, "input[0].role"),
        (r#"{"model":"m","input":[{"role":"tool","content":"x"}]}"#, "input[0].role"),
        (r#"{"model":"m","input":[{"type":7}]}"#, "input[0].type"),
        (r#"{"model":"m","input":[{"role":"user","content":[{"text":"x"}]}]}"#, "input[0].content[0].type"),
        (r#"{"model":"m","input":[{"role":"user","content":7}]}"#, "input[0].content"),
        (r#"{"model":"m","input":"x","store":"no"}"#, "store"),
        (r#"{"model":"m","input":"x","temperature":3}"#, "temperature"),
        (r#"{"model":"m","input":"x","max_output_tokens":0}"#, "max_output_tokens"),
        (r#"{"model":"m","input":"x","text":"json"}"#, "text"),
        (r#"{"model":"m","input":"x","tools":[{"type":"function"}]}"#, "tools[0].name"),
        (r#"{"model":"m","input":"x","Tools":[]}"#, "Tools"),
        (r#"{"model":"m","input":"x","n":128}"#, "n"),
        (r#"{"model":"m","input":"x","N":128}"#, "N"),
        (r#"{"model":"m","input":"x","best_of":128}"#, "best_of"),
        (r#"{"model":"m","input":"x","max_tokens":9}"#, "max_tokens"),
        (r#"{"model":"m","input":"x","max_completion_tokens":9}"#, "max_completion_tokens"),
        (r#"{"model":"m","input":"x","functions":[]}"#, "functions"),
        (r#"{"model":"m","input":"x","messages":[]}"#, "messages"),
        (r#"{"model":"m","input":[{"type":"x","functions":[1]}]}"#, "input[0].functions"),
    ] {
        assert_eq!(read(body).unwrap_err().field().unwrap_or("-"), field, "{body}");
    }
}

#[test]
fn what_anybody_can_read_is_not_sealed_whatever_it_is_called() {
    for (sealed, texts, embedded) in
        [("bob@example.org", 1, 0), ("Ym9iQGV4YW1wbGUub3JnIHdyaXRlcyB0aGlzIGRvd24=", 0, 1)]
    {
        let body =
            format!(r#"{{"model":"m","input":[{{"type":"reasoning","encrypted_content":"{sealed}"}}]}}"#);
        let outline = read(&body).unwrap();
        assert_eq!(
            (outline.texts.len(), outline.embedded.len(), outline.sealed_bytes),
            (texts, embedded, 0),
            "{sealed}"
        );
    }
}
