//! How a request is framed and addressed, where the parser below is more generous than is safe behind others' proxies.
//!
//! Law: what two parsers could read as different requests is nobody's request: it is refused, and over HTTP/1.1 its connection
//! closed (RFC 9112, 3.2, 6.1 and 11.2; RFC 9113, 8.2.2 and 8.3.1). Deliberately absent: what the parser refuses by itself.

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Uri, Version, header};

/// What is in doubt about a request; nothing for nearly every one.
pub(super) fn doubt<B>(request: &Request<B>) -> Option<&'static str> {
    let (version, headers) = (request.version(), request.headers());
    let framed = match version > Version::HTTP_11 {
        // HTTP/2 has its own framing.
        true if headers.contains_key(header::TRANSFER_ENCODING) => {
            Some("`transfer-encoding` has no meaning here")
        }
        false if !is_plainly_coded(headers) => {
            Some("the body must be coded as `chunked` and nothing else, or have a length")
        }
        _ => None,
    };
    framed.or_else(|| of_host(version, request.uri(), headers))
}

/// A request has one host: in `:authority` or the request's target, in `host`, or the same in both.
fn of_host(version: Version, uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    let target = uri.authority().map(Authority::as_str);
    let mut hosts = headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    match (target, hosts.next(), hosts.next()) {
        (_, _, Some(_)) => Some("one `host` header must be given"),
        (None, None, None) if version > Version::HTTP_10 => Some("`host` or `:authority` must be given"),
        (Some(target), ..) if target.contains('@') => Some("a host has no user before it"),
        (Some(target), Some(host), None) if !host.eq_ignore_ascii_case(target.as_bytes()) => {
            Some("`host` must be the one of the request's target")
        }
        // Over HTTP/1.1 the header must be there whatever the target says (RFC 9112, 3.2).
        (Some(_), None, None) if version == Version::HTTP_11 => Some("one `host` header must be given"),
        _ => None,
    }
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
        assert!(!doubted(Version::HTTP_10, &[]) && doubted(Version::HTTP_2, &[]));
    }

    #[test]
    fn case_59_a_request_has_one_host_wherever_it_is_said() {
        let doubted = |version, target: &str, headers: &[(&'static str, &str)]| {
            let mut request = Request::builder().version(version).uri(target);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            doubt(&request.body(()).unwrap()).is_some()
        };
        const TARGET: &str = "http://Here:8080/v1/models";
        const HOST: (&str, &str) = ("host", "here:8080");
        for version in [Version::HTTP_11, Version::HTTP_2] {
            assert!(!doubted(version, TARGET, &[HOST]), "{version:?}: the same in both");
            assert!(
                !doubted(version, "/v1/models", &[HOST]),
                "{version:?}: `host` may stand for `:authority`"
            );
            for (target, headers) in [
                ("/v1/models", &[] as &[_]),
                (TARGET, &[("host", "there")]),
                (TARGET, &[("host", "")]),
                (TARGET, &[HOST, HOST]),
                ("http://user@here:8080/v1/models", &[("host", "user@here:8080")]),
            ] {
                assert!(doubted(version, target, headers), "{version:?} {target} {headers:?}");
            }
        }
        assert!(!doubted(Version::HTTP_2, TARGET, &[]) && doubted(Version::HTTP_11, TARGET, &[]));
        assert!(doubted(Version::HTTP_2, TARGET, &[HOST, ("transfer-encoding", "chunked")]));
    }
}
