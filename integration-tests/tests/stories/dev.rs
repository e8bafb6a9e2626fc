//! `chancery dev`, as somebody meets it who has just cloned the house: ready by one command, and again tomorrow.

use integration_tests::{
    door::{Ask, Caller, Door},
    household::Dev,
    scripted::{Nobody, OpenAiLike},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_vendor_answers_without_a_further_step() {
    let vendor = OpenAiLike::start().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &["--openai-compatible", &vendor.base_url()], &[]).await.unwrap();
    assert_eq!(vendor.request().await.unwrap().path, "/v1/models");
    let said = format!(
        "registered 2 models of {}, said to process in EU, UK (--upstream-regions)\n",
        vendor.base_url()
    );
    assert!(dev.log().contains(&said), "{}", dev.log());
    for door in Door::BOTH {
        for name in ["CHANCERY_DATA_URL", "CHANCERY_DATA_URL_US"] {
            let caller =
                Caller::at(door, dev.variable(name).unwrap(), dev.variable("CHANCERY_API_KEY").unwrap());
            let models = caller.models().await.unwrap().unwrap();
            assert!(models.iter().any(|model| model == "echo-small"), "{models:?}");
            for stream in [false, true] {
                let told = caller
                    .ask(&Ask::chat("echo-small", "is that you?").streaming(stream))
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(told.text, "is that you?");
                assert_eq!(vendor.request().await.unwrap().json().unwrap()["model"], "echo-small");
            }
            let told = caller.ask(&Ask::chat("sim-gpt-4o", "and the simulated one")).await.unwrap().unwrap();
            assert!(told.text.contains("and the simulated one"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tomorrow_the_key_is_the_same_and_so_is_what_was_changed() {
    let home = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let (key, token) = (
        dev.variable("CHANCERY_API_KEY").unwrap().to_owned(),
        dev.variable("CHANCERY_ADMIN_TOKEN").unwrap().to_owned(),
    );
    assert!(key.starts_with("chy_"));
    assert_eq!(dev.variable("OPENAI_API_KEY").unwrap(), key);
    assert_eq!(
        dev.variable("OPENAI_BASE_URL").unwrap(),
        format!("{}/v1", dev.variable("CHANCERY_DATA_URL").unwrap())
    );
    std::fs::write(home.path().join("rule.yaml"), crate::policy::rule("closed", "forbid", "true", ""))
        .unwrap();
    let applied = dev.run(&["apply", "--wait", "-f", "rule.yaml"]).unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    assert!(dev.end().await.unwrap().success(), "{}", dev.log());
    assert!(!dev.state().join("dev.env").exists(), "the file is there exactly while the house stands");
    assert!(!dev.log().contains(&token) || dev.log().contains("CHANCERY_ADMIN_TOKEN"), "{}", dev.log());

    // The key of the house in the environment is no vendor's.
    let dev = Dev::start(home.path(), &[], &[("OPENAI_API_KEY", key.as_str())]).await.unwrap();
    assert_eq!(dev.variable("CHANCERY_API_KEY").unwrap(), key);
    assert_eq!(dev.variable("CHANCERY_ADMIN_TOKEN").unwrap(), token);
    let caller = Caller::at(Door::Rest, dev.variable("CHANCERY_DATA_URL").unwrap(), key.as_str());
    let refused = caller.ask(&Ask::chat("sim-mistral-large", "hello")).await.unwrap().unwrap_err();
    assert_eq!(refused.code, "rule_forbids", "what was changed is not undone by the quickstart");
    let providers = dev.run(&["get", "providers", "-o", "json"]).unwrap();
    let providers = String::from_utf8_lossy(&providers.stdout).into_owned();
    assert!(
        providers.contains("providers/simulated") && !providers.contains("providers/openai"),
        "{providers}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_is_not_there_does_not_keep_the_house_from_standing() {
    let home = tempfile::tempdir().unwrap();
    let (nobody, metadata) = (Nobody::hold().unwrap(), "http://169.254.169.254/v1");
    let down = nobody.base_url().unwrap();
    let asked = ["--openai-compatible", &down, "--openai-compatible", metadata];
    let dev = Dev::start(home.path(), &asked, &[]).await.unwrap();
    let caller = Caller::at(
        Door::Grpc,
        dev.variable("CHANCERY_DATA_URL").unwrap(),
        dev.variable("CHANCERY_API_KEY").unwrap(),
    );
    caller.ask(&Ask::chat("sim-gpt-4o", "hello")).await.unwrap().unwrap();
    assert!(dev.log().contains(&down), "the operator is told: {}", dev.log());
    assert!(dev.log().contains("where no upstream may be"), "and of the other: {}", dev.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_house_in_the_same_directory_is_refused_and_takes_nothing_away() {
    let home = tempfile::tempdir().unwrap();
    let dev = Dev::start(home.path(), &[], &[]).await.unwrap();
    let before = std::fs::read(dev.state().join("dev.env")).unwrap();
    let second = dev.run(&["dev", "--listen-control", "127.0.0.1:0"]).unwrap();
    assert_eq!(second.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&second.stderr).into_owned();
    let pid = std::fs::read_to_string(dev.state().join("control-plane/lock")).unwrap();
    let expected =
        format!("`.chancery/control-plane` is in use by another control plane (pid {})", pid.trim());
    assert!(complaint.contains(&expected), "{complaint}");
    assert_eq!(std::fs::read(dev.state().join("dev.env")).unwrap(), before);
    assert!(dev.run(&["get", "teams"]).unwrap().status.success());
}
