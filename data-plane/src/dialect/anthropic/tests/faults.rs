//! What is of another type is refused, by the path of its field.

use super::super::super::field::BodyFault;
use super::super::read::read;

/// A body with a member in place of what is right there.
fn with(name: &str, value: &str) -> String {
    let right = [("model", "\"m\""), ("max_tokens", "9"), ("messages", r#"[{"role":"user","content":"a"}]"#)];
    let mut members: Vec<String> = right
        .iter()
        .filter(|(right, _)| *right != name)
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    members.push(format!("\"{name}\":{value}"));
    format!("{{{}}}", members.join(","))
}

fn fault(body: &str) -> BodyFault {
    read(body.as_bytes()).expect_err(body)
}

#[test]
fn what_is_right_is_read() {
    assert!(read(with("system", "\"a\"").as_bytes()).is_ok());
    assert!(read(with("system", "null").as_bytes()).is_ok());
}

#[test]
fn what_must_be_there_is_missed_by_its_path() {
    for (name, value, path) in [
        ("model", "null", "model"),
        ("max_tokens", "null", "max_tokens"),
        ("messages", "null", "messages"),
        ("messages", "[{}]", "messages[0].role"),
        ("messages", r#"[{"role":"user"}]"#, "messages[0].content"),
        ("messages", r#"[{"role":"user","content":[{}]}]"#, "messages[0].content[0].type"),
        ("messages", r#"[{"role":"user","content":[{"type":"text"}]}]"#, "messages[0].content[0].text"),
        ("messages", r#"[{"role":"user","content":[{"type":"image"}]}]"#, "messages[0].content[0].source"),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":""}}]}]"#,
            "messages[0].content[0].source.media_type",
        ),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"document","source":{"type":"file"}}]}]"#,
            "messages[0].content[0].source.file_id",
        ),
        (
            "messages",
            r#"[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b"}]}]"#,
            "messages[0].content[0].input",
        ),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"tool_result"}]}]"#,
            "messages[0].content[0].tool_use_id",
        ),
        (
            "messages",
            r#"[{"role":"assistant","content":[{"type":"redacted_thinking"}]}]"#,
            "messages[0].content[0].data",
        ),
        ("tools", "[{}]", "tools[0].name"),
        ("tools", r#"[{"name":"a"}]"#, "tools[0].input_schema"),
        ("tool_choice", "{}", "tool_choice.type"),
        ("tool_choice", r#"{"type":"tool"}"#, "tool_choice.name"),
        ("thinking", r#"{"type":"enabled"}"#, "thinking.budget_tokens"),
        ("output_config", r#"{"format":{"type":"json_schema"}}"#, "output_config.format.schema"),
    ] {
        assert_eq!(fault(&with(name, value)), BodyFault::Missing(path.to_owned()), "{value}");
    }
}

#[test]
fn a_wrong_type_is_told_by_its_path() {
    for (name, value, path) in [
        ("model", "1", "model"),
        ("max_tokens", "0", "max_tokens"),
        ("max_tokens", "\"9\"", "max_tokens"),
        ("messages", "{}", "messages"),
        ("messages", "[1]", "messages"),
        ("messages", "[\"a\"]", "messages[0]"),
        ("messages", r#"[{"role":"tool","content":"a"}]"#, "messages[0].role"),
        ("messages", r#"[{"role":1,"content":"a"}]"#, "messages[0].role"),
        ("messages", r#"[{"role":"user","content":1}]"#, "messages[0].content"),
        ("messages", r#"[{"role":"user","content":[1]}]"#, "messages[0].content"),
        ("messages", r#"[{"role":"user","content":["a"]}]"#, "messages[0].content[0]"),
        ("messages", r#"[{"role":"user","content":[{"type":1}]}]"#, "messages[0].content[0].type"),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"text","text":1}]}]"#,
            "messages[0].content[0].text",
        ),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"text","text":"a","cache_control":1}]}]"#,
            "messages[0].content[0].cache_control",
        ),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"image","source":"a"}]}]"#,
            "messages[0].content[0].source",
        ),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"image","source":{"type":"url","url":1}}]}]"#,
            "messages[0].content[0].source.url",
        ),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"document","title":1,"source":{"type":"url","url":"a"}}]}]"#,
            "messages[0].content[0].title",
        ),
        (
            "messages",
            r#"[{"role":"assistant","content":[{"type":"tool_use","id":1,"name":"b","input":{}}]}]"#,
            "messages[0].content[0].id",
        ),
        (
            "messages",
            r#"[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":"{}"}]}]"#,
            "messages[0].content[0].input",
        ),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":1}]}]"#,
            "messages[0].content[0].is_error",
        ),
        (
            "messages",
            r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":1}]}]}]"#,
            "messages[0].content[0].content[0].text",
        ),
        (
            "messages",
            r#"[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":1}]}]"#,
            "messages[0].content[0].signature",
        ),
        ("system", "1", "system"),
        ("system", "[{\"type\":\"text\",\"text\":1}]", "system[0].text"),
        ("stream", "1", "stream"),
        ("temperature", "1.5", "temperature"),
        ("temperature", "\"1\"", "temperature"),
        ("top_p", "-1", "top_p"),
        ("top_k", "0.5", "top_k"),
        ("stop_sequences", "\"a\"", "stop_sequences"),
        ("stop_sequences", "[1]", "stop_sequences"),
        ("tools", "{}", "tools"),
        ("tools", "[1]", "tools"),
        ("tools", r#"[{"name":1}]"#, "tools[0].name"),
        ("tools", r#"[{"name":"a","input_schema":"b"}]"#, "tools[0].input_schema"),
        ("tools", r#"[{"name":"a","input_schema":{},"description":1}]"#, "tools[0].description"),
        ("tools", r#"[{"name":"a","input_schema":{},"strict":1}]"#, "tools[0].strict"),
        ("tool_choice", "\"auto\"", "tool_choice"),
        ("tool_choice", r#"{"type":"required"}"#, "tool_choice.type"),
        (
            "tool_choice",
            r#"{"type":"auto","disable_parallel_tool_use":1}"#,
            "tool_choice.disable_parallel_tool_use",
        ),
        ("thinking", "true", "thinking"),
        ("thinking", r#"{"type":"on"}"#, "thinking.type"),
        ("thinking", r#"{"type":"enabled","budget_tokens":"9"}"#, "thinking.budget_tokens"),
        ("output_config", "1", "output_config"),
        ("output_config", r#"{"effort":1}"#, "output_config.effort"),
        ("output_config", r#"{"format":"json"}"#, "output_config.format"),
        ("output_config", r#"{"format":{"type":"json"}}"#, "output_config.format.type"),
        ("output_format", r#"{"type":"json_schema","schema":1}"#, "output_format.schema"),
        ("metadata", "1", "metadata"),
        ("metadata", r#"{"user_id":1}"#, "metadata.user_id"),
        ("n", "2", "n"),
        ("stop", "\"a\"", "stop"),
        ("response_format", "{}", "response_format"),
        ("reasoning_effort", "\"low\"", "reasoning_effort"),
        ("thinking.display", "1", "thinking.display"),
    ] {
        let fault = fault(&with(name, value));
        assert!(matches!(fault, BodyFault::Invalid { .. }), "{value}: {fault}");
        assert_eq!(fault.field(), Some(path), "{value}: {fault}");
    }
}

#[test]
fn what_is_no_object_is_no_request() {
    for body in ["[]", "1", "\"a\""] {
        assert_eq!(fault(body), BodyFault::wrong("", "an object"));
    }
    assert!(matches!(fault(r#"{"model":"a","model":"b"}"#), BodyFault::Malformed { .. }));
    assert!(matches!(fault("{"), BodyFault::Malformed { .. }));
}
