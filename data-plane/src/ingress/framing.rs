//! How a request of HTTP/1.1 is framed, where the parser below is more generous than is safe behind others' proxies.
//!
//! Law: what two parsers could read as different requests is nobody's request: it is refused and its connection closed
//! (RFC 9112, 3.2, 6.1 and 11.2). Deliberately absent: what the parser refuses by itself, and HTTP/2, which has no such doubts.

use http::{HeaderMap, Request, Version, header};

/// What is in doubt about a request; nothing for nearly every one.
pub(super) fn doubt<B>(request: &Request<B>) -> Option<&'static str> {
    if request.version() > Version::HTTP_11 {
        return None;
    }
    let headers = request.headers();
    if !is_plainly_coded(headers) {
        return Some("the body must be coded as `chunked` and nothing else, or have a length");
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Some("one `host` header must be given");
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
}
