//! What a friendly vendor was asked, and what a story wants it to answer.
//!
//! Law: plain values, in the order of the wire. Deliberately absent: sending them.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};

use super::patience::Gate;

/// A request the vendor got.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path, with the query.
    pub path: String,
    /// The HTTP version it came in.
    pub version: Version,
    /// All its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Asked {
    /// The body as JSON. Errors if it is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).context("the request's body is not JSON")
    }
}

/// An answer the story wants given.
#[derive(Clone)]
pub struct Canned {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) pieces: Vec<Piece>,
}

/// A part of an answer's body.
#[derive(Clone)]
pub enum Piece {
    /// These bytes, sent at once.
    Bytes(Bytes),
    /// Silence until the story opens the gate.
    Wait(Gate),
    /// The connection, or the stream on it, is broken off.
    Break,
}

impl Canned {
    /// A JSON document.
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::of(status, "application/json", vec![Piece::Bytes(body.into())])
    }

    /// A JSON document, in these pieces.
    pub fn json_in(pieces: Vec<Piece>) -> Self {
        Self::of(StatusCode::OK, "application/json", pieces)
    }

    /// A stream of events, in these pieces.
    pub fn events(pieces: Vec<Piece>) -> Self {
        Self::of(StatusCode::OK, "text/event-stream", pieces)
    }

    /// The same, its body once the gate is open.
    pub fn after(mut self, gate: Gate) -> Self {
        self.pieces.insert(0, Piece::Wait(gate));
        self
    }

    /// The same with one more header.
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    fn of(status: StatusCode, kind: &'static str, pieces: Vec<Piece>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Self { status, headers, pieces }
    }
}
