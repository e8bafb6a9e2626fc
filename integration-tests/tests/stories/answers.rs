//! Answers: whole, as streams, vectors, lists; each with what is told beside it and what is written down.

use anyhow::Result;
use integration_tests::{
    admin::Anything,
    door::{Ask, Caller, Door},
    sandbox::Geo,
    scene::Scene,
};
use serde_json::json;

use crate::policy;

const MODEL: &str = "sim-mistral-large";

async fn a_question_is_answered(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let told = scene.answered(&Ask::chat(MODEL, "hello there")).await?;
    assert!(told.text.ends_with("you said hello there"), "{}", told.text);
    assert_eq!((told.finish.as_str(), told.choices), ("stop", 1));
    assert!(!told.model.is_empty());
    let revision: u64 = told.header("x-chancery-revision").parse()?;
    assert!(revision >= 2, "the policy and the key are a revision each");
    assert_eq!(told.header("x-chancery-geo"), "eu");
    assert!(told.header("x-chancery-endpoint").ends_with("sim-mistral-large-eu"), "{:?}", told.head);
    assert_eq!(told.header("x-ratelimit-limit-requests"), "600");
    assert_eq!(told.header("x-ratelimit-remaining-requests"), "599");
    assert_eq!(told.header("x-ratelimit-limit-tokens"), "2000000");
    let record = scene.last_record().await?;
    assert_eq!(record["requestId"], told.header("x-chancery-request-id"));
    assert_eq!(record["revision"], revision);
    let (input, output) = told.usage.unwrap();
    assert!(input > 0 && output > 0);
    assert_eq!(record["usage"]["input"], input);
    assert_eq!(record["usage"]["output"], output);
    assert_eq!(record["usage"]["provenance"], "vendor");
    // 2.00 and 6.00 dollars a million: two and six thousand nano-dollars a token.
    assert_eq!(record["costNanos"], 2000 * input + 6000 * output);
    assert_eq!((&record["outcome"], &record["status"]), (&json!("answered"), &json!(200)));
    assert_eq!((&record["tenant"], &record["team"]), (&json!("acme"), &json!("research")));
    assert_eq!(record["matchedRules"], json!(["eu-residency"]));
    Ok(scene)
}

async fn a_stream_says_what_the_whole_answer_says(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let ask = Ask::chat(MODEL, "a few words, so that there are several events [[sim:chunk=4]]");
    let whole = scene.answered(&ask).await?;
    let streamed = scene.answered(&ask.clone().streaming(true)).await?;
    assert_eq!(streamed.text, whole.text);
    assert_eq!((streamed.finish, streamed.usage), (whole.finish, whole.usage));
    assert_eq!(streamed.model, whole.model);
    for name in ["x-chancery-geo", "x-chancery-endpoint", "x-chancery-revision"] {
        assert_eq!(streamed.head.get(name), whole.head.get(name), "{name}");
        assert!(whole.head.contains_key(name), "{name}");
    }
    let records = scene.house.records(Geo::Eu).await?;
    assert_eq!(records[0]["usage"], records[1]["usage"]);
    assert_eq!((&records[0]["stream"], &records[1]["stream"]), (&json!(false), &json!(true)));
    Ok(scene)
}

async fn several_choices_and_a_bound_are_kept(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let told = scene.answered(&Ask::chat(MODEL, "one").times(3)).await?;
    assert_eq!(told.choices, 3);
    let told = scene.answered(&Ask::chat(MODEL, "one").times(3).streaming(true)).await?;
    assert_eq!(told.choices, 3);
    let told = scene.answered(&Ask::chat(MODEL, "a longer text than two tokens").at_most(2)).await?;
    assert_eq!((told.finish.as_str(), told.usage.unwrap().1), ("length", 2));
    Ok(scene)
}

async fn texts_become_vectors(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let told = scene.answered(&Ask::embed("sim-embed-small", &["one text", "another"])).await?;
    assert_eq!(told.vectors.iter().map(Vec::len).collect::<Vec<_>>(), [1536, 1536]);
    assert_ne!(told.vectors[0], told.vectors[1]);
    let length: f32 = told.vectors[0].iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-3, "{length}");
    let record = scene.last_record().await?;
    assert_eq!((&record["operation"], &record["usage"]["output"]), (&json!("embed"), &json!(0)));
    assert_eq!(record["usage"]["input"], told.usage.unwrap().0);
    Ok(scene)
}

async fn an_alias_is_the_model_it_means(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    scene.answered(&Ask::chat("default-chat", "hello")).await?;
    let record = scene.last_record().await?;
    assert_eq!((&record["modelAsked"], &record["model"]), (&json!("default-chat"), &json!("sim-gpt-4o")));
    Ok(scene)
}

async fn both_planes_answer_and_say_where_they_are(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    for geo in Geo::ALL {
        let told = scene.ask_at(geo, &scene.key, &Ask::chat(MODEL, "where?")).await?.unwrap();
        assert_eq!(told.header("x-chancery-geo"), geo.name());
    }
    Ok(scene)
}

async fn models_are_those_one_may_know_of(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    let models = scene.caller()?.models().await?.unwrap();
    assert!(models.len() >= 12, "{models:?}");
    assert!(models.is_sorted());
    assert!(models.iter().any(|model| model == "sim-gpt-4o"));
    let nobody = Caller::at(door, scene.house.inference_url(Geo::Eu)?, "chy_no_key");
    assert_eq!(nobody.models().await?.unwrap_err().status, 401);
    // A story leaves a record; a list is none.
    scene.answered(&Ask::chat(MODEL, "hello")).await?;
    Ok(scene)
}

stories! {
    a_question_is_answered,
    a_stream_says_what_the_whole_answer_says,
    several_choices_and_a_bound_are_kept,
    texts_become_vectors,
    an_alias_is_the_model_it_means,
    both_planes_answer_and_say_where_they_are,
    models_are_those_one_may_know_of,
}

#[tokio::test]
async fn the_quota_is_what_is_left_after_what_was_used() {
    // Rates fill again while one looks; months do not.
    let more = [
        policy::limit("a-month-of-requests", "requests: 100, per: month"),
        policy::limit("a-month-of-tokens", "tokens: 100000, per: month"),
    ];
    let scene = Scene::with(Door::Grpc, &more.concat()).await.unwrap();
    let told = scene.answered(&Ask::chat(MODEL, "hello")).await.unwrap();
    let (input, output) = told.usage.unwrap();
    scene.last_record().await.unwrap();
    let url = scene.house.inference_url(Geo::Eu).unwrap();
    let caller = Anything::at(&url, Some(&scene.key)).await.unwrap();
    let quota = caller.call("chancery.inference.v1.Inference/GetQuota", json!({})).await.unwrap().unwrap();
    let find = |limit: &str| {
        let quotas = quota["quotas"].as_array().unwrap();
        quotas
            .iter()
            .find(|quota| quota["limit"] == format!("tenants/acme/limits/{limit}"))
            .unwrap_or_else(|| panic!("{limit}: {quota}"))
            .clone()
    };
    let requests = find("a-month-of-requests");
    assert_eq!((&requests["allowed"], &requests["consumed"]), (&json!(100), &json!(1)));
    assert_eq!((&requests["remaining"], &requests["measure"]), (&json!(99), &json!("requests")));
    assert_eq!(find("a-month-of-tokens")["consumed"], input + output);
    assert_eq!(find("research-requests")["allowed"], 600);
    let spend = find("acme-budget");
    assert_eq!((&spend["currency"], &spend["per"]), (&json!("USD"), &json!("month")));
    assert_eq!(spend["consumed"], 2000 * input + 6000 * output);
    assert_eq!(quota["geo"], "eu");
}

#[tokio::test]
async fn a_model_is_told_with_its_card_and_whether_it_may_be_used_here() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    let url = scene.house.inference_url(Geo::Eu).unwrap();
    let caller = Anything::at(&url, Some(&scene.key)).await.unwrap();
    let get = async |name: &str| {
        caller.call("chancery.inference.v1.Inference/GetModel", json!({"name": name})).await.unwrap()
    };
    let model = get("default-chat").await.unwrap();
    assert_eq!((&model["name"], &model["aliases"]), (&json!("sim-gpt-4o"), &json!(["default-chat"])));
    assert_eq!(model["card"]["contextWindow"], 128_000);
    assert_eq!(
        (&model["availability"]["available"], &model["availability"]["geo"]),
        (&json!(true), &json!("eu"))
    );
    // The licence gives no rights to an organisation in the EU, and the card may be read all the same.
    let barred = get("sim-llama-3.2-vision").await.unwrap();
    assert_eq!(barred["availability"]["available"], serde_json::Value::Null, "{barred}");
    assert_eq!(barred["availability"]["reasons"], json!(["licence_territory"]));
    assert_eq!(get("no-such-model").await.unwrap_err().code.as_str(), "model_not_found");
}
