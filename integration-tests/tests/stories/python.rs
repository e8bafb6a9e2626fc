//! Clients that are not ours: OpenAI's own SDK by base URL and key alone, and grpcio by reflection without our definitions.

use integration_tests::{door::Door, python, sandbox::Geo, scene::Scene};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_openai_sdk_needs_a_base_url_and_a_key() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let grace = scene.house.key("grace@example.org", "support").await.unwrap();
    let url = scene.house.openai_url(Geo::Eu).unwrap();
    let variables =
        [("OPENAI_BASE_URL", url.as_str()), ("OPENAI_API_KEY", &scene.key), ("OTHER_API_KEY", &grace)];
    let said = python::run("openai_sdk.py", &variables).await.unwrap();
    let count: usize = said.lines().last().unwrap().strip_prefix("requests: ").unwrap().parse().unwrap();
    (0..count).for_each(|_| scene.house.count(Geo::Eu));
    let records = scene.house.records(Geo::Eu).await.unwrap();
    assert!(records.iter().all(|record| record["door"] == "openai"));
    assert!(records.iter().any(|record| record["operation"] == "embed"));
    assert!(records.iter().any(|record| record["stream"] == json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grpc_client_needs_an_address_and_a_key() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    let url = scene.house.inference_url(Geo::Eu).unwrap();
    let address = url.trim_start_matches("http://");
    let admin = scene.house.admin_url();
    let variables = [
        ("ADDRESS", address),
        ("API_KEY", scene.key.as_str()),
        ("ADMIN_ADDRESS", admin.trim_start_matches("http://")),
        ("ADMIN_TOKEN", scene.house.token()),
    ];
    let said = python::run("grpc_by_reflection.py", &variables).await.unwrap();
    let count: usize = said.lines().last().unwrap().strip_prefix("requests: ").unwrap().parse().unwrap();
    (0..count).for_each(|_| scene.house.count(Geo::Eu));
    let records = scene.house.records(Geo::Eu).await.unwrap();
    assert!(records.iter().all(|record| record["door"] == "grpc"));
}
