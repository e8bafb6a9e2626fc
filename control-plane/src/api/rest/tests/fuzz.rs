//! Thousands of calls that are wrong in some way, over every route and every RPC, from a fixed seed.
//!
//! Law: nothing panics or fails inwardly; who is not known is told so and nothing else; no answer tells what is there from what
//! is not to somebody who may not read it; no refusal repeats a credential, wherever it stood.

use http::Response as Http;
use tonic::Code;

use super::served::{House, house};
use super::*;
use crate::api::rest::route::Route;

const SEED: u64 = 0x0c4a_5ce5;
const CASES: usize = 2_500;
/// A token of the length of the real ones that nobody knows.
const HUSH: &str = "5ec2e7beef5ec2e7beef5ec2e7beef5ec2e7beef5ec2e7beef5ec2e7beef0123";

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Headers by which nobody is known; every one of them carries a secret.
fn strangers_headers(chance: &mut Chance, known: &str) -> Vec<(&'static str, String)> {
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    match chance.below(9) {
        0 => vec![],
        1 => vec![bearer(HUSH)],
        2 => vec![bearer(&format!("{known}x"))],
        3 => vec![bearer(&known[..known.len() - 1])],
        4 => vec![("authorization", format!("Basic {HUSH}"))],
        5 => vec![("authorization", HUSH.to_owned()), ("api-key", String::new())],
        6 => vec![("x-api-key", format!("{known}{HUSH}"))],
        7 => vec![bearer("chy_../x_y"), bearer(HUSH)],
        _ => vec![("api-key", format!("chy_{HUSH}_{HUSH}")), ("cookie", HUSH.to_owned())],
    }
}

/// An id that fits into a path; `NAME` is put in later, once as something that is there and once as something that is not.
fn id(chance: &mut Chance) -> String {
    let odd = ["NAME", "NAME", "NAME", "x%27--", "%e2%80%ae", "%20", "a%7Bb%7D", "0", "-1", HUSH, "chy_a_b"];
    chance.pick(&odd).to_owned()
}

fn query(chance: &mut Chance) -> String {
    let odd = [
        "",
        "pageSize=-1",
        "pageSize=99999999999999999999",
        "pageToken=%00%ff",
        "pageToken=AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "updateMask=spec.x,,name",
        "validateOnly=maybe",
        "allowMissing=true&validateOnly=true",
        "etag=%22",
        "filter=1%3D1",
        "%=1",
        "NAME=NAME",
        "pageSize=HUSH&teamId=HUSH",
        "tenantId=NAME&teamId=NAME",
    ];
    chance.pick(&odd).replace("HUSH", HUSH)
}

fn body(chance: &mut Chance) -> Vec<u8> {
    let odd: [&[u8]; 14] = [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"{\"spec\":{}}",
        b"{\"spec\":{},\"spec\":{}}",
        b"{\"name\":\"NAME\",\"etag\":7}",
        b"{\"labels\":{\"\\u0000\":\"\"},\"spec\":{\"displayName\":\"\\r\\n\\u202e\"}}",
        b"{\"revision\":\"HUSH\",\"HUSH\":1}",
        b"{\"files\":[{\"path\":\"a\",\"text\":\"a: [\"},{\"path\":\"\\u0000\",\"text\":\"- &a *a\"}]}",
        b"{\"principal\":\"tenants/acme/principals/NAME\",\"model\":\"NAME\",\"geo\":\"eu\",\"instant\":\"9999-99-99\"}",
        b"{\"kinds\":[\"HUSH\"],\"parent\":\"tenants/NAME\"}",
        b"\xff\xfe{}",
        b"{\"spec\":{\"baseUrl\":\"http://[::1\",\"adapter\":\"openai\",\"geos\":[[[[[]]]]]}}",
    ];
    let mut bytes = chance.pick(&odd).to_vec();
    if chance.below(8) == 0 && !bytes.is_empty() {
        let at = chance.below(bytes.len());
        bytes[at] ^= 1 << chance.below(8);
    }
    String::from_utf8(bytes.clone()).map_or(bytes, |text| text.replace("HUSH", HUSH).into_bytes())
}

/// A call, but for who makes it.
struct Case {
    verb: &'static str,
    url: String,
    body: Vec<u8>,
}

fn case(chance: &mut Chance) -> (Case, &'static Route) {
    let route = &routes()[chance.below(routes().len())];
    let template = &route.templates[chance.below(route.templates.len())];
    let ids: Vec<String> = template.labels().map(|_| id(chance)).collect();
    let ids = std::cell::RefCell::new(ids.into_iter());
    let path = template.with(|_| ids.borrow_mut().next().unwrap_or_default());
    let path = match chance.below(20) {
        0 => format!("{path}/"),
        1 => path.replacen('/', "//", 2),
        2 => format!("{path}%2e%2e"),
        3 => format!("{path}:destroy"),
        _ => path,
    };
    let verb = match chance.below(12) {
        0 => chance.pick(&["GET", "PUT", "OPTIONS", "TRACE", "BREW"]),
        _ => route.verb.as_str(),
    };
    let (query, body) = (query(chance), body(chance));
    let reads = matches!(verb, "GET" | "DELETE") && chance.below(4) > 0;
    (Case { verb, url: format!("{path}?{query}"), body: if reads { Vec::new() } else { body } }, route)
}

async fn ask(
    house: &House,
    case: &Case,
    headers: &[(&str, String)],
    name: &str,
) -> (StatusCode, HeaderMap, String) {
    let body = String::from_utf8(case.body.clone())
        .map_or_else(|_| case.body.clone(), |text| text.replace("NAME", name).into_bytes());
    let mut request = Request::builder().method(case.verb).uri(case.url.replace("NAME", name));
    for (header, value) in headers.iter().chain([&("x-chancery-request-id", "fixed".to_owned())]) {
        request = request.header(*header, value);
    }
    let response = house.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

/// A key of a tenant of its own that may do nothing.
async fn elsewhere(house: &House) -> String {
    let text = [
        "Tenant\nmetadata: {name: elsewhere}\nspec: {currency: USD}",
        "Team\nmetadata: {name: t, tenant: elsewhere}\nspec: {}",
        "Principal\nmetadata: {name: p, tenant: elsewhere}\nspec: {type: user, teams: [t]}",
    ];
    let text = text.map(|document| format!("apiVersion: chancery/v1\nkind: {document}\n")).join("---\n");
    let files = json!({"files": [{"path": "e", "text": text}]});
    assert_eq!(house.ask("root", "POST", "/v1/policy:apply", &files).await.0, 200);
    let spec = json!({"spec": {"principal": "p", "team": "t"}});
    let (_, made) = house.ask("root", "POST", "/v1/tenants/elsewhere/keys", &spec).await;
    made["secret"].as_str().unwrap().to_owned()
}

/// What is there, and what is not, of each kind the quickstart has; of the same length.
const THERE: [(&str, &str); 4] = [
    ("acme", "nope"),
    ("research", "resaerch"),
    ("simulated", "simulater"),
    ("ada@example.org", "ada@exemple.org"),
];

/// An export is of what the caller may read: of nothing, it is the revision alone. Of no files, nothing is done or told.
fn tells_nothing(route: &Route, text: &str) -> bool {
    let told: Value = serde_json::from_str(text).unwrap();
    let fields = told.as_object().unwrap().keys();
    match route.rpc().rsplit('/').next() {
        Some("Export") => fields.eq(["revision"]),
        Some("Apply" | "Delete") => fields.len() == 0,
        _ => false,
    }
}

#[tokio::test]
async fn case_71_no_call_that_is_wrong_tells_anything_or_breaks_anything() {
    let house = house().await;
    let key = elsewhere(&house).await;
    let mut chance = Chance(SEED);
    for number in 0..CASES {
        let (case, route) = case(&mut chance);
        let who = format!("case {number} of seed {SEED:#x}: {} {} for {}", case.verb, case.url, route.rpc());
        let (there, not) = THERE[chance.below(THERE.len())];
        let headers = strangers_headers(&mut chance, &key);
        let (status, told, text) = ask(&house, &case, &headers, there).await;
        assert!([400, 401, 404, 405].contains(&status.as_u16()), "{who}: {status} {text}");
        if status == StatusCode::UNAUTHORIZED {
            assert!(text.contains("`authorization: Bearer ...`"), "{who}: {text}");
        }
        assert!(!text.contains("5ec2e7") && !text.contains(&key), "{who}: {text}");
        assert_eq!(ask(&house, &case, &headers, not).await, (status, told, text), "{who}");

        // Who is known and may read nothing here learns as little.
        let (status, told, text) = ask(&house, &case, &[("x-api-key", key.clone())], there).await;
        assert!(status.is_client_error() || tells_nothing(route, &text), "{who}: {status} {text}");
        assert!(!text.contains("5ec2e7") && !text.contains(&key), "{who}: {text}");
        let other = ask(&house, &case, &[("x-api-key", key.clone())], not).await;
        let same = |text: &str| text.replace(not, there);
        assert_eq!((other.0, same(&other.2)), (status, text), "{who}: {told:?}");

        if number % 4 == 0 {
            let root = [("authorization", "Bearer root".to_owned())];
            let (status, _, text) = ask(&house, &case, &root, there).await;
            assert!(!status.is_server_error(), "{who}: {status} {text}");
            assert!(status.is_success() || !text.contains("5ec2e7"), "{who}: {text}");
        }
    }
}

async fn call(house: &House, rpc: &str, headers: &[(&str, String)], frame: Vec<u8>) -> tonic::Status {
    let mut request = Request::builder().method("POST").uri(format!("/{rpc}"));
    request = request.header("content-type", "application/grpc").header("te", "trailers");
    for (header, value) in headers {
        request = request.header(*header, value);
    }
    let response: Http<_> =
        house.grpc.clone().oneshot(request.body(Body::from(frame)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
    let status = tonic::Status::from_header_map(&trailers);
    status.or_else(|| tonic::Status::from_header_map(&parts.headers)).unwrap()
}

#[tokio::test]
async fn no_frame_of_grpc_breaks_anything_and_a_stranger_is_told_one_thing() {
    let house = house().await;
    let key = elsewhere(&house).await;
    let mut chance = Chance(SEED);
    for number in 0..CASES {
        let rpc = routes()[chance.below(routes().len())].rpc();
        let length = chance.below(40);
        let message: Vec<u8> = (0..length).map(|_| chance.next().to_le_bytes()[0]).collect();
        let claimed =
            if chance.below(6) == 0 { chance.next() as u32 } else { u32::try_from(length).unwrap() };
        let flag = u8::from(chance.below(10) == 0);
        let frame = [&[flag][..], &claimed.to_be_bytes(), &message].concat();
        let who = format!("case {number} of seed {SEED:#x}: {rpc} {frame:?}");
        let headers = strangers_headers(&mut chance, &key);
        let status = call(&house, &rpc, &headers, frame.clone()).await;
        assert_eq!(status.code(), Code::Unauthenticated, "{who}: {status:?}");
        let told = format!("{status:?}{:?}", status.metadata());
        assert!(told.contains("`authorization: Bearer ...`"), "{who}: {told}");
        assert!(!told.contains("5ec2e7") && !told.contains(&key), "{who}: {told}");

        let root = [("authorization", "Bearer root".to_owned())];
        let status = call(&house, &rpc, &root, frame).await;
        // What is no message at all is `INTERNAL` in every implementation of gRPC; nothing of ours may be.
        let ours = Refusal::of_status(&status).request_id.is_some();
        assert!(!(ours && status.code() == Code::Internal), "{who}: {status:?}");
        assert!(
            ![Code::Unknown, Code::Unavailable, Code::DataLoss].contains(&status.code()),
            "{who}: {status:?}"
        );
    }
}
