//! Which network addresses an endpoint may be dialled at.
//!
//! Law: the address checked is the address dialled, in canonical form: mapped and translated spellings of an IPv4
//! address are judged as that IPv4 address. Deliberately absent: names and resolution (`connect`), and any way to
//! permit link-local or metadata addresses.
//!
//! | address | verdict |
//! |---|---|
//! | metadata services, link-local, unspecified, `0/8`, multicast, broadcast | refused, whatever is allowed |
//! | loopback | only where development mode permits it |
//! | private, shared, reserved, documentation, tunnels | only inside an allowed network |
//! | everything else | permitted |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What may be dialled beyond public addresses; the default is nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct AddressPolicy {
    /// Whether `127/8` and `::1` may be dialled.
    pub(crate) loopback: Loopback,
    /// Networks that are not public and may be dialled all the same.
    pub(crate) allowed: Vec<IpNet>,
}

/// Whether this machine's own addresses may be dialled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Loopback {
    /// They may not; production.
    #[default]
    Refused,
    /// They may; development mode and tests.
    Permitted,
}

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Forbidden,
    Loopback,
    Private,
    Public,
}

impl AddressPolicy {
    /// Whether this very address may be dialled.
    pub(crate) fn permits(&self, address: IpAddr) -> bool {
        self.refusal(address).is_none()
    }

    /// Why this very address may not be dialled, in words that name what would open it.
    pub(crate) fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        let address = canonical(address);
        let (permitted, why) = match reach(address) {
            Reach::Forbidden => (false, NEVER),
            Reach::Loopback => (self.loopback == Loopback::Permitted, NO_LOOPBACK),
            Reach::Private => (self.allowed.iter().any(|net| net.contains(&address)), NO_NETWORK),
            Reach::Public => return None,
        };
        (!permitted).then_some(why)
    }
}

/// Why an address is refused that nothing opens.
pub(crate) const NEVER: &str = "the address is not permitted, and no configuration permits it";

/// Why loopback is refused; the key is the data plane's.
pub(crate) const NO_LOOPBACK: &str = "the address is not permitted: loopback takes `upstream.allow_loopback` in the data plane's configuration";

/// Why a network that is not public is refused; the key is the data plane's.
const NO_NETWORK: &str = "the address is not permitted: a network that is not public takes `upstream.allowed_networks` in the data plane's configuration";

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

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
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

    /// Address, then the verdict under: the default, development mode, everything on the allow-list.
    const TABLE: &[(&str, [bool; 3])] = &[
        ("93.184.215.14", [true, true, true]),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", [true, true, true]),
        ("127.0.0.1", [false, true, false]),
        ("127.1.2.3", [false, true, false]),
        ("::1", [false, true, false]),
        ("::ffff:127.0.0.1", [false, true, false]),
        ("::127.0.0.1", [false, true, false]),
        ("64:ff9b::7f00:1", [false, true, false]),
        ("10.0.0.7", [false, false, true]),
        ("172.16.0.1", [false, false, true]),
        ("172.32.0.1", [true, true, true]),
        ("192.168.1.1", [false, false, true]),
        ("::ffff:192.168.1.1", [false, false, true]),
        ("100.64.0.1", [false, false, true]),
        ("198.18.0.1", [false, false, true]),
        ("203.0.113.9", [false, false, true]),
        ("240.0.0.1", [false, false, true]),
        ("fd12:3456::1", [false, false, true]),
        ("fec0::1", [false, false, true]),
        ("2001:db8::1", [false, false, true]),
        ("2001::1", [false, false, true]),
        ("2002:7f00:1::", [false, false, true]),
        ("169.254.169.254", [false, false, false]),
        ("169.254.170.2", [false, false, false]),
        ("::ffff:169.254.169.254", [false, false, false]),
        ("::ffff:a9fe:a9fe", [false, false, false]),
        ("::ffff:0:a9fe:a9fe", [false, false, false]),
        ("64:ff9b::a9fe:a9fe", [false, false, false]),
        ("fd00:ec2::254", [false, false, false]),
        ("fd20:ce::254", [false, false, false]),
        ("100.100.100.200", [false, false, false]),
        ("168.63.129.16", [false, false, false]),
        ("192.0.0.192", [false, false, false]),
        ("fe80::1", [false, false, false]),
        ("0.0.0.0", [false, false, false]),
        ("0.1.2.3", [false, false, false]),
        ("::", [false, false, false]),
        ("::ffff:0.0.0.0", [false, false, false]),
        ("224.0.0.1", [false, false, false]),
        ("ff02::1", [false, false, false]),
        ("255.255.255.255", [false, false, false]),
    ];

    #[test]
    fn case_76_the_table_of_addresses() {
        let policies = [
            AddressPolicy::default(),
            AddressPolicy { loopback: Loopback::Permitted, allowed: Vec::new() },
            AddressPolicy {
                loopback: Loopback::Refused,
                allowed: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
            },
        ];
        for (spelling, verdicts) in TABLE {
            let address: IpAddr = spelling.parse().unwrap();
            for (policy, verdict) in policies.iter().zip(verdicts) {
                assert_eq!(policy.permits(address), *verdict, "{spelling} under {policy:?}");
            }
        }
    }

    #[test]
    fn a_refusal_names_the_key_that_opens_the_address() {
        for (spelling, key) in [
            ("127.0.0.1", Some("`upstream.allow_loopback`")),
            ("10.0.0.7", Some("`upstream.allowed_networks`")),
            ("169.254.169.254", None),
        ] {
            let why = AddressPolicy::default().refusal(spelling.parse().unwrap()).unwrap();
            let named = why.split_whitespace().find(|word| word.starts_with("`upstream."));
            assert_eq!(named, key, "{why}");
        }
    }

    #[test]
    fn a_private_network_is_permitted_as_far_as_its_prefix_reaches() {
        let policy =
            AddressPolicy { loopback: Loopback::Refused, allowed: vec!["10.1.0.0/16".parse().unwrap()] };
        assert!(policy.permits("10.1.255.255".parse().unwrap()));
        assert!(policy.permits("::ffff:10.1.0.1".parse().unwrap()));
        assert!(!policy.permits("10.2.0.0".parse().unwrap()));
    }
}
