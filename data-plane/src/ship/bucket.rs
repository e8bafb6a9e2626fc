//! An S3-compatible bucket as the store of a geo.
//!
//! Law: an object is there whole or not at all, and is never written over: it is put only where none is (`if-none-match`), with its SHA-256,
//! and one that is there is the same, byte for byte, or is left as it is. What goes wrong is told by the object's name: an address here is a
//! signature. Deliberately absent: credentials of its own. They come from the environment, by the names that S3's clients know.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};

use super::NotShipped;
use crate::upstream::address::{AddressPolicy, Loopback};
use crate::upstream::connect::Connector;
use crate::upstream::tls;

/// For how long a signature is good, and a call may take.
const WITHIN: Duration = Duration::from_secs(60);

/// The region of who names none: what services that have no regions take for one.
const REGION: &str = "us-east-1";

/// The most that is read of an object that is there already, in bytes: far above what a segment has.
const MOST: usize = 2 << 30;

/// The most that is read of a page of names, in bytes: a thousand of them.
const PAGE: usize = 8 << 20;

/// A bucket, and where in it.
#[derive(Clone)]
pub(crate) struct S3 {
    bucket: Bucket,
    credentials: Credentials,
    /// What every object's name begins with; empty, or ending in `/`.
    prefix: String,
    client: Client<Connector, Full<Bytes>>,
}

/// Where a bucket is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place<'a> {
    /// Its name, and what names in it begin with, as in `bucket/prefix`.
    pub(crate) path: &'a str,
    /// The service; `None`: Amazon's, in the region.
    pub(crate) endpoint: Option<&'a str>,
    /// The region; `None`: `AWS_REGION`, or what services without regions take.
    pub(crate) region: Option<&'a str>,
    /// PEM certificates that are trusted beside the public roots.
    pub(crate) ca: Option<&'a str>,
}

impl S3 {
    /// The bucket at a place, with credentials of `environment`.
    ///
    /// # Errors
    /// What of it can't be meant, or is missing.
    pub(crate) fn at(
        place: &Place<'_>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, &'static str> {
        let (name, prefix) = place.path.split_once('/').unwrap_or((place.path, ""));
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if name.len() < 3 || !name.bytes().all(fits) {
            return Err("its bucket must have a name as S3 allows it: `s3://bucket/prefix`");
        }
        let region = place.region.map(str::to_owned).or_else(|| environment("AWS_REGION"));
        let region = region.unwrap_or_else(|| REGION.to_owned());
        // Buckets of a service of one's own have no names in DNS.
        let (endpoint, style) = match place.endpoint {
            Some(endpoint) => (endpoint.to_owned(), UrlStyle::Path),
            None => (format!("https://s3.{region}.amazonaws.com"), UrlStyle::VirtualHost),
        };
        let endpoint = endpoint.parse().map_err(|_| "its endpoint must be an http or https URL")?;
        let bucket = Bucket::new(endpoint, style, name.to_owned(), region)
            .map_err(|_| "its endpoint must be an http or https URL")?;
        let needed = "it needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment";
        let key = environment("AWS_ACCESS_KEY_ID").ok_or(needed)?;
        let secret = environment("AWS_SECRET_ACCESS_KEY").ok_or(needed)?;
        let credentials = match environment("AWS_SESSION_TOKEN") {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        };
        let tls = tls::client(place.ca).map_err(|_| "its authorities must be PEM certificates")?;
        // The operator named it: it may be anywhere.
        let anywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|net| net.parse().ok()).collect();
        let policy = AddressPolicy { loopback: Loopback::Permitted, allowed: anywhere };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(Connector::new(policy, tls, WITHIN));
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { bucket, credentials, prefix, client })
    }

    /// Puts an object there, unless it is there already.
    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<(), NotShipped> {
        let object = format!("{}{name}", self.prefix);
        if self.is_there(&object, &bytes).await? {
            return Ok(());
        }
        let checksum = BASE64_STANDARD.encode(digest(&SHA256, &bytes));
        let mut action = self.bucket.put_object(Some(&self.credentials), &object);
        let headers = [("if-none-match", "*"), ("x-amz-checksum-sha256", &checksum)];
        headers.iter().for_each(|(name, value)| action.headers_mut().insert(*name, *value));
        let request =
            headers.iter().fold(Request::builder().method(Method::PUT), |request, (name, value)| {
                request.header(*name, *value)
            });
        let request = request.uri(action.sign(WITHIN).as_str()).body(Full::new(bytes.clone()));
        match self.send(&object, request).await?.status() {
            status if status.is_success() => Ok(()),
            // Somebody else put it there meanwhile.
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => {
                self.is_there(&object, &bytes).await.map(drop)
            }
            status => Err(refused(&object, status)),
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// Something else is.
    async fn is_there(&self, object: &str, bytes: &Bytes) -> Result<bool, NotShipped> {
        let url = self.bucket.head_object(Some(&self.credentials), object).sign(WITHIN);
        let request = Request::builder().method(Method::HEAD).uri(url.as_str()).body(Full::default());
        let head = self.send(object, request).await?;
        match head.status() {
            StatusCode::NOT_FOUND => return Ok(false),
            status if !status.is_success() => return Err(refused(object, status)),
            _ => {}
        }
        match self.fetch(object, MOST).await? {
            Some(there) if there == *bytes => Ok(true),
            Some(_) => Err(NotShipped::Other(object.to_owned())),
            None => Err(refused(object, StatusCode::NOT_FOUND)),
        }
    }

    /// What is under a name, of so many bytes at most; `None`: nothing is.
    pub(super) async fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, NotShipped> {
        let object = format!("{}{name}", self.prefix);
        let found = self.fetch(&object, usize::try_from(most).unwrap_or(MOST)).await?;
        Ok(found.map(Vec::from))
    }

    async fn fetch(&self, object: &str, most: usize) -> Result<Option<Bytes>, NotShipped> {
        let url = self.bucket.get_object(Some(&self.credentials), object).sign(WITHIN);
        let request = Request::builder().uri(url.as_str()).body(Full::default());
        let answer = self.send(object, request).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => return Ok(None),
            status if !status.is_success() => return Err(refused(object, status)),
            _ => {}
        }
        let there = tokio::time::timeout(WITHIN, Limited::new(answer.into_body(), most).collect()).await;
        let there = there.map_err(|_| away(object, "it takes too long"))?;
        Ok(Some(there.map_err(|error| away(object, error))?.to_bytes()))
    }

    /// The names below a prefix, without it: up to those that begin with this, and the page of the first after it.
    pub(super) async fn list(&self, prefix: &str, up_to: &str) -> Result<Vec<String>, NotShipped> {
        let prefix = format!("{}{prefix}", self.prefix);
        let (mut names, mut token) = (Vec::new(), None::<String>);
        loop {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(prefix.as_str());
            if let Some(token) = &token {
                action.with_continuation_token(token.as_str());
            }
            let request = Request::builder().uri(action.sign(WITHIN).as_str()).body(Full::default());
            let answer = self.send(&prefix, request).await?;
            if !answer.status().is_success() {
                return Err(refused(&prefix, answer.status()));
            }
            let page = tokio::time::timeout(WITHIN, Limited::new(answer.into_body(), PAGE).collect()).await;
            let page = page.map_err(|_| away(&prefix, "it takes too long"))?;
            let page = page.map_err(|error| away(&prefix, error))?.to_bytes();
            let page =
                std::str::from_utf8(&page).ok().and_then(|text| ListObjectsV2::parse_response(text).ok());
            let page = page.ok_or_else(|| away(&prefix, "the store's list can't be read"))?;
            let own = |key: &str| key.strip_prefix(&prefix).map(str::to_owned);
            names.extend(page.contents.iter().filter_map(|object| own(&object.key)));
            token = page.next_continuation_token;
            let is_past = |name: &String| !name.starts_with(up_to) && name.as_str() > up_to;
            if token.is_none() || names.last().is_some_and(is_past) {
                return Ok(names);
            }
        }
    }

    /// Removes an object, where it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<(), NotShipped> {
        let object = format!("{}{name}", self.prefix);
        let url = self.bucket.delete_object(Some(&self.credentials), &object).sign(WITHIN);
        let request = Request::builder().method(Method::DELETE).uri(url.as_str()).body(Full::default());
        match self.send(&object, request).await?.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            status => Err(refused(&object, status)),
        }
    }

    async fn send(
        &self,
        object: &str,
        request: http::Result<Request<Full<Bytes>>>,
    ) -> Result<Response<Incoming>, NotShipped> {
        let request = request.map_err(|_| away(object, "its name makes no address"))?;
        let sent = tokio::time::timeout(WITHIN, self.client.request(request)).await;
        sent.map_err(|_| away(object, "it takes too long"))?.map_err(|error| away(object, error))
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({}/{})", self.bucket.name(), self.prefix)
    }
}

fn refused(object: &str, status: StatusCode) -> NotShipped {
    away(object, format!("the store answers {status}"))
}

fn away(object: &str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> NotShipped {
    NotShipped::Away { object: object.to_owned(), source: why.into() }
}
