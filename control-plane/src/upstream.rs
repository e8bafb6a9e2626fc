//! Where an upstream may be: a provider's base URL, checked when it is written.
//!
//! Law: what a data plane would never dial is not registered, and who registers it is told why, without the URL, which may
//! hold a secret. Deliberately absent: resolving names. What a name means is known when it is dialled, and the data plane
//! checks the very address then.

mod address;

use std::net::{IpAddr, Ipv4Addr};

use http::Uri;
use http::uri::{Authority, Scheme};
use ipnet::IpNet;
use serde::Deserialize;

use address::Reach;

/// Which upstream addresses may be registered, beyond public ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// Networks that are not public and may be registered; default none.
    pub allowed_networks: Vec<IpNet>,
    /// This machine's own addresses may be registered: for development only; default false.
    pub allow_loopback: bool,
}

/// Why a base URL is not registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has what no base URL has.
    #[error("has a query, a fragment, blanks or characters beyond ASCII, which a base URL has not")]
    Characters,
    /// It is none.
    #[error("is not a URL such as `https://api.example.com/v1`")]
    Form,
    /// It is of another kind.
    #[error("is neither https nor http")]
    Scheme,
    /// It carries a user name or a secret.
    #[error("carries a user name or a secret; give the secret as `spec.credential`")]
    UserInfo,
    /// The port is not one of HTTP.
    #[error("names a port that belongs to another service than HTTP")]
    Port,
    /// The host is neither a name nor an address in its usual form.
    #[error("names a host that is neither a name nor an IP address in its usual spelling")]
    Host,
    /// Metadata services, link-local and the like.
    #[error("names an address where no upstream may be: a metadata service, link-local or multicast")]
    Forbidden,
    /// This machine.
    #[error("names this machine, which only `upstream.allow_loopback` of the control plane would allow")]
    Loopback,
    /// A network that is not public.
    #[error("names a private address, outside `upstream.allowed_networks` of the control plane")]
    Private,
}

/// Ports above 1023 that belong to stores and never to a vendor (PostgreSQL, MySQL, Redis, memcached, MongoDB ...).
const STORE_PORTS: [u16; 10] = [2375, 2379, 2380, 3306, 5432, 5672, 6379, 6380, 11211, 27017];

/// Names of metadata services, wherever they resolve to.
const METADATA_NAMES: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

/// Names of this machine beside `localhost` and what is below it, as hosts files have them.
const LOOPBACK_NAMES: [&str; 4] =
    ["localhost.localdomain", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback"];

impl Upstream {
    /// Checks a base URL.
    pub fn check(&self, base_url: &str) -> Result<(), Refused> {
        if base_url.contains(['?', '#', '\\']) || !base_url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refused::Characters);
        }
        let uri: Uri = base_url.parse().map_err(|_| Refused::Form)?;
        if uri.scheme() != Some(&Scheme::HTTPS) && uri.scheme() != Some(&Scheme::HTTP) {
            return Err(if uri.scheme().is_some() { Refused::Scheme } else { Refused::Form });
        }
        let authority = uri.authority().ok_or(Refused::Form)?;
        if authority.as_str().contains('@') {
            return Err(Refused::UserInfo);
        }
        check_port(authority)?;
        self.check_host(authority.host())
    }

    fn check_host(&self, host: &str) -> Result<(), Refused> {
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if let Some(literal) = bracketed {
            return self.check_address(IpAddr::V6(literal.parse().map_err(|_| Refused::Host)?));
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return self.check_address(IpAddr::V4(address));
        }
        if ends_in_number(&name) || !name.split('.').all(is_label) {
            return Err(Refused::Host);
        }
        if METADATA_NAMES.contains(&name.as_str()) {
            return Err(Refused::Forbidden);
        }
        let local = name == "localhost" || name.ends_with(".localhost");
        if (local || LOOPBACK_NAMES.contains(&name.as_str())) && !self.allow_loopback {
            return Err(Refused::Loopback);
        }
        Ok(())
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        match address::reach(address) {
            (Reach::Forbidden, _) => Err(Refused::Forbidden),
            (Reach::Loopback, _) if !self.allow_loopback => Err(Refused::Loopback),
            (Reach::Private, address) if !self.allowed_networks.iter().any(|net| net.contains(&address)) => {
                Err(Refused::Private)
            }
            _ => Ok(()),
        }
    }
}

fn check_port(authority: &Authority) -> Result<(), Refused> {
    let after_host = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest);
    let port = match authority.port_u16() {
        Some(port) => port,
        None if after_host.contains(':') => return Err(Refused::Port),
        None => return Ok(()),
    };
    let privileged = port < 1024 && port != 80 && port != 443;
    if privileged || STORE_PORTS.contains(&port) { Err(Refused::Port) } else { Ok(()) }
}

/// Whether a text may stand between the dots of a host name.
fn is_label(label: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(fits)
}

/// Whether resolvers would read the host as an IPv4 number: its last label is decimal or `0x` hex (WHATWG URL, 3.5).
fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests;
