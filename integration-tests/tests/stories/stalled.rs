//! A caller that takes nothing of a fast answer: what waits for it is bounded, the vendor is slowed down, then both are let go.

use anyhow::{Context, Result, ensure};
use integration_tests::{
    household::Household,
    sandbox::{Geo, QUICKSTART, read_records},
    scripted::{Script, ScriptedUpstream},
    wait::until,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{answer, policy};

const MEGABYTES: usize = 96;

/// An answer in events of 16 kB, `MEGABYTES` in all, its end left out.
fn fast() -> Vec<u8> {
    let event = answer::event_text(&"word ".repeat(3_200));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let events = event.repeat((MEGABYTES << 20) / event.len());
    [head, &events].concat().into_bytes()
}

/// Peak resident memory of a process, in megabytes.
fn peak(process: u32) -> Result<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: usize = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes >> 10)
}

/// A vendor whose answer is fast, a house that waits a second for its callers, and a key of it.
async fn short_of_patience() -> Result<(ScriptedUpstream, Household, String)> {
    let vendor = ScriptedUpstream::start([Script::new().read().send(fast())]).await?;
    let more = "[bounds]\nstalled_seconds = 1\n[upstream]\nallow_loopback = true\n";
    let house = Household::start(QUICKSTART, more).await?;
    let revision = house.apply(&policy::one_vendor(&vendor.base_url())).await?;
    house.enforces(Geo::Eu, revision).await?;
    let key = house.key("ada@example.org", "research").await?;
    Ok((vendor, house, key))
}

/// Waits until the vendor's connection is let go and the request is recorded, as cancelled.
async fn let_go(vendor: &ScriptedUpstream, house: &Household) -> Result<()> {
    let mut seen = vendor.connection().await?;
    seen.request().await?;
    seen.closed().await?;
    let outbox = house.state_dir(Geo::Eu).join("outbox");
    let record = until("the record", async || read_records(&outbox).ok()?.into_iter().next()).await?;
    ensure!(record["outcome"] == "cancelled", "{record}");
    Ok(())
}

fn asking(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_57_a_caller_that_takes_nothing_is_bounded_and_then_closed() {
    let (vendor, mut house, key) = short_of_patience().await.unwrap();
    let process = house.plane(Geo::Eu).unwrap().id();
    let before = peak(process).unwrap();

    let url = house.inference_url(Geo::Eu).unwrap();
    let mut caller = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let body = asking("sim-story", true).to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    caller.write_all(request.as_bytes()).await.unwrap();

    // The vendor could not send all of it.
    let_go(&vendor, &house).await.unwrap();
    let grown = peak(process).unwrap() - before;
    assert!(grown < MEGABYTES / 4, "{grown} MB more for a caller that took nothing of {MEGABYTES}");
    drop(caller);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_59_a_stream_whose_window_stays_shut_is_let_go_and_its_connection_goes_on() {
    let (vendor, house, key) = short_of_patience().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("{}/v1/chat/completions", house.inference_url(Geo::Eu).unwrap());
    let ask = |model, stream| client.post(&url).bearer_auth(&key).json(&asking(model, stream)).send();
    // Its body is not read, so its window is not opened again.
    let mut shut = ask("sim-story", true).await.unwrap();
    assert_eq!(shut.status(), 200);
    let_go(&vendor, &house).await.unwrap();
    assert_eq!(ask("sim-mistral-large", false).await.unwrap().status(), 200);
    let broken = loop {
        match shut.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken, "what was let go is not shown as whole");
}
