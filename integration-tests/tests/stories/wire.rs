//! The doors themselves: TLS, HTTP/2 without it, deadlines, health; and the port that only nodes may use.

use std::time::Duration;

use anyhow::Result;
use control_plane::ca::{Authority, LEAF_VALIDITY};
use integration_tests::{
    admin::Anything,
    door::{Ask, Door},
    sandbox::{Geo, Sandbox},
    scene::Scene,
};
use prost::Message as _;
use proto::{
    inference::{ChatRequest, ContentPart, Message, Role, content_part::Part},
    sync::{NodeMessage, sync_client::SyncClient},
};
use serde_json::json;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

const MODEL: &str = "sim-mistral-large";

async fn a_door_under_tls_is_the_same_door(door: Door) -> Result<Scene> {
    let dir = tempfile::tempdir()?;
    let authority = Authority::open_or_create(dir.path())?;
    let paths =
        authority.issue_server(&["127.0.0.1".to_owned()], LEAF_VALIDITY)?.write(dir.path(), "door")?;
    let scene = Scene::configured(door, "", |config| {
        config.listen.tls_certificate = Some(paths.certificate.clone());
        config.listen.tls_key = Some(paths.key.clone());
    })
    .await?;
    let mut caller = scene.caller()?;
    caller.url = caller.url.replace("http://", "https://");
    assert!(caller.ask(&Ask::chat(MODEL, "hello")).await.is_err(), "nobody vouches for it");
    caller.roots = Some(authority.certificate_pem().to_owned());
    for stream in [false, true] {
        scene.house.count(Geo::Eu);
        let told = caller.ask(&Ask::chat(MODEL, "hello").streaming(stream)).await?.unwrap();
        assert!(told.text.ends_with("you said hello"));
    }
    Ok(scene)
}

stories! {
    a_door_under_tls_is_the_same_door,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_spoken_to_callers_that_begin_with_it() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    integration_tests::door::client().unwrap();
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("{}/chat/completions", scene.house.openai_url(Geo::Eu).unwrap());
    let asking = (0..20).map(|at| {
        scene.house.count(Geo::Eu);
        let body = json!({"model": MODEL, "messages": [{"role": "user", "content": format!("number {at}")}]});
        let request = client.post(&url).bearer_auth(&scene.key).json(&body);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
            assert!(answer.text().await.unwrap().contains(&format!("number {at}")));
        }
    });
    futures_util::future::join_all(asking).await;
    scene.house.records(Geo::Eu).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_60_a_callers_deadline_is_kept_by_the_house() {
    let scene = Scene::quickstart(Door::Grpc).await.unwrap();
    // A library would end the call itself; bytes leave that to the house.
    integration_tests::door::client().unwrap();
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let message = hello("[[sim:hang=0]]").encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let url = format!("{}/chancery.inference.v1.Inference/Chat", scene.house.inference_url(Geo::Eu).unwrap());
    scene.house.count(Geo::Eu);
    let request = client.post(url).bearer_auth(&scene.key).header("content-type", "application/grpc");
    let request = request.header("te", "trailers").header("grpc-timeout", "300m");
    let answer = request.body([&[0][..], &length, &message].concat()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["grpc-status"]), (200, &"4".parse().unwrap()));
    let record = scene.last_record().await.unwrap();
    assert_eq!((&record["outcome"], &record["code"]), (&json!("failed"), &json!("deadline_exceeded")));
    assert!(record["latencyUs"].as_u64().unwrap() >= 300_000, "{record}");
}

fn hello(text: &str) -> ChatRequest {
    let content = vec![ContentPart { part: Some(Part::Text(text.to_owned())) }];
    let message = Message { role: Role::User.into(), content, ..Message::default() };
    ChatRequest { model: MODEL.to_owned(), messages: vec![message], ..ChatRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_declared_is_not_there() {
    let house = Sandbox::quickstart().await.unwrap();
    for url in [house.inference_url(Geo::Eu).unwrap(), house.admin_url()] {
        let other = if url == house.admin_url() {
            "chancery.inference.v1.Inference/ListModels"
        } else {
            "chancery.admin.v1.TeamsService/ListTeams"
        };
        let caller = Anything::at(&url, Some(house.token())).await.unwrap();
        let refusal = caller.call(other, json!({})).await.unwrap().unwrap_err();
        assert_eq!(
            refusal.code.as_str(),
            "unimplemented",
            "case 63: one plane's calls are not the other's: {refusal:?}"
        );
    }
}

/// A way to the sync port with these certificates; what it says when it is used.
async fn knock(house: &Sandbox, tls: ClientTlsConfig) -> Result<(), String> {
    let sync = house.control.as_ref().unwrap().addresses().sync;
    let endpoint = Channel::from_shared(format!("https://{sync}")).unwrap().tls_config(tls).unwrap();
    let channel = endpoint.connect().await.map_err(|error| format!("{error:?}"))?;
    let said = tokio_stream::pending::<NodeMessage>();
    let opened = tokio::time::timeout(Duration::from_secs(10), SyncClient::new(channel).sync(said)).await;
    opened.map_err(|_| "nothing is said".to_owned())?.map(drop).map_err(|status| format!("{status:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_70_policy_is_for_nodes_that_the_authority_knows() {
    let house = Sandbox::quickstart().await.unwrap();
    let authority = house.control.as_ref().unwrap().authority();
    let trusting =
        || ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.certificate_pem()));
    let dir = tempfile::tempdir().unwrap();
    let stranger = Authority::open_or_create(dir.path()).unwrap();
    let node = |authority: &Authority| {
        let issued =
            authority.issue_node(&"eu".parse().unwrap(), &"eu-9".parse().unwrap(), LEAF_VALIDITY).unwrap();
        Identity::from_pem(&issued.certificate_pem, issued.key_pem.as_bytes())
    };
    let server = authority.issue_server(&["localhost".to_owned()], LEAF_VALIDITY).unwrap();
    let server = Identity::from_pem(&server.certificate_pem, server.key_pem.as_bytes());
    assert!(knock(&house, trusting()).await.is_err(), "without a certificate");
    assert!(knock(&house, trusting().identity(node(&stranger))).await.is_err(), "of another authority");
    assert!(knock(&house, trusting().identity(server)).await.is_err(), "one that names no node");
    let distrusting =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(stranger.certificate_pem()));
    assert!(
        knock(&house, distrusting.identity(node(authority))).await.is_err(),
        "a node trusts the authority alone"
    );
    let known = knock(&house, trusting().identity(node(authority))).await;
    assert!(known.is_ok() || known == Err("nothing is said".to_owned()), "{known:?}");
}
