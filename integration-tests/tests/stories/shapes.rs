//! Personal data by the shape it is written in: within JSON in a text, cut over what is read as one, and in what is sent along.

use anyhow::{Context, Result};
use integration_tests::{
    door::{Ask, Attached, Door},
    scene::Scene,
    scripted::OpenAiLike,
};
use serde_json::{Value, json};

use crate::{answer, policy};

/// A tool's answer, or its arguments, as a serialiser that escapes everything beyond ASCII writes it.
const JSON: &str = r#"{"card": 4111111111111111, "to": "j\u00fcrgen\u0040example.org\nand bob@example.com", "n": [1, -378282246310005]}"#;

/// The same, masked and read.
fn masked() -> Value {
    json!({
        "card": "[CREDIT_DEBIT_CARD_NUMBER_1]", "to": "[EMAIL_1]\nand [EMAIL_2]",
        "n": [1, "[CREDIT_DEBIT_CARD_NUMBER_2]"],
    })
}

async fn json_in_a_text_is_masked_and_is_json_still(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    for (role, stream) in [("system", false), ("user", true)] {
        scene.answered(&Ask::chat("sim-story", "hello").after(role, JSON).streaming(stream)).await?;
        let sent = vendor.request().await?.json()?;
        let text = sent["messages"][0]["content"].as_str().context("a text")?;
        assert_eq!(serde_json::from_str::<Value>(text).with_context(|| text.to_owned())?, masked());
    }
    Ok(scene)
}

async fn an_answer_that_is_json_is_json_however_it_is_cut(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    vendor.answer_next(answer::whole(JSON)).await;
    let whole = scene.answered(&Ask::chat("sim-story", "hello")).await?;
    assert_eq!(serde_json::from_str::<Value>(&whole.text).with_context(|| whole.text.clone())?, masked());
    for length in [1, 2, 3, 7, 200] {
        vendor.answer_next(answer::in_pieces(JSON, length)).await;
        let streamed = scene.answered(&Ask::chat("sim-story", "hello").streaming(true)).await?;
        assert_eq!(streamed.text, whole.text, "in pieces of {length}");
    }
    Ok(scene)
}

async fn a_value_that_is_cut_over_texts_is_masked(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let ask = Ask::chat("sim-story", " 1111 1111, and ada@exam").after("user", "my card is 4111 1111");
    scene.answered(&ask).await?;
    let sent = vendor.request().await?.json()?;
    let said = |at: usize| sent["messages"][at]["content"].to_string();
    assert!(said(0).contains("[CREDIT_DEBIT_CARD_NUMBER_1]"), "{sent}");
    assert!(!sent.to_string().contains("1111") && said(1).contains(", and ada@exam"), "{sent}");
    // What another role says in between is not part of it.
    scene.answered(&ask.clone().after("assistant", "yes?").after("user", "4111 1111")).await?;
    assert!(vendor.request().await?.json()?.to_string().contains("4111 1111"));
    scene.answered(&Ask::embed("sim-story", &["card 41111111", "11111111 it is"])).await?;
    let sent = vendor.request().await?.json()?;
    assert_eq!(sent["input"], json!(["card [CREDIT_DEBIT_CARD_NUMBER_1]", " it is"]));
    Ok(scene)
}

async fn what_is_sent_along_is_judged_by_what_it_is(door: Door) -> Result<Scene> {
    let vendor = OpenAiLike::start().await?;
    let scene = Scene::with(door, &policy::one_vendor(&vendor.base_url())).await?;
    let ask = Ask::chat("sim-story", "what is this?");
    let text = || b"[EMAIL_1] ada@example.org".to_vec();
    let texts = [
        Attached::Image("image/png", text()),
        Attached::File("application/pdf", text()),
        Attached::File("text/plain", b"a@b.de".to_vec()),
        Attached::Audio("wav", text()),
    ];
    let told = scene.answered(&texts.into_iter().fold(ask.clone(), Ask::attaching)).await?;
    assert!(!told.head.contains_key("x-chancery-notice"), "{:?}", told.head);
    let content = vendor.request().await?.json()?["messages"][0]["content"].clone();
    // `[EMAIL_1] [EMAIL_2]`, and `[EMAIL_3]`.
    let (two, three) = ("W0VNQUlMXzFdIFtFTUFJTF8yXQ==", "W0VNQUlMXzNd");
    assert_eq!(content[1]["image_url"]["url"], format!("data:image/png;base64,{two}"));
    assert_eq!(content[2]["file"]["file_data"], format!("data:application/pdf;base64,{two}"));
    assert_eq!(content[3]["file"]["file_data"], format!("data:text/plain;base64,{three}"));
    assert_eq!(content[4]["input_audio"]["data"], two);
    let record = scene.last_record().await?;
    assert_eq!((&record["found"]["input"], &record["uninspected"]), (&json!({"EMAIL": 4}), &Value::Null));
    // What cannot be read goes on as it is, and that is said.
    let (png, pdf) = (b"\x89PNG\r\n\x1a\n".to_vec(), b"%PDF-1.7 ada@example.org".to_vec());
    let opaque = [Attached::Image("image/png", png.clone()), Attached::File("application/pdf", pdf)];
    let opaque = opaque.into_iter().fold(ask.attaching(Attached::Image("image/png", png)), Ask::attaching);
    let told = scene.answered(&opaque).await?;
    assert_eq!(
        told.header("x-chancery-notice"),
        "not inspected for what policy masks or blocks: image, file"
    );
    let content = vendor.request().await?.json()?["messages"][0]["content"].clone();
    assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgo=");
    let record = scene.last_record().await?;
    assert_eq!(record["uninspected"], json!({"image": 2, "file": 1}));
    assert_eq!(record["found"]["input"], json!({}));
    Ok(scene)
}

stories! {
    what_is_sent_along_is_judged_by_what_it_is,
    json_in_a_text_is_masked_and_is_json_still,
    an_answer_that_is_json_is_json_however_it_is_cut,
    a_value_that_is_cut_over_texts_is_masked,
}
