//! What is refused, and by which field.

use super::super::{Api, read, write};
use crate::dialect::openai;

/// A body with one thing wrong, and the path of the field.
#[test]
fn every_wrong_type_is_a_fault_of_its_field() {
    let said = r#""contents":[{"parts":[{"text":"a"}]}]"#;
    let part = |part: &str| format!(r#"{{"contents":[{{"parts":[{part}]}}]}}"#);
    let beside = |member: &str| format!("{{{said},{member}}}");
    let config = |member: &str| beside(&format!(r#""generationConfig":{{{member}}}"#));
    let cases = [
        ("[]".to_owned(), ""),
        ("{}".to_owned(), "contents"),
        (r#"{"contents":[]}"#.to_owned(), "contents"),
        (r#"{"contents":"a"}"#.to_owned(), "contents"),
        (r#"{"contents":[1]}"#.to_owned(), "contents"),
        (r#"{"contents":[{}]}"#.to_owned(), "contents[0].parts"),
        (r#"{"contents":[{"parts":{}}]}"#.to_owned(), "contents[0].parts"),
        (r#"{"contents":[{"role":"system","parts":[]}]}"#.to_owned(), "contents[0].role"),
        (r#"{"contents":[{"role":1,"parts":[]}]}"#.to_owned(), "contents[0].role"),
        (part("{}"), "contents[0].parts[0].text"),
        (part("1"), "contents[0].parts"),
        (part(r#"{"text":1}"#), "contents[0].parts[0].text"),
        (part(r#"{"text":"a","thought":"yes"}"#), "contents[0].parts[0].thought"),
        (part(r#"{"text":"a","thoughtSignature":1}"#), "contents[0].parts[0].thoughtSignature"),
        (part(r#"{"inlineData":{"data":"a"}}"#), "contents[0].parts[0].inlineData.mimeType"),
        (part(r#"{"inlineData":{"mimeType":"image/png"}}"#), "contents[0].parts[0].inlineData.data"),
        (part(r#"{"inlineData":[]}"#), "contents[0].parts[0].inlineData"),
        (part(r#"{"inline_data":{"mime_type":1,"data":"a"}}"#), "contents[0].parts[0].inlineData.mimeType"),
        (
            part(r#"{"inlineData":{"mimeType":"a","mime_type":"a","data":"a"}}"#),
            "contents[0].parts[0].inlineData.mimeType",
        ),
        (part(r#"{"fileData":{"mimeType":"image/png"}}"#), "contents[0].parts[0].fileData.fileUri"),
        (part(r#"{"functionCall":{"args":{}}}"#), "contents[0].parts[0].functionCall.name"),
        (part(r#"{"functionCall":{"name":"f","args":[]}}"#), "contents[0].parts[0].functionCall.args"),
        (part(r#"{"functionCall":{"name":"f","id":1}}"#), "contents[0].parts[0].functionCall.id"),
        (part(r#"{"functionResponse":{"name":"f"}}"#), "contents[0].parts[0].functionResponse.response"),
        (
            part(r#"{"functionResponse":{"name":"f","response":"x"}}"#),
            "contents[0].parts[0].functionResponse.response",
        ),
        (
            part(r#"{"functionResponse":{"name":"f","response":{},"parts":[{"text":1}]}}"#),
            "contents[0].parts[0].functionResponse.parts[0].text",
        ),
        (part(r#"{"other":1,"type":"x"}"#), "contents[0].parts[0].type"),
        (beside(r#""systemInstruction":"be brief""#), "systemInstruction"),
        (beside(r#""systemInstruction":{"parts":[]}"#), "systemInstruction.parts"),
        (
            beside(r#""systemInstruction":{"parts":[{"inlineData":{}}]}"#),
            "systemInstruction.parts[0].inlineData",
        ),
        (beside(r#""generationConfig":1"#), "generationConfig"),
        (config(r#""temperature":"hot""#), "generationConfig.temperature"),
        (config(r#""topK":1.5"#), "generationConfig.topK"),
        (config(r#""seed":1.5"#), "generationConfig.seed"),
        (config(r#""candidateCount":0"#), "generationConfig.candidateCount"),
        (config(r#""maxOutputTokens":"9""#), "generationConfig.maxOutputTokens"),
        (config(r#""stopSequences":"a""#), "generationConfig.stopSequences"),
        (config(r#""stopSequences":["a",1]"#), "generationConfig.stopSequences"),
        (config(r#""responseMimeType":1"#), "generationConfig.responseMimeType"),
        (config(r#""responseSchema":"x""#), "generationConfig.responseSchema"),
        (config(r#""responseSchema":{},"responseJsonSchema":{}"#), "generationConfig.responseJsonSchema"),
        (config(r#""thinkingConfig":[]"#), "generationConfig.thinkingConfig"),
        (
            config(r#""thinkingConfig":{"thinkingBudget":-2}"#),
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        (
            config(r#""thinkingConfig":{"includeThoughts":1}"#),
            "generationConfig.thinkingConfig.includeThoughts",
        ),
        (
            config(r#""thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"LOW"}"#),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (beside(r#""tools":{}"#), "tools"),
        (beside(r#""tools":[{"functionDeclarations":{}}]"#), "tools[0].functionDeclarations"),
        (beside(r#""tools":[{"functionDeclarations":[{}]}]"#), "tools[0].functionDeclarations[0].name"),
        (
            beside(r#""tools":[{"functionDeclarations":[{"name":"f","parameters":[]}]}]"#),
            "tools[0].functionDeclarations[0].parameters",
        ),
        (
            beside(
                r#""tools":[{"functionDeclarations":[{"name":"f","parameters":{},"parametersJsonSchema":{}}]}]"#,
            ),
            "tools[0].functionDeclarations[0].parametersJsonSchema",
        ),
        (
            beside(r#""toolConfig":{"functionCallingConfig":{"mode":"SOMETIMES"}}"#),
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            beside(r#""toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["f"]}}"#),
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
        (
            beside(r#""toolConfig":{"functionCallingConfig":{"streamFunctionCallArguments":true}}"#),
            "toolConfig.functionCallingConfig.streamFunctionCallArguments",
        ),
        (beside(r#""safetySettings":{}"#), "safetySettings"),
        (beside(r#""cachedContent":1"#), "cachedContent"),
        (beside(r#""model":1"#), "model"),
        (
            beside(r#""system_instruction":{"parts":[{"text":"a"}]},"systemInstruction":{}"#),
            "systemInstruction",
        ),
    ];
    for (body, path) in cases {
        let fault = read::read("m", false, body.as_bytes()).expect_err(&body);
        assert_eq!(fault.field().unwrap_or_default(), path, "{body}: {fault}");
    }
}

#[test]
fn what_is_no_json_is_malformed() {
    for body in ["", "{", r#"{"contents":[],"contents":[]}"#, "{\"a\":\"\u{1}\"}"] {
        let fault = read::read("m", false, body.as_bytes()).expect_err(body);
        assert!(matches!(fault, crate::dialect::field::BodyFault::Malformed { .. }), "{body}: {fault}");
    }
}

/// A request of OpenAI's dialect that can't be told, and the path of the field.
#[test]
fn what_cant_be_told_a_vendor_is_unfit_by_its_field() {
    let user = r#"{"role":"user","content":"a"}"#;
    let beside = |member: &str| format!(r#"{{"model":"m","messages":[{user}],{member}}}"#);
    let said = |message: &str| format!(r#"{{"model":"m","messages":[{user},{message}]}}"#);
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let cases = [
        (beside(r#""logprobs":true"#), "logprobs"),
        (beside(r#""logit_bias":{"1":2}"#), "logit_bias"),
        (beside(r#""modalities":["text","audio"]"#), "modalities"),
        (beside(r#""audio":{"voice":"a"}"#), "audio"),
        (beside(r#""prediction":{"type":"content","content":"a"}"#), "prediction"),
        (beside(r#""functions":[{"name":"f"}]"#), "functions"),
        (beside(r#""web_search_options":{}"#), "web_search_options"),
        (beside(&format!(r#""parallel_tool_calls":false,{tool}"#)), "parallel_tool_calls"),
        (beside(r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#), "tools"),
        (beside(r#""tools":[{"type":"computer","computer":{},"x":1}]"#), "tools"),
        (beside(r#""tool_choice":{"type":"custom","custom":{"name":"f"}}"#), "tool_choice"),
        (said(r#"{"role":"assistant","content":"a","audio":{"id":"x"}}"#), "messages[1].audio"),
        (said(r#"{"role":"user","content":[{"type":"input_video","url":"a"}]}"#), "messages[1].content"),
        (said(r#"{"role":"function","name":"f","content":"a"}"#), "messages[1].content"),
        (said(r#"{"role":"tool","tool_call_id":"x","content":"a"}"#), "messages[1].tool_call_id"),
        (
            said(r#"{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}"#),
            "messages[1].content.file.file_id",
        ),
        (
            said(
                r#"{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://a/b.png"}}]}"#,
            ),
            "messages[1].content",
        ),
        (
            said(r#"{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{"}}]}"#),
            "messages[1].tool_calls",
        ),
    ];
    for (body, path) in cases {
        let chat = openai::read::read(body.as_bytes()).unwrap();
        assert_eq!(write::write(&chat, Api::Gemini).expect_err(&body).field, path, "{body}");
    }
    for body in [
        beside(r#""logprobs":false,"logit_bias":{},"modalities":["text"],"top_logprobs":0"#),
        beside(r#""parallel_tool_calls":false"#),
    ] {
        let chat = openai::read::read(body.as_bytes()).unwrap();
        assert_eq!(write::write(&chat, Api::Gemini).unwrap().left_out, Vec::<String>::new(), "{body}");
    }
}
