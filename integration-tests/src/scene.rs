//! A story and its two tellings.
//!
//! Law: a story takes a door and is told once through each; what the house decided, used and wrote down must be the same, and
//! there is exactly one record and one settlement for each request. Deliberately absent: any story.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use data_plane::config as data;
use serde_json::Value;

use crate::{
    door::{Ask, Caller, Door, Going, Refused, Told},
    sandbox::{Geo, Sandbox},
};

/// A house, and a door of it.
pub struct Scene {
    /// The house.
    pub house: Sandbox,
    /// The door the story goes through.
    pub door: Door,
    /// A key of Ada in `research`, of which most stories tell.
    pub key: String,
}

/// What differs between two tellings of one story: names, times, and the door itself.
const DIFFERENT: [&str; 14] = [
    "requestId",
    "mirrorOf",
    "time",
    "decideTime",
    "door",
    "key",
    "latencyUs",
    "firstByteUs",
    "upstreamRequestId",
    "digest",
    "seq",
    "bootId",
    "chain",
    "captured",
];

impl Scene {
    /// The quickstart's house.
    pub async fn quickstart(door: Door) -> Result<Self> {
        Self::of(door, Sandbox::quickstart().await?).await
    }

    /// A house with more policy than the quickstart's.
    pub async fn with(door: Door, more: &str) -> Result<Self> {
        let scene = Self::quickstart(door).await?;
        scene.house.apply(more).await?;
        Ok(scene)
    }

    /// A house with more policy, and data planes configured so.
    pub async fn configured(door: Door, more: &str, change: impl Fn(&mut data::Config)) -> Result<Self> {
        let scene = Self::of(door, Sandbox::start(crate::sandbox::QUICKSTART, change).await?).await?;
        if !more.is_empty() {
            scene.house.apply(more).await?;
        }
        Ok(scene)
    }

    /// A house that has a team `research` with Ada in it.
    pub async fn of(door: Door, house: Sandbox) -> Result<Self> {
        let key = house.key("ada@example.org", "research").await?;
        Ok(Self { house, door, key })
    }

    /// Ada in `eu`.
    pub fn caller(&self) -> Result<Caller> {
        self.caller_at(Geo::Eu, &self.key)
    }

    /// Somebody with a key, somewhere.
    pub fn caller_at(&self, geo: Geo, key: &str) -> Result<Caller> {
        Ok(Caller::at(self.door, self.house.inference_url(geo)?, key))
    }

    /// Ada asks in `eu`.
    pub async fn ask(&self, ask: &Ask) -> Result<Result<Told, Refused>> {
        self.ask_at(Geo::Eu, &self.key, ask).await
    }

    /// Somebody asks somewhere.
    pub async fn ask_at(&self, geo: Geo, key: &str, ask: &Ask) -> Result<Result<Told, Refused>> {
        self.house.count(geo);
        self.caller_at(geo, key)?.ask(ask).await
    }

    /// Ada asks and is answered; errors if she is not.
    pub async fn answered(&self, ask: &Ask) -> Result<Told> {
        match self.ask(ask).await? {
            Ok(told) => Ok(told),
            Err(refused) => bail!("refused: {refused:?}"),
        }
    }

    /// Ada asks and is refused; errors if she is not.
    pub async fn refused(&self, ask: &Ask) -> Result<Refused> {
        match self.ask(ask).await? {
            Ok(told) => bail!("answered: {told:?}"),
            Err(refused) => Ok(refused),
        }
    }

    /// Ada opens a stream in `eu`; errors if it is refused.
    pub async fn open(&self, ask: &Ask) -> Result<Going> {
        self.house.count(Geo::Eu);
        match self.caller()?.open(ask).await? {
            Ok(going) => Ok(going),
            Err(refused) => bail!("refused: {refused:?}"),
        }
    }

    /// The last record of `eu`, once every request has one.
    pub async fn last_record(&self) -> Result<Value> {
        self.house.records(Geo::Eu).await?.pop().context("nothing was recorded")
    }

    /// Who a record is about, whose pseudonym is another in every house; nobody's name where the control plane was ended.
    fn named(&self, pseudonym: &Value) -> String {
        let subjects = self.house.control.as_ref().map(|control| control.publisher().subjects());
        let known = subjects.zip(pseudonym.as_str()).and_then(|(subjects, known)| subjects.name_of(known));
        known.map(|(name, _)| name).unwrap_or_default()
    }

    /// Every record of the story, without what differs between two tellings, in an order of their own.
    async fn trace(&self) -> Result<Vec<Value>> {
        let mut trace = Vec::new();
        for geo in Geo::ALL {
            trace.extend(self.house.records(geo).await?);
        }
        ensure!(!trace.is_empty(), "the story left no record");
        for record in &mut trace {
            let object = record.as_object_mut().context("a record is an object")?;
            DIFFERENT.iter().for_each(|name| drop(object.remove(*name)));
            if let Some(pseudonym) = object.remove("principal") {
                object.insert("principal".to_owned(), self.named(&pseudonym).into());
            }
            for attempt in object.get_mut("attempts").and_then(Value::as_array_mut).into_iter().flatten() {
                attempt.as_object_mut().map(|attempt| attempt.remove("latencyUs"));
            }
        }
        trace.sort_by_key(ToString::to_string);
        ensure!(self.house.held() == 0, "something is still held");
        Ok(trace)
    }
}

/// Tells a story through both doors, and compares what the house wrote down.
pub async fn through_both_doors(story: impl AsyncFn(Door) -> Result<Scene>) -> Result<()> {
    let mut traces = Vec::with_capacity(Door::BOTH.len());
    for door in Door::BOTH {
        let told = async { story(door).await?.trace().await };
        let trace = tokio::time::timeout(too_long(), told).await.context("the story does not end")?;
        traces.push(trace.with_context(|| format!("through {door:?}"))?);
    }
    let [rest, grpc] = traces.as_slice() else { bail!("a story is told twice") };
    ensure!(rest.len() == grpc.len(), "{} records through REST, {} through gRPC", rest.len(), grpc.len());
    for (rest, grpc) in rest.iter().zip(grpc) {
        ensure!(rest == grpc, "the doors differ\nREST {rest}\ngRPC {grpc}");
    }
    Ok(())
}

/// How long one telling may take; an hour with `CHANCERY_LONG`, which makes some stories long.
fn too_long() -> Duration {
    Duration::from_secs(if std::env::var_os("CHANCERY_LONG").is_some() { 3_600 } else { 120 })
}
