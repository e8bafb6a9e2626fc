//! How far an address reaches, and which addresses may be registered.
//!
//! Law: mapped and translated spellings of an IPv4 address are judged as that IPv4 address. The data plane has the twin of
//! this table for what it dials; the two say the same. Deliberately absent: names and resolution, and any way to permit
//! link-local or metadata addresses.
//!
//! | address | verdict |
//! |---|---|
//! | metadata services, link-local, unspecified, `0/8`, multicast, broadcast | refused, whatever is allowed |
//! | loopback | only where `allow_loopback` is set |
//! | private, shared, reserved, documentation, tunnels | only inside `allowed_networks` |
//! | everything else | permitted |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nowhere a vendor could be.
    Forbidden,
    /// This machine.
    Loopback,
    /// A network that is not public.
    Private,
    /// The world.
    Public,
}

/// How far an address reaches, and the address itself in canonical form.
pub(super) fn reach(address: IpAddr) -> (Reach, IpAddr) {
    let address = canonical(address);
    let reach = match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    };
    (reach, address)
}

/// Metadata services outside link-local: Alibaba, Azure's wire server, Oracle.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// Metadata services on unique local addresses: AWS, Google, Scaleway.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042),
];

/// IPv4 special-purpose networks that are not public (IANA registry, RFC 6890).
const PRIVATE_V4: [Ipv4Net; 11] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 88, 99, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only IPv6 space that is routed publicly (RFC 4291).
const GLOBAL_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Parts of it that are not public: protocol assignments with Teredo, documentation, 6to4.
const PRIVATE_V6: [Ipv6Net; 4] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    Ipv6Net::new_assert(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The IPv4 address that an IPv6 spelling stands for (mapped, compatible, NAT64), or the address itself.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let embedded = match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x0064, 0xff9b, 0, 0, 0, 0] => true,
        [0, 0, 0, 0, 0, 0] => !(g == 0 && h <= 1),
        _ => false,
    };
    if !embedded {
        return address;
    }
    let ([p, q], [r, s]) = (g.to_be_bytes(), h.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(p, q, r, s))
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [first, ..] = address.octets();
    if first == 0
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || METADATA_V4.contains(&address)
    {
        Reach::Forbidden
    } else if address.is_loopback() {
        Reach::Loopback
    } else if PRIVATE_V4.iter().any(|net| net.contains(&address)) {
        Reach::Private
    } else {
        Reach::Public
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if address.is_unspecified()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || METADATA_V6.contains(&address)
    {
        Reach::Forbidden
    } else if address.is_loopback() {
        Reach::Loopback
    } else if GLOBAL_V6.contains(&address) && !PRIVATE_V6.iter().any(|net| net.contains(&address)) {
        Reach::Public
    } else {
        Reach::Private
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[(&str, Reach)] = &[
        ("93.184.215.14", Reach::Public),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", Reach::Public),
        ("127.0.0.1", Reach::Loopback),
        ("127.1.2.3", Reach::Loopback),
        ("::1", Reach::Loopback),
        ("::ffff:127.0.0.1", Reach::Loopback),
        ("::127.0.0.1", Reach::Loopback),
        ("64:ff9b::7f00:1", Reach::Loopback),
        ("10.0.0.7", Reach::Private),
        ("172.16.0.1", Reach::Private),
        ("172.32.0.1", Reach::Public),
        ("192.168.1.1", Reach::Private),
        ("::ffff:192.168.1.1", Reach::Private),
        ("100.64.0.1", Reach::Private),
        ("198.18.0.1", Reach::Private),
        ("203.0.113.9", Reach::Private),
        ("240.0.0.1", Reach::Private),
        ("fd12:3456::1", Reach::Private),
        ("fec0::1", Reach::Private),
        ("2001:db8::1", Reach::Private),
        ("2001::1", Reach::Private),
        ("2002:7f00:1::", Reach::Private),
        ("169.254.169.254", Reach::Forbidden),
        ("169.254.170.2", Reach::Forbidden),
        ("::ffff:169.254.169.254", Reach::Forbidden),
        ("::ffff:a9fe:a9fe", Reach::Forbidden),
        ("::ffff:0:a9fe:a9fe", Reach::Forbidden),
        ("64:ff9b::a9fe:a9fe", Reach::Forbidden),
        ("fd00:ec2::254", Reach::Forbidden),
        ("fd20:ce::254", Reach::Forbidden),
        ("100.100.100.200", Reach::Forbidden),
        ("168.63.129.16", Reach::Forbidden),
        ("192.0.0.192", Reach::Forbidden),
        ("fe80::1", Reach::Forbidden),
        ("0.0.0.0", Reach::Forbidden),
        ("0.1.2.3", Reach::Forbidden),
        ("::", Reach::Forbidden),
        ("::ffff:0.0.0.0", Reach::Forbidden),
        ("224.0.0.1", Reach::Forbidden),
        ("ff02::1", Reach::Forbidden),
        ("255.255.255.255", Reach::Forbidden),
    ];

    #[test]
    fn case_76_the_table_of_addresses() {
        for (spelling, expected) in TABLE {
            let address: IpAddr = spelling.parse().unwrap();
            assert_eq!(reach(address).0, *expected, "{spelling}");
        }
    }
}
