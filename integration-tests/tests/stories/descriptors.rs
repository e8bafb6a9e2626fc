//! A process that has no file descriptors left: it waits quietly, and comes back by itself.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use integration_tests::{
    household::{Household, Process},
    sandbox::{Geo, QUICKSTART},
    wait::until,
};

use crate::policy;

/// What a port says while it accepts nobody.
const LINE: &str = "connections can't be accepted";

/// How many descriptors a process may have; those it has it keeps.
fn allow(process: u32, descriptors: u32) -> Result<()> {
    let limit = format!("--nofile={descriptors}:");
    let told = Command::new("prlimit").args(["--pid", &process.to_string(), &limit]).status();
    ensure!(told.context("`prlimit` (util-linux) is needed")?.success(), "the limit can't be set");
    Ok(())
}

/// Seconds of processor time a process has used, in ticks of 10 ms.
fn busy(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("no name")?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

async fn starved(process: &Process, address: SocketAddr) -> Result<()> {
    allow(process.id(), 1)?;
    let (begun, before, told) = (Instant::now(), busy(process.id())?, process.log()?.matches(LINE).count());
    // The system takes them, and the process must accept them.
    let waiting: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address)).collect::<Result<_, _>>()?;
    until("a second line about the same trouble", async || {
        let lines = process.log().ok()?.matches(LINE).count();
        (lines >= told + 3).then_some(())
    })
    .await?;
    let (took, used) = (begun.elapsed().as_secs_f64(), busy(process.id())? - before);
    ensure!(took > 0.9, "three lines came within {took} s from two ports");
    ensure!(used < took / 2.0, "{used} s of {took} s were spent on waiting");
    drop(waiting);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_97_out_of_file_descriptors_a_port_waits_and_comes_back() {
    let mut house = Household::start(QUICKSTART, "").await.unwrap();
    let at = |url: String| url.strip_prefix("http://").unwrap().parse::<SocketAddr>().unwrap();

    let inference = at(house.inference_url(Geo::Us).unwrap());
    starved(house.plane(Geo::Us).unwrap(), inference).await.unwrap();
    allow(house.plane(Geo::Us).unwrap().id(), 1024).unwrap();
    let listed = format!("{}/v1/models", house.inference_url(Geo::Us).unwrap());
    assert_eq!(integration_tests::door::get(&listed).await.unwrap().status(), 401);

    // A node that comes back in the meantime finds the sync port when there is room again.
    let admin = at(house.admin_url());
    allow(house.control.id(), 1).unwrap();
    house.plane(Geo::Eu).unwrap().kill().unwrap();
    house.plane(Geo::Eu).unwrap().start_again().unwrap();
    starved(&house.control, admin).await.unwrap();
    allow(house.control.id(), 1024).unwrap();
    house.apply(&policy::limit("few", "requests: 4, per: month")).await.unwrap();
    house.enforces(Geo::Eu, 2).await.unwrap();
}
