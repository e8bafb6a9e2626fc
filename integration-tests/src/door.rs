//! Asking the house through either door, and hearing the same.
//!
//! Law: a story says what it asks and reads what it is told without knowing the door; only the two files below know the wire.
//! Deliberately absent: the gateway's own types for either side, but for the generated stubs that any caller has.

mod ask;
mod grpc;
mod rest;
mod told;

use anyhow::Result;

pub use ask::{Ask, Attached, Operation};
pub use rest::{client, get};
pub use told::{Head, Refused, Step, Told};

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The OpenAI dialect over HTTP.
    Rest,
    /// `chancery.inference.v1`.
    Grpc,
}

/// Where a caller calls, and as whom.
#[derive(Debug, Clone)]
pub struct Caller {
    /// `http://host:port` of a data plane.
    pub url: String,
    /// The API key; `None` sends none.
    pub key: Option<String>,
    /// PEM certificates that are trusted, where the URL is `https`.
    pub roots: Option<String>,
    /// Which way in.
    pub door: Door,
}

/// An answer as it comes.
pub enum Going {
    /// Over HTTP.
    Rest(Box<rest::Events>),
    /// Over gRPC.
    Grpc(Box<grpc::Events>),
}

impl Door {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Rest, Self::Grpc];
}

impl Caller {
    /// A caller at a door of a data plane.
    pub fn at(door: Door, url: impl Into<String>, key: impl Into<String>) -> Self {
        Self { url: url.into(), key: Some(key.into()), roots: None, door }
    }

    /// Asks, and hears the whole of the answer, or why there is none. Errors only where the house does not speak its
    /// protocol, or nothing comes in time.
    pub async fn ask(&self, ask: &Ask) -> Result<Result<Told, Refused>> {
        if ask.stream {
            return match self.open(ask).await? {
                Ok(going) => going.hear().await,
                Err(refused) => Ok(Err(refused)),
            };
        }
        let asking = async {
            match self.door {
                Door::Rest => rest::ask(self, ask).await,
                Door::Grpc => grpc::ask(self, ask).await,
            }
        };
        crate::wait::within("an answer", Box::pin(asking)).await?
    }

    /// Asks for a stream, and hears its beginning.
    pub async fn open(&self, ask: &Ask) -> Result<Result<Going, Refused>> {
        let opening = async {
            Ok(match self.door {
                Door::Rest => rest::open(self, ask).await?.map(|events| Going::Rest(Box::new(events))),
                Door::Grpc => grpc::open(self, ask).await?.map(|events| Going::Grpc(Box::new(events))),
            })
        };
        crate::wait::within("the beginning of a stream", Box::pin(opening)).await?
    }

    /// The names of the models the caller may know of, in the order they are told.
    pub async fn models(&self) -> Result<Result<Vec<String>, Refused>> {
        match self.door {
            Door::Rest => rest::models(self).await,
            Door::Grpc => grpc::models(self).await,
        }
    }
}

impl Going {
    /// What came before the first event: headers, or initial metadata.
    pub fn head(&self) -> &Head {
        match self {
            Self::Rest(events) => events.head(),
            Self::Grpc(events) => events.head(),
        }
    }

    /// The next step, `None` at the end; a refusal is how a broken answer ends.
    pub async fn next(&mut self) -> Result<Result<Option<Step>, Refused>> {
        crate::wait::within("an event", async {
            match self {
                Self::Rest(events) => events.next().await,
                Self::Grpc(events) => events.next().await,
            }
        })
        .await?
    }

    /// The rest of the answer, put together.
    pub async fn hear(mut self) -> Result<Result<Told, Refused>> {
        let mut told = Told { head: self.head().clone(), ..Told::default() };
        loop {
            match self.next().await? {
                Ok(Some(step)) => told.take(step),
                Ok(None) => return Ok(Ok(told)),
                Err(mut refused) => {
                    refused.before = Some(Box::new(told));
                    return Ok(Err(refused));
                }
            }
        }
    }
}
