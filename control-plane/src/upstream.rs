//! Where an upstream may be: a provider's base URL, checked when it is written.
//!
//! Law: what a data plane would never dial is not registered, and who registers it is told why, without the URL, which may
//! hold a secret. Credentials and prompts go in clear to no public host. Deliberately absent: resolving names. What a name
//! means is known when it is dialled, and the data plane checks the very address then.

mod address;
mod name;

use std::net::{IpAddr, Ipv4Addr};

use http::Uri;
use http::uri::{Authority, Scheme};
use ipnet::IpNet;
use serde::Deserialize;

use address::Reach;
use name::Whereabouts;

/// Which upstream addresses may be registered, beyond public ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// Networks that are not public and may be registered; default none. With any, so may names that only such networks have
    /// (`vllm`, `vllm.models.svc.cluster.local`); whether what they mean lies in these is seen when it is dialled.
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
    /// The path leads out of itself.
    #[error("has a path with `.` or `..` between its slashes, which a base URL has not")]
    Path,
    /// The port is not one of HTTP.
    #[error("names a port that belongs to another service than HTTP")]
    Port,
    /// The host is neither a name nor an address in its usual form.
    #[error("names a host that is neither a host name nor an IP address in its usual spelling")]
    Host,
    /// Metadata services, link-local and the like.
    #[error(
        "names a place where no upstream may be: a metadata service, a cluster's API, link-local or multicast"
    )]
    Forbidden,
    /// This machine.
    #[error("names this machine, which only `upstream.allow_loopback` of the control plane would allow")]
    Loopback,
    /// A network that is not public.
    #[error("names a private address or host, outside `upstream.allowed_networks` of the control plane")]
    Private,
    /// A public host without TLS.
    #[error(
        "would send credentials and prompts in clear to a public host; use https, or for a host of your own one of a \
         network in `upstream.allowed_networks` of the control plane"
    )]
    Clear,
}

/// Ports above 1023 that belong to stores and never to a vendor (PostgreSQL, MySQL, Redis, memcached, MongoDB ...).
const STORE_PORTS: [u16; 10] = [2375, 2379, 2380, 3306, 5432, 5672, 6379, 6380, 11211, 27017];

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
        if leads_out(uri.path()) {
            return Err(Refused::Path);
        }
        let place = self.check_host(authority.host())?;
        let clear = uri.scheme() == Some(&Scheme::HTTP) && place == Place::Public;
        if clear { Err(Refused::Clear) } else { Ok(()) }
    }

    fn check_host(&self, host: &str) -> Result<Place, Refused> {
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if let Some(literal) = bracketed {
            return self.check_address(IpAddr::V6(literal.parse().map_err(|_| Refused::Host)?));
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return self.check_address(IpAddr::V4(address));
        }
        if ends_in_number(&name) || !name::is_host_name(&name) {
            return Err(Refused::Host);
        }
        let whereabouts = name::whereabouts(&name);
        match whereabouts {
            Whereabouts::Forbidden => return Err(Refused::Forbidden),
            Whereabouts::Loopback if !self.allow_loopback => return Err(Refused::Loopback),
            Whereabouts::Private if self.allowed_networks.is_empty() => return Err(Refused::Private),
            _ => {}
        }
        for address in name::carried(&name) {
            self.check_address(address)?;
        }
        Ok(if whereabouts == Whereabouts::Unsaid { Place::Public } else { Place::Own })
    }

    fn check_address(&self, address: IpAddr) -> Result<Place, Refused> {
        let (reach, address) = address::reach(address);
        let allowed = self.allowed_networks.iter().any(|net| net.contains(&address));
        match reach {
            Reach::Forbidden => Err(Refused::Forbidden),
            Reach::Loopback if !self.allow_loopback => Err(Refused::Loopback),
            Reach::Private if !allowed => Err(Refused::Private),
            Reach::Public if !allowed => Ok(Place::Public),
            _ => Ok(Place::Own),
        }
    }
}

/// Where a host is that may be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the world.
    Public,
    /// On this machine, or in a network that the operator named.
    Own,
}

/// Whether a path has a segment that stands for another, written out or escaped, once or twice.
fn leads_out(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%25", "%");
    let path = path.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    path.split('/').any(|segment| matches!(segment, "." | ".."))
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
