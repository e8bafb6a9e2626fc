//! The limit of the REST door: a proxy on the gateway's own stack that forwards and does nothing else.
//!
//! No key is checked, no byte is looked at, bodies pass as they come.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri};
use hyper::body::Incoming;

/// Serves until the parent ends. `upstream` is the `host:port` of the mock.
///
/// # Errors
/// The port cannot be bound, or `upstream` is no authority.
pub(crate) fn main(upstream: &str) -> anyhow::Result<()> {
    let authority: Authority = upstream.parse()?;
    super::run(|listener| async move {
        let client = super::client::<Incoming>();
        super::http1(listener, move |request| {
            let (client, authority) = (client.clone(), authority.clone());
            async move { Ok::<_, anyhow::Error>(client.request(redirected(request, authority)?).await?) }
        })
        .await
    })
}

fn redirected(mut request: Request<Incoming>, authority: Authority) -> anyhow::Result<Request<Incoming>> {
    request.headers_mut().remove(http::header::HOST);
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() =
        Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build()?;
    Ok(request)
}
