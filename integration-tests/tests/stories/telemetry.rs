//! What the house tells its operator: traces that a real collector decodes, metrics, health.

use anyhow::Result;
use integration_tests::{
    collector::Collector,
    door::{Ask, Door},
    sandbox::Geo,
    scene::Scene,
};

const MODEL: &str = "sim-mistral-large";

async fn a_request_is_a_span_that_a_collector_decodes(door: Door) -> Result<Scene> {
    let collector = Collector::start().await?;
    let scene =
        Scene::configured(door, "", |config| config.telemetry.otlp_endpoint = Some(collector.url())).await?;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let ask = Ask::chat(MODEL, "a marker that no span may hold")
        .with("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"));
    let told = scene.answered(&ask).await?;
    let refused = scene.refused(&Ask::chat("no-such-model", "hello")).await?;
    scene.last_record().await?;
    let (one, two) = (collector.span().await?, collector.span().await?);
    let find =
        |id: &str| [&one, &two].into_iter().find(|span| span.attribute("chancery.request_id") == id).cloned();
    let span = find(told.header("x-chancery-request-id")).unwrap();
    assert_eq!(span.name, format!("chat {MODEL}"));
    let (input, output) = told.usage.unwrap();
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", MODEL),
        ("gen_ai.usage.input_tokens", &input.to_string()),
        ("gen_ai.usage.output_tokens", &output.to_string()),
        ("chancery.outcome", "answered"),
        ("chancery.geo", "eu"),
        ("chancery.revision", told.header("x-chancery-revision")),
        ("service.name", "chancery-data-plane"),
    ] {
        assert_eq!(span.attribute(name), value, "{name}");
    }
    assert_eq!(span.trace, trace, "the caller's own trace goes on");
    assert_eq!(span.parent, "b7ad6b7169203331");
    assert!(span.nanos > 0);
    let span = find(refused.header("x-chancery-request-id")).unwrap();
    assert_eq!(
        (span.attribute("error.type").as_str(), span.attribute("chancery.outcome").as_str()),
        ("model_not_found", "refused")
    );
    assert!(!span.everything().contains("marker"));
    Ok(scene)
}

async fn case_105_a_collector_that_is_not_there_costs_nothing(door: Door) -> Result<Scene> {
    let scene = Scene::configured(door, "", |config| {
        config.telemetry.otlp_endpoint = Some("http://127.0.0.1:1".to_owned());
    })
    .await?;
    for _ in 0..20 {
        scene.answered(&Ask::chat(MODEL, "hello")).await?;
    }
    Ok(scene)
}

async fn case_85_metrics_count_and_their_labels_are_the_registrys(door: Door) -> Result<Scene> {
    let scene = Scene::quickstart(door).await?;
    for at in 0..5 {
        scene.refused(&Ask::chat(&format!("made-up-{at}"), "hello")).await?;
    }
    let (input, output) =
        scene.answered(&Ask::chat(MODEL, "mail jane.doe@example.com")).await?.usage.unwrap();
    scene.last_record().await?;
    let metrics = scene.house.metrics(Geo::Eu).await?;
    assert!(!metrics.contains("made-up"), "a caller's words are no label");
    assert!(!metrics.contains("ada@example.org"));
    for line in [
        format!("chancery_tokens_total{{model=\"{MODEL}\",type=\"input\"}} {input}"),
        format!("chancery_tokens_total{{model=\"{MODEL}\",type=\"output\"}} {output}"),
        "chancery_refusals_total{code=\"model_not_found\"} 5".to_owned(),
        "chancery_findings_total{direction=\"input\",type=\"EMAIL\"} 1".to_owned(),
        "chancery_policy_connected 1".to_owned(),
        "chancery_records_lost_total 0".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    Ok(scene)
}

stories! {
    a_request_is_a_span_that_a_collector_decodes,
    case_105_a_collector_that_is_not_there_costs_nothing,
    case_85_metrics_count_and_their_labels_are_the_registrys,
}

#[tokio::test]
async fn every_port_of_operators_tells_whether_it_lives_and_is_ready() {
    let scene = Scene::quickstart(Door::Rest).await.unwrap();
    let addresses = [
        scene.house.control.as_ref().unwrap().addresses().ops,
        scene.house.plane(Geo::Eu).unwrap().ops_address(),
        scene.house.plane(Geo::Us).unwrap().ops_address(),
    ];
    for address in addresses {
        for path in ["livez", "readyz", "metrics"] {
            let answer = integration_tests::door::get(&format!("http://{address}/{path}")).await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
        }
    }
    let metrics = integration_tests::door::get(&format!("http://{}/metrics", addresses[0]))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(metrics.lines().any(|line| line.starts_with("chancery_")), "{metrics}");
}
