//! Personal data by the shape it is written in: within JSON in a text, and cut over what is read as one.

use anyhow::{Context, Result};
use integration_tests::{
    door::{Ask, Door},
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

stories! {
    json_in_a_text_is_masked_and_is_json_still,
    an_answer_that_is_json_is_json_however_it_is_cut,
    a_value_that_is_cut_over_texts_is_masked,
}
