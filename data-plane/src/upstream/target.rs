//! Where an endpoint is: its base URL, checked once when the endpoint is built.
//!
//! Law: what cannot be permitted at connect is refused here already, with a reason: other schemes, userinfo, spelled
//! numbers, this machine, metadata services, ports that never speak HTTP. Deliberately absent: resolving names; the
//! connector checks every address again when it dials.

use std::net::{IpAddr, Ipv4Addr};

use http::{Uri, uri::Scheme};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use super::{
    address::{self, AddressPolicy, Loopback},
    config::Fault,
};

/// A checked base URL.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Scheme, authority and path, without a slash at the end.
    base: String,
}

/// What is escaped in a name that is one segment of a path: all but the unreserved (RFC 3986, 2.3).
pub(crate) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Ports above 1023 that belong to stores and never to a vendor (PostgreSQL, MySQL, Redis, memcached, MongoDB ...).
const STORE_PORTS: [u16; 10] = [2375, 2379, 2380, 3306, 5432, 5672, 6379, 6380, 11211, 27017];

/// Names of metadata services, wherever they resolve to.
const METADATA_NAMES: [&str; 4] =
    ["metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

impl Target {
    /// Checks `base_url` against what an endpoint may be and what `policy` permits.
    pub(crate) fn parse(base_url: &str, policy: &AddressPolicy) -> Result<Self, Fault> {
        if base_url.contains(['?', '#', '\\']) || !base_url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Fault::BaseUrl("a query, a fragment, blanks and non-ASCII are not allowed"));
        }
        let uri: Uri = base_url.parse().map_err(|_| Fault::BaseUrl("not a URL"))?;
        if uri.scheme() != Some(&Scheme::HTTPS) && uri.scheme() != Some(&Scheme::HTTP) {
            return Err(Fault::BaseUrl("the scheme is neither `https` nor `http`"));
        }
        let authority = uri.authority().ok_or(Fault::BaseUrl("no host"))?;
        if authority.as_str().contains('@') {
            return Err(Fault::BaseUrl("userinfo is not allowed"));
        }
        check_port(&uri)?;
        check_host(authority.host(), policy)?;
        Ok(Self { base: base_url.trim_end_matches('/').to_owned() })
    }

    /// The URI of one path below the base; `path` starts with a slash.
    pub(crate) fn join(&self, path: &str) -> Result<Uri, Fault> {
        format!("{}{path}", self.base).parse().map_err(|_| Fault::BaseUrl("not a URL"))
    }
}

fn check_port(uri: &Uri) -> Result<(), Fault> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let port = match uri.port_u16() {
        Some(port) => port,
        None if authority.rsplit_once(']').map_or(authority, |(_, rest)| rest).contains(':') => {
            return Err(Fault::BaseUrl("not a port"));
        }
        None => return Ok(()),
    };
    let privileged = port < 1024 && port != 80 && port != 443;
    if privileged || STORE_PORTS.contains(&port) {
        return Err(Fault::BaseUrl("the port belongs to another service"));
    }
    Ok(())
}

fn check_host(host: &str, policy: &AddressPolicy) -> Result<(), Fault> {
    let bare = bare_host(host);
    if bare.is_empty() {
        return Err(Fault::BaseUrl("no host"));
    }
    if let Ok(address) = bare.parse::<IpAddr>() {
        return policy.refusal(address).map_or(Ok(()), |why| Err(Fault::BaseUrl(why)));
    }
    if ends_in_number(bare) && bare.parse::<Ipv4Addr>().is_err() {
        return Err(Fault::BaseUrl("a number that is not a dotted IPv4 address"));
    }
    let name = bare.to_ascii_lowercase();
    if METADATA_NAMES.contains(&name.as_str()) {
        return Err(Fault::BaseUrl(address::NEVER));
    }
    let local = name == "localhost" || name.ends_with(".localhost");
    if local && policy.loopback == Loopback::Refused {
        return Err(Fault::BaseUrl(address::NO_LOOPBACK));
    }
    Ok(())
}

/// The host without the brackets of an IPv6 literal and without the root's dot.
pub(crate) fn bare_host(host: &str) -> &str {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether resolvers would read the host as an IPv4 number: its last label is decimal or `0x` hex (WHATWG URL, 3.5).
fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_76_spellings_are_refused_at_registration() {
        for spelling in [
            "http://169.254.169.254/latest",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/v1",
            "http://metadata.google.internal/computeMetadata/v1",
            "http://METADATA.google.internal./v1",
            "http://127.0.0.1:9000/v1",
            "http://127.1/v1",
            "http://0x7f000001/v1",
            "http://0x7f.1/v1",
            "http://0177.0.0.1/v1",
            "http://2130706433/v1",
            "http://[::1]/v1",
            "http://[::ffff:127.0.0.1]/v1",
            "http://localhost/v1",
            "http://localhost./v1",
            "http://LOCALHOST/v1",
            "http://any.localhost/v1",
            "http://0.0.0.0/v1",
            "http://10.0.0.1/v1",
            "https://key@api.example.com/v1",
            "https://user:pass@api.example.com/v1",
            "https://api.example.com@169.254.169.254/v1",
            "https://bücher.example/v1",
            "https://api。example.com/v1",
            "file:///etc/passwd",
            "gopher://api.example.com/v1",
            "unix:/var/run/docker.sock",
            "ftp://api.example.com/v1",
            "//api.example.com/v1",
            "api.example.com/v1",
            "https://api.example.com:25/v1",
            "https://api.example.com:22/v1",
            "http://api.example.com:6379/v1",
            "http://api.example.com:0/v1",
            "http://api.example.com:65536/v1",
            "http://api.example.com:/v1",
            "https://api.example.com/v1?key=1",
            "https://api.example.com/v1#x",
            "https://api.example.com\\@169.254.169.254/v1",
            "https://api.example.com/v1 ",
            "https:///v1",
            "https://",
            "",
        ] {
            assert!(Target::parse(spelling, &AddressPolicy::default()).is_err(), "{spelling}");
        }
    }

    #[test]
    fn a_refused_address_is_told_with_the_key_that_opens_it() {
        for (base, key) in [
            ("http://localhost:9000/v1", Some("upstream.allow_loopback")),
            ("http://127.0.0.1:9000/v1", Some("upstream.allow_loopback")),
            ("http://10.0.0.1/v1", Some("upstream.allowed_networks")),
            ("http://metadata.google.internal/v1", None),
            ("http://169.254.169.254/v1", None),
        ] {
            let fault = Target::parse(base, &AddressPolicy::default()).unwrap_err().to_string();
            let named = fault.split('`').find(|word| word.starts_with("upstream."));
            assert!(named == key && fault.starts_with("base URL: the address is not permitted"), "{fault}");
        }
    }

    #[test]
    fn ordinary_endpoints_are_accepted_and_joined() {
        for (base, joined) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
            ("http://vllm.internal:8000/v1", "http://vllm.internal:8000/v1/chat/completions"),
            ("https://93.184.215.14", "https://93.184.215.14/chat/completions"),
            (
                "https://[2606:2800:21f:cb07::1]:8443/v1",
                "https://[2606:2800:21f:cb07::1]:8443/v1/chat/completions",
            ),
            ("https://1password.example/v1", "https://1password.example/v1/chat/completions"),
        ] {
            let target = Target::parse(base, &AddressPolicy::default()).unwrap();
            assert_eq!(target.join("/chat/completions").unwrap().to_string(), joined);
        }
    }

    #[test]
    fn development_mode_reaches_this_machine() {
        let policy = AddressPolicy { loopback: Loopback::Permitted, allowed: Vec::new() };
        for base in ["http://127.0.0.1:9000/v1", "http://localhost:9000/v1", "http://[::1]:9000"] {
            assert!(Target::parse(base, &policy).is_ok(), "{base}");
        }
        assert!(Target::parse("http://127.1:9000/v1", &policy).is_err(), "spelled numbers stay refused");
    }
}
