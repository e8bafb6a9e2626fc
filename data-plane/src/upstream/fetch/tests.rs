//! Against a server of this machine that answers with the bytes a test wants.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::dialect::openai;
use crate::upstream::address::Loopback;
use crate::upstream::connect::Names;
use crate::upstream::fetched::Fetched;
use crate::upstream::scripted::{identity, request, serve};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot much of a picture";

/// Settings for plain HTTP on this machine, which is listed.
pub(crate) fn settings() -> Settings {
    Settings {
        hosts: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
        plain_http: true,
        files: 2,
        file_bytes: 1000,
        within: Duration::from_secs(20),
        at_once: 2,
        addresses: AddressPolicy { loopback: Loopback::Permitted, allowed: Vec::new() },
        extra_roots: None,
    }
}

/// A server that gives the same answer to all, and what it was asked.
async fn giving(head: &str, body: &[u8]) -> (u16, mpsc::UnboundedReceiver<String>) {
    let (told, heard) = mpsc::unbounded_channel();
    let answer = [format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes(), body].concat();
    let port = serve(move |mut stream| {
        let (told, answer) = (told.clone(), answer.clone());
        async move {
            let (head, _) = request(&mut stream).await;
            told.send(head).unwrap();
            stream.write_all(&answer).await.ok();
            stream.shutdown().await.ok();
        }
    })
    .await;
    (port, heard)
}

fn chat(urls: &[String]) -> Chat {
    let parts = urls.iter().map(|url| format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#));
    let parts = parts.collect::<Vec<_>>().join(",");
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{parts}]}}]}}"#);
    openai::read::read(body.as_bytes()).unwrap()
}

fn sources(chat: &Chat) -> Vec<Source> {
    let parts = chat.messages.iter().flat_map(|message| &message.content);
    let source = |part: &Part| match &part.kind {
        Kind::Image(source, _) | Kind::File { source, .. } => Some(source.clone()),
        _ => None,
    };
    parts.filter_map(source).collect()
}

const BEDROCK: (Dialect, Api) = (Dialect::Bedrock, Api::Gemini);

const GEMINI: (Dialect, Api) = (Dialect::Gemini, Api::Gemini);

/// The field that is refused, and why.
fn unfit(error: &UpstreamError) -> &Unfit {
    let Failure::Unfit(unfit) = &error.kind else { panic!("{error:?}") };
    unfit
}

/// What becomes of one picture: why it was not had, and what was noted.
async fn refused(settings: Settings, url: String) -> (&'static str, Vec<Fetched>) {
    let (fetcher, noted) = (Fetcher::new(settings).unwrap(), Fetches::somewhere());
    let mut chat = chat(&[url]);
    let error = fetcher.bring(&mut chat, BEDROCK, (&noted, None)).await.unwrap_err();
    assert_eq!(unfit(&error).field, "messages[0].content[0]");
    (unfit(&error).why, noted.all())
}

#[tokio::test]
async fn a_picture_is_fetched_with_nothing_said_of_whose_it_is() {
    let (port, mut heard) = giving("200 OK\r\ncontent-type: text/html", PNG).await;
    let url = format!("http://127.0.0.1:{port}/a.gif?signature=canary#part");
    let (fetcher, noted) = (Fetcher::new(settings()).unwrap(), Fetches::somewhere());
    let mut chat = chat(&[url]);
    let held = fetcher.bring(&mut chat, BEDROCK, (&noted, None)).await.unwrap();
    let data = BASE64_STANDARD.encode(PNG);
    assert_eq!(sources(&chat), [Source::Data { media_type: "image/png".to_owned(), data }], "by what it is");
    let head = heard.recv().await.unwrap();
    assert!(head.starts_with("GET /a.gif?signature=canary HTTP/1.1\r\n"), "{head}");
    let mut names: Vec<&str> = head.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    let digest = digest_of("127.0.0.1");
    assert_eq!(noted.all(), [Fetched { host: digest, bytes: Some(PNG.len() as u64) }]);
    assert!(!format!("{noted:?}").contains("canary"));
    drop(held);
    assert_eq!(fetcher.places.available_permits(), 2, "its place is free again");
}

fn digest_of(host: &str) -> [u8; 8] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, host.as_bytes());
    *digest.as_ref().first_chunk().unwrap()
}

#[tokio::test]
async fn what_a_host_answers_otherwise_is_refused_by_the_field() {
    let bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
    let large = [PNG, &[0; 1000]].concat();
    for (head, body, why) in [
        ("302 Found\r\nlocation: http://127.0.0.1:1/", PNG, "redirect"),
        ("307 Temporary Redirect\r\nlocation: https://example.org/a.png", PNG, "redirect"),
        ("404 Not Found", PNG, "did not give it"),
        ("206 Partial Content", PNG, "did not give it"),
        ("200 OK\r\ncontent-encoding: gzip", bomb, "compressed"),
        ("200 OK\r\ncontent-length: 5000", PNG, "larger"),
        ("200 OK", &large, "larger"),
        ("200 OK\r\ncontent-length: 500", PNG, "broke off"),
        ("200 OK\r\ncontent-type: image/png", b"<html>bob@example.org", "no type"),
        ("200 OK\r\ncontent-type: image/png", b"%PDF-1.7", "no type"),
        ("200 OK\r\ncontent-type: image/svg+xml", b"<svg/>", "no type"),
        ("200 OK\r\ncontent-type: image/png", b"", "no type"),
    ] {
        let (port, _heard) = giving(head, body).await;
        let (told, noted) = refused(settings(), format!("http://127.0.0.1:{port}/a")).await;
        assert!(told.contains(why), "{head}: {told}");
        assert_eq!(noted, [Fetched { host: digest_of("127.0.0.1"), bytes: None }], "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_slow_is_not_waited_for() {
    let port = serve(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n\x89PNG").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let (told, _) = refused(settings(), format!("http://127.0.0.1:{port}/a")).await;
    assert!(told.contains("too long"), "{told}");
}

#[tokio::test]
async fn where_it_may_not_go_nothing_is_dialled() {
    let (port, mut heard) = giving("200 OK", PNG).await;
    let strict = || Settings { hosts: Vec::new(), addresses: AddressPolicy::default(), ..settings() };
    for url in [
        format!("http://127.0.0.1:{port}/a"),
        format!("http://localhost:{port}/a"),
        format!("http://0x7f000001:{port}/a"),
        format!("http://2130706433:{port}/a"),
        format!("http://[::ffff:127.0.0.1]:{port}/a"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        "http://10.0.0.1/a".to_owned(),
        "http://example.org:22/a".to_owned(),
        "http://u:p@example.org/a".to_owned(),
        "http://example.org/a\\\\b".to_owned(),
    ] {
        let (told, _) = refused(strict(), url.clone()).await;
        assert!(
            told.contains("no URL that is fetched") || told.contains("can't be reached"),
            "{url}: {told}"
        );
    }
    let https = Settings { plain_http: false, ..settings() };
    assert!(refused(https, format!("http://127.0.0.1:{port}/a")).await.0.contains("only `https`"));
    let listed = Settings { hosts: vec!["example.org".to_owned(), "*.example.com".to_owned()], ..settings() };
    for host in ["127.0.0.1", "example.org.evil.test", "evilexample.org", "example.com"] {
        let (told, _) = refused(listed.clone(), format!("http://{host}:{port}/a")).await;
        assert!(told.contains("its host is none"), "{host}: {told}");
    }
    let fetcher = Fetcher::new(listed).unwrap();
    assert!(
        fetcher.checked("http://Example.ORG/a").is_ok() && fetcher.checked("http://a.b.example.com/").is_ok()
    );
    assert!(heard.try_recv().is_err(), "nobody was dialled");
}

#[tokio::test]
async fn what_was_opened_for_endpoints_is_open_at_listed_hosts_alone() {
    let (port, mut heard) = giving("200 OK", PNG).await;
    let allowed = vec!["10.0.0.0/8".parse().unwrap()];
    let wide = |hosts: Vec<String>| {
        let addresses = AddressPolicy { loopback: Loopback::Permitted, allowed: allowed.clone() };
        Settings { hosts, addresses, ..settings() }
    };
    for url in [format!("http://127.0.0.1:{port}/a"), "https://10.1.2.3:8443/payroll.pdf".to_owned()] {
        let (told, _) = refused(wide(Vec::new()), url.clone()).await;
        assert!(told.contains("no URL that is fetched"), "{url}: {told}");
    }
    assert!(heard.try_recv().is_err(), "nobody was dialled");
    let fetcher = Fetcher::new(wide(vec!["10.1.2.3".to_owned()])).unwrap();
    assert!(fetcher.checked("https://10.1.2.3:8443/payroll.pdf").is_ok());
}

#[tokio::test]
async fn who_fetches_itself_is_told_what_our_rules_refuse() {
    let (port, mut heard) = giving("200 OK", b"<html>").await;
    let fetcher = Fetcher::new(Settings { plain_http: false, ..settings() }).unwrap();
    let noted = Fetches::somewhere();
    let urls = ["https://elsewhere.example.org/a", "http://127.0.0.1:8000/a"].map(str::to_owned);
    let mut chat = self::chat(&urls);
    assert!(fetcher.bring(&mut chat, GEMINI, (&noted, None)).await.unwrap().is_none());
    assert_eq!(sources(&chat), urls.map(Source::Url));
    assert!(noted.all().is_empty() && heard.try_recv().is_err(), "nobody was dialled");
    // What is no picture here may be one there, and what is one too many is its to fetch.
    let fetcher = Fetcher::new(Settings { files: 1, ..settings() }).unwrap();
    let urls = ["a", "b"].map(|name| format!("http://127.0.0.1:{port}/{name}"));
    let mut chat = self::chat(&urls);
    fetcher.bring(&mut chat, GEMINI, (&noted, None)).await.unwrap();
    assert_eq!((sources(&chat), noted.all().len()), (urls.map(Source::Url).to_vec(), 1));
    // A host that has nothing has nothing for the vendor either.
    let (port, _heard) = giving("404 Not Found", PNG).await;
    let mut chat = self::chat(&[format!("http://127.0.0.1:{port}/a")]);
    let error = fetcher.bring(&mut chat, GEMINI, (&noted, None)).await.unwrap_err();
    assert!(unfit(&error).why.contains("did not give it"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn where_no_place_is_left_the_node_is_full_and_no_field_is_wrong() {
    let fetcher = Fetcher::new(settings()).unwrap();
    let _held = fetcher.places.clone().acquire_many_owned(2).await.unwrap();
    let mut chat = chat(&["http://127.0.0.1:8000/a".to_owned()]);
    let error = fetcher.bring(&mut chat, BEDROCK, (&Fetches::default(), None)).await.unwrap_err();
    assert!(error.kind == Failure::Full && error.retryable(), "{error:?}");
}

#[tokio::test]
async fn a_name_that_leads_inside_gains_nothing() {
    let (port, mut heard) = giving("200 OK", PNG).await;
    let strict = Settings { hosts: Vec::new(), addresses: AddressPolicy::default(), ..settings() };
    let inside: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let names = Names::Table(std::sync::Mutex::new(VecDeque::from([vec![inside]])));
    let tls = tls::client(None).unwrap();
    let connector = Connector::with_names(strict.addresses.clone(), tls, strict.within, names);
    let (fetcher, noted) = (Fetcher::with(connector, strict), Fetches::somewhere());
    let mut chat = chat(&[format!("http://pictures.example.org:{port}/a.png")]);
    let error = fetcher.bring(&mut chat, BEDROCK, (&noted, None)).await.unwrap_err();
    assert!(unfit(&error).why.contains("can't be reached from here, or may not be"), "{error}");
    assert!(heard.try_recv().is_err(), "nobody was dialled");
}

#[tokio::test]
async fn a_host_that_nobody_vouches_for_is_not_believed() {
    let (root, acceptor) = identity("localhost", &["http/1.1"]);
    let port = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            request(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PNG.len());
            stream.write_all(&[head.as_bytes(), PNG].concat()).await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    let url = format!("https://localhost:{port}/a");
    let secure = |extra_roots| Settings { plain_http: false, extra_roots, ..settings() };
    assert!(refused(secure(None), url.clone()).await.0.contains("can't be reached"));
    let mut chat = chat(&[url]);
    let fetcher = Fetcher::new(secure(Some(root))).unwrap();
    fetcher.bring(&mut chat, BEDROCK, (&Fetches::default(), None)).await.unwrap();
    assert!(matches!(&sources(&chat)[..], [Source::Data { .. }]));
}

#[tokio::test]
async fn a_request_has_so_many_files_and_each_vendor_its_own_way() {
    let (port, mut heard) = giving("200 OK", PNG).await;
    let url = |name: &str| format!("http://127.0.0.1:{port}/{name}");
    let fetcher = Fetcher::new(settings()).unwrap();
    let noted = Fetches::somewhere();
    let mut three = chat(&[url("a"), url("b"), url("c")]);
    let error = fetcher.bring(&mut three, BEDROCK, (&noted, None)).await.unwrap_err();
    assert_eq!((&*unfit(&error).field, noted.all().len()), ("messages[0].content[2]", 0), "none is fetched");
    for told in
        [(Dialect::Anthropic, Api::Gemini), (Dialect::Cohere, Api::Gemini), (Dialect::Gemini, Api::Vertex)]
    {
        let mut two = chat(&[url("a"), url("b")]);
        assert!(fetcher.bring(&mut two, told, (&noted, None)).await.unwrap().is_none(), "{told:?}");
        assert!(sources(&two).iter().all(|source| matches!(source, Source::Url(_))), "{told:?}");
    }
    let own =
        ["https://generativelanguage.googleapis.com/v1beta/files/a", "https://youtu.be/a", "s3://b/a.png"];
    let mut own = chat(&own.map(str::to_owned));
    assert!(fetcher.bring(&mut own, GEMINI, (&noted, None)).await.unwrap().is_none());
    assert!(heard.try_recv().is_err(), "nobody was asked");
    let mut two = chat(&[url("a"), url("b")]);
    let held = fetcher.bring(&mut two, GEMINI, (&noted, None)).await.unwrap();
    assert!(sources(&two).iter().all(|source| matches!(source, Source::Data { .. })));
    assert_eq!((noted.all().len(), fetcher.places.available_permits()), (2, 0), "they are held");
    drop(held);
    let mut data = chat(&["data:image/png;base64,AAAA".to_owned()]);
    assert!(fetcher.bring(&mut data, BEDROCK, (&noted, None)).await.unwrap().is_none());
}
