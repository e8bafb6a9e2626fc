//! Calling any RPC by its name, with JSON in and out: what is declared is what can be called.
//!
//! Law: messages are made from the descriptors, so that an RPC that is added tomorrow is called by the same story. Every call
//! is noted. Deliberately absent: knowing any service.

use std::{collections::BTreeSet, sync::Mutex};

use anyhow::{Context, Result, ensure};
use bytes::{Buf as _, BufMut as _, Bytes};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use proto::status::Refusal;
use serde_json::Value;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// A caller of anything.
pub struct Anything {
    pool: DescriptorPool,
    channel: Channel,
    bearer: Option<String>,
    called: Mutex<BTreeSet<String>>,
}

impl Anything {
    /// A caller with a bearer token, or without one.
    pub async fn at(url: &str, bearer: Option<&str>) -> Result<Self> {
        let channel = Channel::from_shared(url.to_owned())?.connect().await?;
        let pool = control_plane::descriptors::pool().clone();
        Ok(Self { pool, channel, bearer: bearer.map(str::to_owned), called: Mutex::default() })
    }

    /// Every RPC of a package, such as `chancery.admin.v1`, by its name, such as `chancery.admin.v1.TeamsService/GetTeam`.
    pub fn declared(&self, package: &str) -> Vec<MethodDescriptor> {
        let services = self.pool.services().filter(|service| service.parent_file().package_name() == package);
        services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
    }

    /// Calls an RPC that answers once. The outer error is of the story, the inner is the house's refusal.
    pub async fn call(&self, rpc: &str, message: Value) -> Result<Result<Value, Refusal>> {
        let method = self.method(rpc)?;
        let mut all = match self.answers(&method, message).await? {
            Ok(all) => all,
            Err(refusal) => return Ok(Err(refusal)),
        };
        ensure!(all.len() == 1, "{rpc} answered {} times", all.len());
        Ok(Ok(all.remove(0)))
    }

    /// Calls an RPC and gives every answer.
    pub async fn answers(
        &self,
        method: &MethodDescriptor,
        message: Value,
    ) -> Result<Result<Vec<Value>, Refusal>> {
        let rpc = name_of(method);
        if let Ok(mut called) = self.called.lock() {
            called.insert(rpc.clone());
        }
        let message = DynamicMessage::deserialize(method.input(), message)
            .with_context(|| format!("a {rpc} request"))?;
        let mut request = Request::new(tokio_stream::once(Bytes::from(message.encode_to_vec())));
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", format!("Bearer {bearer}").parse()?);
        }
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await?;
        let path = format!("/{rpc}").parse()?;
        let mut stream = match client.streaming(request, path, Verbatim).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Ok(Err(Refusal::of_status(&status))),
        };
        let mut all = Vec::new();
        loop {
            match stream.message().await {
                Ok(Some(bytes)) => all.push(json(&DynamicMessage::decode(method.output(), bytes)?)?),
                Ok(None) => return Ok(Ok(all)),
                Err(status) => return Ok(Err(Refusal::of_status(&status))),
            }
        }
    }

    /// The names of all RPCs that were called.
    pub fn called(&self) -> BTreeSet<String> {
        self.called.lock().map(|called| called.clone()).unwrap_or_default()
    }

    fn method(&self, rpc: &str) -> Result<MethodDescriptor> {
        let (service, method) = rpc.split_once('/').context("an RPC is named service/method")?;
        let service =
            self.pool.get_service_by_name(service).with_context(|| format!("no service {service}"))?;
        let found = service.methods().find(|found| found.name() == method);
        found.with_context(|| format!("no RPC {rpc}"))
    }
}

/// `chancery.admin.v1.TeamsService/GetTeam`
pub fn name_of(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

fn json(message: &DynamicMessage) -> Result<Value> {
    // As REST spells them: one form everywhere.
    let options = SerializeOptions::new().stringify_64_bit_integers(false);
    Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// Messages that are bytes already.
#[derive(Debug, Clone, Copy, Default)]
struct Verbatim;

impl Codec for Verbatim {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
