//! How a request is framed and addressed, where the parser below is more generous than is safe behind others' proxies.
//!
//! Law: what two parsers could read as different requests is nobody's request: it is refused, and over HTTP/1.1 its connection
//! closed (RFC 9112, 3.2, 6.1 and 11.2; RFC 9113, 8.2.2 and 8.3.1). Deliberately absent: what the parser refuses by itself.

use http::{HeaderMap, HeaderValue, Request, Uri, Version, header};

/// What is in doubt about a request; nothing for nearly every one.
pub(super) fn doubt<B>(request: &Request<B>) -> Option<&'static str> {
    let headers = request.headers();
    if request.version() > Version::HTTP_11 {
        return of_http2(request.uri(), headers);
    }
    if !is_plainly_coded(headers) {
        return Some("the body must be coded as `chunked` and nothing else, or have a length");
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Some("one `host` header must be given");
    }
    None
}

/// HTTP/2 has its own framing, and one place for the host.
fn of_http2(uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Some("`transfer-encoding` has no meaning here");
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let agrees = |host: &HeaderValue| {
        uri.authority().is_none_or(|asked| host.as_bytes().eq_ignore_ascii_case(asked.as_str().as_bytes()))
    };
    if !hosts.all(agrees) {
        return Some("`host` and `:authority` must be the same");
    }
    None
}

fn is_plainly_coded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => {
            only.as_bytes().eq_ignore_ascii_case(b"chunked") && !headers.contains_key(header::CONTENT_LENGTH)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubted(version: Version, headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = Request::new(());
        *request.version_mut() = version;
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        doubt(&request).is_some()
    }

    #[test]
    fn case_58_what_two_parsers_could_read_differently_is_refused() {
        const HOST: (&str, &str) = ("host", "a");
        for doubtful in [
            &[HOST, ("transfer-encoding", "gzip, chunked")] as &[_],
            &[HOST, ("transfer-encoding", "identity"), ("transfer-encoding", "chunked")],
            &[HOST, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[HOST, ("transfer-encoding", "chunked"), ("content-length", "5")],
            &[HOST, HOST],
            &[],
        ] {
            assert!(doubted(Version::HTTP_11, doubtful), "{doubtful:?}");
        }
        for plain in
            [&[HOST] as &[_], &[HOST, ("transfer-encoding", "Chunked")], &[HOST, ("content-length", "5")]]
        {
            assert!(!doubted(Version::HTTP_11, plain), "{plain:?}");
        }
        assert!(!doubted(Version::HTTP_10, &[]) && !doubted(Version::HTTP_2, &[]));
    }

    #[test]
    fn case_59_http2_has_one_host_and_one_framing() {
        let doubted = |name: &'static str, value: &str| {
            let request = Request::builder().version(Version::HTTP_2).uri("http://Here:8080/v1/models");
            doubt(&request.header(name, value).body(()).unwrap()).is_some()
        };
        assert!(doubted("host", "there") && doubted("host", "") && doubted("transfer-encoding", "chunked"));
        assert!(!doubted("host", "here:8080") && !doubted("accept", "there"));
        let alone = Request::builder().version(Version::HTTP_2).uri("/v1/models").header("host", "here");
        assert!(doubt(&alone.body(()).unwrap()).is_none(), "`host` may stand for `:authority`");
    }
}
