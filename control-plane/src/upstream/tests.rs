//! Every spelling that must not be registered, and those that may.

use super::*;

/// A URL, and what is wrong with it where nothing is allowed.
const REFUSED: &[(&str, Refused)] = &[
    ("http://169.254.169.254/latest", Refused::Forbidden),
    ("http://169.254.169.254./latest", Refused::Forbidden),
    ("http://[fd00:ec2::254]/", Refused::Forbidden),
    ("http://[::ffff:169.254.169.254]/v1", Refused::Forbidden),
    ("http://[::ffff:a9fe:a9fe]/v1", Refused::Forbidden),
    ("http://[64:ff9b::a9fe:a9fe]/v1", Refused::Forbidden),
    ("http://100.100.100.200/v1", Refused::Forbidden),
    ("http://metadata/v1", Refused::Forbidden),
    ("http://metadata.google.internal/computeMetadata/v1", Refused::Forbidden),
    ("http://METADATA.google.internal./v1", Refused::Forbidden),
    ("http://instance-data/v1", Refused::Forbidden),
    ("http://0.0.0.0/v1", Refused::Forbidden),
    ("http://[::]/v1", Refused::Forbidden),
    ("http://[fe80::1]/v1", Refused::Forbidden),
    ("http://255.255.255.255/v1", Refused::Forbidden),
    ("http://127.0.0.1:9000/v1", Refused::Loopback),
    ("http://127.0.0.1./v1", Refused::Loopback),
    ("http://127.8.9.1/v1", Refused::Loopback),
    ("http://[::1]/v1", Refused::Loopback),
    ("http://[0:0:0:0:0:0:0:1]/v1", Refused::Loopback),
    ("http://[::ffff:127.0.0.1]/v1", Refused::Loopback),
    ("http://localhost/v1", Refused::Loopback),
    ("http://localhost./v1", Refused::Loopback),
    ("http://LOCALHOST:8080/v1", Refused::Loopback),
    ("http://any.localhost/v1", Refused::Loopback),
    ("http://localhost.localdomain/v1", Refused::Loopback),
    ("http://ip6-loopback/v1", Refused::Loopback),
    ("http://10.0.0.1/v1", Refused::Private),
    ("http://192.168.1.1/v1", Refused::Private),
    ("http://[fd12:3456::1]/v1", Refused::Private),
    ("http://127.1/v1", Refused::Host),
    ("http://0x7f000001/v1", Refused::Host),
    ("http://0X7F.1/v1", Refused::Host),
    ("http://0177.0.0.1/v1", Refused::Host),
    ("http://2130706433/v1", Refused::Host),
    ("http://127.0.0.0x1/v1", Refused::Host),
    ("http://127.0.0.1../v1", Refused::Host),
    ("http://localhost../v1", Refused::Host),
    ("http://api..example.com/v1", Refused::Host),
    ("http://127%2e0.0.1/v1", Refused::Form),
    ("http://[fe80::1%25eth0]/v1", Refused::Host),
    ("http://[127.0.0.1]/v1", Refused::Host),
    ("https://key@api.example.com/v1", Refused::UserInfo),
    ("https://user:pass@api.example.com/v1", Refused::UserInfo),
    ("https://api.example.com@169.254.169.254/v1", Refused::UserInfo),
    ("file:///etc/passwd", Refused::Form),
    ("file://host/etc/passwd", Refused::Scheme),
    ("gopher://api.example.com/v1", Refused::Scheme),
    ("ftp://api.example.com/v1", Refused::Scheme),
    ("unix:/var/run/docker.sock", Refused::Form),
    ("javascript:alert(1)", Refused::Form),
    ("//api.example.com/v1", Refused::Form),
    ("api.example.com/v1", Refused::Form),
    ("/v1", Refused::Form),
    ("https:///v1", Refused::Form),
    ("https://", Refused::Form),
    ("https://api.example.com:25/v1", Refused::Port),
    ("https://api.example.com:22/v1", Refused::Port),
    ("http://api.example.com:6379/v1", Refused::Port),
    ("http://api.example.com:5432/v1", Refused::Port),
    ("http://api.example.com:0/v1", Refused::Port),
    ("http://api.example.com:/v1", Refused::Port),
    ("https://api.example.com/v1?key=1", Refused::Characters),
    ("https://api.example.com/v1#x", Refused::Characters),
    ("https://api.example.com\\@169.254.169.254/v1", Refused::Characters),
    ("https://api.example.com/v1 ", Refused::Characters),
    ("https://api.example.com/\r\nhost: x", Refused::Characters),
    ("https://b\u{fc}cher.example/v1", Refused::Characters),
    ("https://api\u{3002}example.com/v1", Refused::Characters),
    ("https://metadata.azure.com/v1", Refused::Forbidden),
    ("http://Metadata.Azure.com./v1", Refused::Forbidden),
    ("https://kubernetes/v1", Refused::Forbidden),
    ("https://kubernetes.default.svc/v1", Refused::Forbidden),
    ("https://kubernetes.default.svc.cluster.local/v1", Refused::Forbidden),
    ("https://169.254.169.254.nip.io/v1", Refused::Forbidden),
    ("https://a9fea9fe.nip.io/v1", Refused::Forbidden),
    ("https://app-169-254-169-254.sslip.io/v1", Refused::Forbidden),
    ("https://fd00-ec2--254.sslip.io/v1", Refused::Forbidden),
    ("https://127.0.0.1.nip.io/v1", Refused::Loopback),
    ("https://127-0-0-1.example.com/v1", Refused::Loopback),
    ("https://app-7f000001.nip.io/v1", Refused::Loopback),
    ("https://--1.sslip.io/v1", Refused::Host),
    ("https://0--1.sslip.io/v1", Refused::Loopback),
    ("https://app-0--1.sslip.io/v1", Refused::Loopback),
    ("https://my-app-fd12-3456--1.sslip.io/v1", Refused::Private),
    ("https://127.0.0.1.xip.io/v1", Refused::Loopback),
    ("https://lvh.me/v1", Refused::Loopback),
    ("https://any.localtest.me/v1", Refused::Loopback),
    ("https://10.0.0.1.sslip.io/v1", Refused::Private),
    ("https://www.192-168-1-1.sslip.io/v1", Refused::Private),
    ("http://vllm:8000/v1", Refused::Private),
    ("https://vllm/v1", Refused::Private),
    ("http://vllm.models.svc.cluster.local:8000/v1", Refused::Private),
    ("http://vllm.models.svc/v1", Refused::Private),
    ("http://vllm.internal:8000/v1", Refused::Private),
    ("https://printer.local/v1", Refused::Private),
    ("https://nas.lan/v1", Refused::Private),
    ("https://nas.home.arpa/v1", Refused::Private),
    ("http://vllm_a:8000/v1", Refused::Host),
    ("https://-/v1", Refused::Host),
    ("https://-a.example.com/v1", Refused::Host),
    ("https://a-.example.com/v1", Refused::Host),
    ("https://a_b.example.com/v1", Refused::Host),
    ("https://a..example.com/v1", Refused::Host),
    ("https://*.example.com/v1", Refused::Host),
    ("https://api.example.com/v1/../admin", Refused::Path),
    ("https://api.example.com/v1/..", Refused::Path),
    ("https://api.example.com/./v1", Refused::Path),
    ("https://api.example.com/%2e%2E/v1", Refused::Path),
    ("https://api.example.com/.%2e/v1", Refused::Path),
    ("https://api.example.com/v1/..%2fadmin", Refused::Path),
    ("https://api.example.com/%252e%252e/v1", Refused::Path),
    ("http://api.example.com/v1", Refused::Clear),
    ("HTTP://api.example.com:8000/v1", Refused::Clear),
    ("http://93.184.215.14/v1", Refused::Clear),
    ("http://[2606:2800:21f:cb07::1]/v1", Refused::Clear),
    ("http://93.184.215.14.nip.io/v1", Refused::Clear),
];

#[test]
fn case_76_every_spelling_is_refused_for_its_reason() {
    for (spelling, reason) in REFUSED {
        assert_eq!(Upstream::default().check(spelling), Err(*reason), "{spelling}");
    }
}

#[test]
fn what_public_vendors_are_called_is_fine() {
    for base in [
        "https://api.openai.com/v1",
        "https://api.openai.com./v1/",
        "https://93.184.215.14",
        "https://ec2-52-1-2-3.compute-1.amazonaws.com/v1",
        "https://api.example.com/v1.0/a..b",
        "https://internal.example.com/v1",
        "https://metadata.example.com/v1",
        "https://[2606:2800:21f:cb07::1]:8443/v1",
        "https://1password.example/v1",
        "https://xn--bcher-kva.example/v1",
        "HTTPS://API.EXAMPLE.COM:443/v1",
    ] {
        assert_eq!(Upstream::default().check(base), Ok(()), "{base}");
    }
}

#[test]
fn what_is_allowed_is_allowed_and_metadata_never() {
    let every = || ["0.0.0.0/0", "::/0"].map(|net| net.parse().unwrap()).to_vec();
    let all = Upstream { allowed_networks: every(), allow_loopback: true };
    for (spelling, reason) in REFUSED {
        // A public address in a network that the operator named is the operator's own; a name says nothing of whose it is.
        let named = ["http://93.184.215.14/v1", "http://[2606:2800:21f:cb07::1]/v1"].contains(spelling);
        let lifted = matches!(reason, Refused::Loopback | Refused::Private) || named;
        assert_eq!(all.check(spelling).is_ok(), lifted, "{spelling}");
    }
    // Each key lifts what it is for, as far as it reaches.
    let networks = Upstream { allowed_networks: every(), allow_loopback: false };
    assert_eq!(networks.check("http://127.0.0.1/v1"), Err(Refused::Loopback));
    let loopback = Upstream { allow_loopback: true, ..Upstream::default() };
    assert_eq!(loopback.check("http://10.0.0.1/v1"), Err(Refused::Private));
    let one = Upstream { allowed_networks: vec!["10.1.0.0/16".parse().unwrap()], allow_loopback: false };
    assert_eq!(one.check("http://[::ffff:10.1.2.3]/v1"), Ok(()));
    assert_eq!(one.check("http://10.2.0.1/v1"), Err(Refused::Private));
}

#[test]
fn names_of_private_networks_follow_the_networks_that_are_allowed() {
    let one = Upstream { allowed_networks: vec!["10.1.0.0/16".parse().unwrap()], allow_loopback: false };
    for base in [
        "http://vllm:8000/v1",
        "http://vllm.models.svc.cluster.local:8000/v1",
        "http://vllm.internal/v1",
        "http://ip-10-1-2-3.eu-central-1.compute.internal:8000/v1",
        "https://10.1.2.3.nip.io/v1",
    ] {
        assert_eq!(one.check(base), Ok(()), "{base}");
    }
    for (base, reason) in [
        ("http://ip-10-2-2-3.ec2.internal/v1", Refused::Private),
        ("http://metadata.google.internal/v1", Refused::Forbidden),
        ("http://kubernetes.default.svc/v1", Refused::Forbidden),
        ("http://any.localhost/v1", Refused::Loopback),
        ("http://api.example.com/v1", Refused::Clear),
        ("http://10.1.2.3.nip.io/v1", Refused::Clear),
    ] {
        assert_eq!(one.check(base), Err(reason), "{base}");
    }
    let loopback = Upstream { allow_loopback: true, ..Upstream::default() };
    assert_eq!(loopback.check("http://vllm:8000/v1"), Err(Refused::Private));
    assert_eq!(loopback.check("http://any.localhost:8000/v1"), Ok(()));
}

#[test]
fn a_host_name_has_labels_and_a_length() {
    let long = "a".repeat(63);
    let host = |labels: &[&str]| Upstream::default().check(&format!("https://{}/v1", labels.join(".")));
    assert_eq!(host(&[&long, &long, &long, &"a".repeat(58), "io"]), Ok(()));
    assert_eq!(host(&[&long, &long, &long, &"a".repeat(59), "io"]), Err(Refused::Host));
    assert_eq!(host(&[&"a".repeat(64), "io"]), Err(Refused::Host));
}
