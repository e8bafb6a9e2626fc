//! The whole control plane on real sockets: every port, every door, and a second start.

use std::path::Path;

use proto::admin::tenants_service_client::TenantsServiceClient;
use proto::admin::{CreateTenantRequest, GetTenantRequest, Tenant, TenantSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::*;

async fn started(dir: &Path) -> ControlPlane {
    try_started(dir).await.unwrap()
}

async fn try_started(dir: &Path) -> anyhow::Result<ControlPlane> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = crate::config::Listen { admin: any, sync: any, ops: any };
    ControlPlane::start(&Config { state_dir: dir.to_owned(), listen, ..Config::default() }).await
}

fn token(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("control-plane/admin.token")).unwrap()
}

async fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn signed<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

async fn http(address: SocketAddr, head: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn further_connections_wait_until_one_ends_and_the_ends_of_certificates_are_told() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = crate::config::Listen { admin: any, sync: any, ops: any };
    let admin = crate::config::AdminConfig { connections: 1, ..Default::default() };
    let config = Config { state_dir: dir.path().to_owned(), listen, admin, ..Config::default() };
    let house = ControlPlane::start(&config).await.unwrap();
    let Addresses { admin, ops, .. } = house.addresses();

    let held = tokio::net::TcpStream::connect(admin).await.unwrap();
    let asked = http(admin, "/openapi.json HTTP/1.1");
    tokio::pin!(asked);
    // Other ports are served while the one waits.
    let metrics = tokio::select! {
        metrics = http(ops, "/metrics HTTP/1.1") => metrics,
        answer = asked.as_mut() => panic!("there was no place: {answer}"),
    };
    drop(held);
    assert!(asked.await.starts_with("HTTP/1.1 200"));
    for certificate in ["authority", "sync"] {
        let name = format!(
            "chancery_control_certificate_not_after_timestamp_seconds{{certificate=\"{certificate}\"}} "
        );
        let end: i64 =
            metrics.split(&name).nth(1).and_then(|rest| rest.lines().next()).unwrap().parse().unwrap();
        assert!(end > crate::clock::now() / 1_000_000 + 80 * 24 * 60 * 60, "{end}");
    }
    house.shutdown().await;
}

#[test]
fn plain_text_is_told_of_only_where_others_can_read_it() {
    for (address, tls, exposed) in [
        ("127.0.0.1:1", false, false),
        ("[::1]:1", false, false),
        ("[::ffff:127.0.0.1]:1", false, false),
        ("0.0.0.0:1", false, true),
        ("10.0.0.1:1", false, true),
        ("0.0.0.0:1", true, false),
    ] {
        assert_eq!(is_exposed(address.parse().unwrap(), tls), exposed, "{address} {tls}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_port_is_served_and_a_second_start_finds_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let house = started(dir.path()).await;
    let Addresses { admin, sync, ops } = house.addresses();
    let token = token(dir.path());

    let mut tenants = TenantsServiceClient::new(channel(admin).await);
    let spec = TenantSpec { display_name: "Acme".into(), currency: "USD".into(), ..TenantSpec::default() };
    let tenant = Tenant { spec: Some(spec), ..Tenant::default() };
    let create = CreateTenantRequest { tenant_id: "acme".into(), tenant: Some(tenant), validate_only: false };
    assert_eq!(tenants.create_tenant(create.clone()).await.unwrap_err().code(), Code::Unauthenticated);
    let made = tenants.create_tenant(signed(&token, create)).await.unwrap().into_inner();

    let rest = http(admin, &format!("/v1/tenants/acme HTTP/1.1\r\nauthorization: Bearer {token}")).await;
    assert!(rest.starts_with("HTTP/1.1 200") && rest.contains("\"displayName\""), "{rest}");
    assert!(http(admin, "/v1/tenants/acme HTTP/1.1").await.starts_with("HTTP/1.1 401"));
    assert!(http(admin, "/nothing HTTP/1.1").await.starts_with("HTTP/1.1 404"));
    assert!(http(ops, "/livez HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    assert!(http(ops, "/readyz HTTP/1.1").await.starts_with("HTTP/1.1 200"));
    let metrics = http(ops, "/metrics HTTP/1.1").await;
    assert!(
        metrics.contains("chancery_control_revision 1") && metrics.contains("publications_total 1"),
        "{metrics}"
    );
    // Node sync speaks TLS and nothing else.
    let mut plain = tokio::net::TcpStream::connect(sync).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    house.shutdown().await;
    let again = started(dir.path()).await;
    let mut tenants = TenantsServiceClient::new(channel(again.addresses().admin).await);
    let get = GetTenantRequest { name: "tenants/acme".into() };
    assert_eq!(tenants.get_tenant(signed(&token, get)).await.unwrap().into_inner(), made);
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_refused_while_another_control_plane_has_it() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let house = started(dir.path()).await;
    let refused = try_started(dir.path()).await.unwrap_err().to_string();
    let (own, pid) = (dir.path().join("control-plane"), std::process::id());
    assert_eq!(refused, format!("`{}` is in use by another control plane (pid {pid})", own.display()));
    started(other.path()).await.shutdown().await;
    // Node certificates are issued beside it.
    let authority = Authority::open(&own.join("ca")).unwrap();
    assert_eq!(authority.certificate_pem(), house.authority().certificate_pem());

    house.shutdown().await;
    drop(started(dir.path()).await);
    started(dir.path()).await.shutdown().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_its_key() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken, free) = (held.local_addr().unwrap(), SocketAddr::from(([127, 0, 0, 1], 0)));
    for key in ["admin", "sync", "ops"] {
        let dir = tempfile::tempdir().unwrap();
        let at = |one: &str| if one == key { taken } else { free };
        let listen = crate::config::Listen { admin: at("admin"), sync: at("sync"), ops: at("ops") };
        let config = Config { state_dir: dir.path().to_owned(), listen, ..Config::default() };
        let refused = ControlPlane::start(&config).await.unwrap_err().to_string();
        assert_eq!(refused, format!("`listen.{key}` can't be bound to {taken}"));
    }
}

/// Sends everything of a request, and only then reads.
async fn told(address: SocketAddr, headers: &str, body: usize) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/policy:apply HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {body}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..body >> 20 {
        stream.write_all(&piece).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_too_much_or_is_a_stranger_still_reads_why() {
    let dir = tempfile::tempdir().unwrap();
    let house = started(dir.path()).await;
    let admin = house.addresses().admin;
    let known = format!("authorization: Bearer {}\r\n", token(dir.path()));
    let answer = told(admin, &known, 40 << 20).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("payload_too_large"), "{answer}");
    let answer = told(admin, "authorization: Bearer wrong\r\n", 40 << 20).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("invalid_api_key"), "{answer}");
    // Who asks first is told first.
    let waits = format!("{known}expect: 100-continue\r\n");
    let mut stream = tokio::net::TcpStream::connect(admin).await.unwrap();
    let head =
        format!("POST /v1/policy:apply HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{waits}\r\n", 40 << 20);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    house.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_reflection_and_unknown_calls_are_answered_as_grpc() {
    let dir = tempfile::tempdir().unwrap();
    let house = started(dir.path()).await;
    let channel = channel(house.addresses().admin).await;
    let check = HealthCheckRequest { service: "chancery.admin.v1.PolicyService".into() };
    let health = HealthClient::new(channel.clone()).check(check).await.unwrap().into_inner();
    assert_eq!(health.status, 1);
    let asked = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let asked = tokio_stream::once(asked);
    let mut said = ServerReflectionClient::new(channel.clone())
        .server_reflection_info(asked)
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) =
        said.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list")
    };
    let names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
    for service in served() {
        assert!(names.contains(&service), "{service} is not in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("inference")), "{names:?}");
    let mut unknown = proto::inference::inference_client::InferenceClient::new(channel);
    let refused = unknown.list_models(proto::inference::ListModelsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    house.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_control_plane_is_known_by_is_never_made_anew_beside_its_store() {
    let dir = tempfile::tempdir().unwrap();
    started(dir.path()).await.shutdown().await;
    let own = dir.path().join("control-plane");
    let (key, authority) = (own.join("master.key"), own.join("ca/authority.pem"));
    let refused = async || format!("{:#}", try_started(dir.path()).await.map(drop).unwrap_err());

    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let gone = refused().await;
    assert!(gone.contains(&format!("the master key `{}` is gone", key.display())), "{gone}");
    assert!(gone.contains("put the file back") && !key.exists(), "{gone}");
    crate::seal::Sealer::from_file(&key).unwrap();
    let other = refused().await;
    assert!(other.contains("not sealed under this master key") && other.contains("from a backup"), "{other}");
    std::fs::write(&key, kept).unwrap();

    let kept = std::fs::read(&authority).unwrap();
    std::fs::remove_file(&authority).unwrap();
    let gone = refused().await;
    assert!(gone.contains(&format!("the authority `{}` is gone", authority.display())), "{gone}");
    assert!(gone.contains("set `sync.signer_generation` to 2") && !authority.exists(), "{gone}");
    drop(Authority::open_or_create(&own.join("ca")).unwrap());
    let other = refused().await;
    assert!(other.contains("is not the one whose signer the nodes trust"), "{other}");
    std::fs::write(&authority, kept).unwrap();
    started(dir.path()).await.shutdown().await;

    // Another is taken where an operator says so.
    std::fs::remove_file(&authority).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listen = crate::config::Listen { admin: any, sync: any, ops: any };
    let sync = crate::config::SyncConfig { signer_generation: 2, ..Default::default() };
    let config = Config { state_dir: dir.path().to_owned(), listen, sync, ..Config::default() };
    ControlPlane::start(&config).await.unwrap().shutdown().await;
    assert!(authority.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_what_a_control_plane_is_known_by_no_store_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    started(dir.path()).await.shutdown().await;
    let own = dir.path().join("control-plane");
    let (store, key, ca) = (own.join("store.db"), own.join("master.key"), own.join("ca"));
    let refused = async || format!("{:#}", try_started(dir.path()).await.map(drop).unwrap_err());
    let beside = || ["store.db-wal", "store.db-shm"].map(|name| std::fs::remove_file(own.join(name)).ok());

    let kept = std::fs::read(&store).unwrap();
    std::fs::remove_file(&store).unwrap();
    beside();
    for _ in 0..2 {
        let gone = refused().await;
        assert!(
            gone.starts_with(&format!("the store `{}` is gone, and one was used with ", store.display()))
        );
        assert!(
            gone.contains("restore it from a backup") && gone.contains(&key.display().to_string()),
            "{gone}"
        );
        assert!(!store.exists());
    }
    std::fs::write(&store, "").unwrap();
    assert!(refused().await.contains("` is empty, and one was used"));
    // One without anything in it, as a shell makes it.
    std::fs::remove_file(&store).unwrap();
    Store::open(&store).await.unwrap().close().await;
    for _ in 0..2 {
        assert!(refused().await.contains("` holds nothing, and one was used"));
    }
    beside();
    std::fs::write(&store, kept).unwrap();
    started(dir.path()).await.shutdown().await;

    // Whoever moves both away begins anew.
    for path in [&store, &key] {
        std::fs::remove_file(path).unwrap();
    }
    beside();
    assert!(refused().await.contains("` is gone, and one was used"));
    std::fs::rename(&ca, own.join("ca.before")).unwrap();
    started(dir.path()).await.shutdown().await;
    started(dir.path()).await.shutdown().await;
    assert!(ca.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_were_brought_before_the_first_start_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("control-plane");
    crate::private::make_dir(&own).unwrap();
    crate::seal::Sealer::from_file(&own.join("master.key")).unwrap();
    let brought = Authority::open_or_create(&own.join("ca")).unwrap();
    let house = started(dir.path()).await;
    assert_eq!(house.authority().certificate_pem(), brought.certificate_pem());
    house.shutdown().await;
    started(dir.path()).await.shutdown().await;
}
