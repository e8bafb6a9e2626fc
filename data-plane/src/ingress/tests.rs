//! The doors from the outside: real connections, a node with the simulated vendor behind them.

mod freshness;
mod grpc;
mod guardrail;
mod media;
mod openai;
mod overlay;
mod parity;
mod surfaces;
mod units;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use policy_engine::facts::Facts;
use tokio::net::TcpListener;

use crate::house::{House, KEY};
use crate::node::Node;

/// A house with its doors open.
struct Open {
    house: House,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back over HTTP.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

async fn open(edit: impl FnOnce(&mut Facts)) -> Open {
    let house = House::new(edit);
    let address = listen(house.node.clone()).await;
    Open { house, address, client: Client::builder(TokioExecutor::new()).build_http() }
}

async fn listen(node: Arc<Node>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = super::service(node, &tonic_health::server::HealthReporter::new());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    address
}

impl Open {
    async fn send(&self, (method, path): (Method, &str), headers: &[(&str, &str)], body: &str) -> Got {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        *request.method_mut() = method;
        *request.uri_mut() = format!("http://{}{path}", self.address).parse().unwrap();
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn post(&self, path: &str, body: &str) -> Got {
        let key = format!("Bearer {KEY}");
        self.send(
            (Method::POST, path),
            &[("authorization", &key), ("content-type", "application/json")],
            body,
        )
        .await
    }

    /// A chat whose answer has begun; the rest of it is still to be read.
    async fn post_streamed(&self, body: &str) -> hyper::body::Incoming {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{}/v1/chat/completions", self.address).parse().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {KEY}").parse().unwrap());
        let mut body = self.client.request(request).await.unwrap().into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        body
    }

    async fn get(&self, path: &str) -> Got {
        let key = format!("Bearer {KEY}");
        self.send((Method::GET, path), &[("authorization", &key)], "").await
    }
}
