//! What a host's name alone says of where it is.
//!
//! Law: a name that says what its address would be refused for is refused for that; one that says nothing may be registered, for
//! what it means is known, and checked, when it is dialled. Deliberately absent: resolving.
//!
//! | name | verdict |
//! |---|---|
//! | a metadata service, the API of a Kubernetes cluster | refused, whatever is allowed |
//! | `localhost`, what is below it, and what hosts files call this machine | only where `allow_loopback` is set |
//! | one label, `.internal`, `.local`, `.svc` and the like | only where `allowed_networks` names any network |
//! | an address between its labels (`10.0.0.1.nip.io`, `app-127-0-0-1.example.com`) | as that address |
//! | any other | permitted |

use std::net::{IpAddr, Ipv4Addr};

/// Names of metadata services, wherever they resolve to.
const METADATA: [&str; 7] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.com",
    "metadata.azure.internal",
    "instance-data",
    "instance-data.ec2.internal",
];

/// The API of the cluster that a node runs in: no vendor, and a way to all that runs there.
const CLUSTER: [&str; 4] =
    ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];

/// Names of this machine beside `localhost` and what is below it, as hosts files have them.
const LOOPBACK: [&str; 4] =
    ["localhost.localdomain", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback"];

/// Last labels that no public name has: reserved (RFC 6762, RFC 8375, ICANN `.internal`), or used within clusters and houses.
const PRIVATE: [&str; 10] =
    ["internal", "intranet", "private", "local", "localdomain", "lan", "home", "corp", "svc", "home.arpa"];

/// Services whose names resolve to the address written in them, hexadecimal digits and IPv6 included.
const WILDCARDS: [&str; 3] = ["nip.io", "sslip.io", "xip.io"];

/// Such services that always mean this machine.
const HERE: [&str; 4] = ["localtest.me", "lvh.me", "vcap.me", "lacolhost.com"];

/// What a name says of where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// Where no upstream may be.
    Forbidden,
    /// This machine.
    Loopback,
    /// A network that is not public.
    Private,
    /// At most the addresses that [`carried`] finds in it.
    Unsaid,
}

/// What a name, in small letters and without the root's stop, says of where it is.
pub(super) fn whereabouts(name: &str) -> Whereabouts {
    let below =
        |zone: &str| name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if METADATA.contains(&name) || CLUSTER.contains(&name) {
        Whereabouts::Forbidden
    } else if below("localhost") || LOOPBACK.contains(&name) || HERE.iter().any(|zone| below(zone)) {
        Whereabouts::Loopback
    } else if !name.contains('.') || PRIVATE.iter().any(|zone| below(zone)) {
        Whereabouts::Private
    } else {
        Whereabouts::Unsaid
    }
}

/// The addresses written in a name: four numbers in a row, and, of the services that are for that, any other spelling at the end of
/// a label.
pub(super) fn carried(name: &str) -> Vec<IpAddr> {
    let parts: Vec<&str> = name.split(['.', '-']).collect();
    let octet = |part: &&str| part.parse::<u8>().ok().filter(|_| !part.starts_with('+'));
    let four = |parts: &[&str]| match parts.iter().map(octet).collect::<Option<Vec<u8>>>()?.as_slice() {
        [a, b, c, d] => Some(IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d))),
        _ => None,
    };
    let mut found: Vec<IpAddr> = parts.windows(4).filter_map(four).collect();
    let zone = WILDCARDS.iter().find_map(|zone| name.strip_suffix(zone)?.strip_suffix('.'));
    for label in zone.into_iter().flat_map(|labels| labels.split('.')) {
        let last = label.rsplit('-').next().filter(|digits| digits.len() == 8);
        let hex = last.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        found.extend(hex.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))));
        let ends = label.match_indices('-').filter_map(|(at, _)| label.get(at.saturating_add(1)..));
        let six = std::iter::once(label).chain(ends).find_map(|end| end.replace('-', ":").parse().ok());
        found.extend(six.map(IpAddr::V6));
    }
    found
}

/// Whether a text is a host name (RFC 1123 section 2.1): labels of letters, digits and hyphens, none of these at an end.
pub(super) fn is_host_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
