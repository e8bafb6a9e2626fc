//! Services of the organisation's own over gRPC, the two of `deploy/examples/adapter`: what they are asked and say passes every check, and what
//! they refuse is told.

use anyhow::Result;
use integration_tests::{
    door::{Ask, Door},
    household::free,
    program,
    sandbox::Geo,
    scene::Scene,
    wait::until,
};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

/// The example, as it stands.
#[expect(dead_code, reason = "its `main` is for the shell")]
#[path = "../../../deploy/examples/adapter/adapter.rs"]
mod adapter;

/// The policy of the example, for an adapter at an address of this machine.
fn example(address: &str) -> String {
    format!(
        "---\n{}",
        include_str!("../../../deploy/examples/adapter.yaml").replace("127.0.0.1:50051", address)
    )
}

/// What both of them do, through every check.
async fn counts_words(scene: &Scene) -> Result<()> {
    for stream in [false, true] {
        let ask = Ask::chat("sim-house", "what do cats eat?").at_most(50).streaming(stream);
        let told = scene.answered(&ask).await?;
        assert_eq!(told.text, "house-7b counts 4 words: what do cats eat?");
        assert_eq!((told.finish.as_str(), told.usage), ("stop", Some((4, 8))));
        let record = scene.last_record().await?;
        let used = (&record["usage"]["input"], &record["usage"]["output"], &record["usage"]["provenance"]);
        assert_eq!(used, (&json!(4), &json!(8), &json!("vendor")));
        assert!(record["costNanos"].as_u64().unwrap() > 0, "{record}");
        // What may not pass does not: a card on its way there, an address on its way back.
        let ask = Ask::chat("sim-house", "4111 1111 1111 1111 of ada@example.org").streaming(stream);
        let told = scene.answered(&ask).await?;
        assert!(told.text.starts_with("house-7b counts "), "{told:?}");
        assert!(!told.text.contains("4111") && !told.text.contains("ada@"), "{told:?}");
        let refused = scene.refused(&Ask::chat("sim-house", "hi").times(2).streaming(stream)).await?;
        assert!(
            refused.status == 400 && refused.message.contains("this house has one answer"),
            "{refused:?}"
        );
    }
    Ok(())
}

async fn a_service_of_ones_own_is_a_vendor(door: Door) -> Result<Scene> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { adapter::serve(listener).await.map_err(|error| error.to_string()) });
    let scene = Scene::with(door, &example(&address)).await?;
    counts_words(&scene).await?;
    let embedding = example(&address).replace("operations: [chat]", "operations: [chat, embed]");
    scene.house.apply(&embedding).await?;
    let refused = scene.refused(&Ask::embed("sim-house", &["hi"])).await?;
    assert!(refused.status == 400 && refused.message.contains("does not implement"), "{refused:?}");
    Ok(scene)
}

async fn one_in_python_needs_no_generated_code(door: Door) -> Result<Scene> {
    let address = free()?.to_string();
    let scene = Scene::with(door, &example(&address)).await?;
    let url = scene.house.inference_url(Geo::Eu)?;
    let _adapter = program::example("adapter/adapter.py", &[&address], &[("CHANCERY_DATA_URL", &url)])?;
    until("an adapter in Python", async || TcpStream::connect(&address).await.ok()).await?;
    counts_words(&scene).await?;
    Ok(scene)
}

stories! {
    a_service_of_ones_own_is_a_vendor,
    one_in_python_needs_no_generated_code,
}
