//! The whole way of a request, over small services of our own that say what they were asked.

mod fuzz;
mod hostile;
mod served;

use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use prost_types::FieldMask;
use proto::admin::policy_service_server::{PolicyService, PolicyServiceServer};
use proto::admin::tenants_service_server::{TenantsService, TenantsServiceServer};
use proto::admin::*;
use proto::status::WrongField;
use serde_json::{Value, json};
use tonic::{Response as Rpc, Status};
use tower::ServiceExt as _;

use super::*;

/// Knows one token, and answers with what it was asked.
#[derive(Clone)]
struct Echo;

fn known<T>(request: tonic::Request<T>) -> Result<(T, String), Status> {
    let metadata = request.metadata().clone();
    let text = |name: &str| metadata.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    if text("authorization").is_empty() && text("x-api-key").is_empty() {
        return Err(Refusal::new(ErrorCode::MissingApiKey, "a token is needed").into());
    }
    if text("authorization") != "Bearer good" && text("x-api-key") != "good" {
        return Err(Refusal::new(ErrorCode::InvalidApiKey, "not known here").into());
    }
    Ok((request.into_inner(), text("x-chancery-request-id")))
}

#[tonic::async_trait]
impl TenantsService for Echo {
    async fn get_tenant(&self, request: tonic::Request<GetTenantRequest>) -> Result<Rpc<Tenant>, Status> {
        let (request, id) = known(request)?;
        match request.name.as_str() {
            "tenants/gone" => {
                let refusal = Refusal::new(ErrorCode::NotFound, "`tenants/gone` is not there");
                Err(Refusal { request_id: Some(id), revision: Some(7), ..refusal }.into())
            }
            _ => {
                let mut response =
                    Rpc::new(Tenant { name: request.name, etag: "e1".into(), ..Tenant::default() });
                response.metadata_mut().insert("x-chancery-request-id", id.parse().unwrap());
                response.metadata_mut().insert("x-chancery-revision", 7.into());
                Ok(response)
            }
        }
    }

    async fn list_tenants(
        &self,
        request: tonic::Request<ListTenantsRequest>,
    ) -> Result<Rpc<ListTenantsResponse>, Status> {
        let (request, _) = known(request)?;
        let tenant = Tenant { revision: request.page_size.into(), ..Tenant::default() };
        Ok(Rpc::new(ListTenantsResponse { tenants: vec![tenant], next_page_token: request.page_token }))
    }

    async fn create_tenant(
        &self,
        request: tonic::Request<CreateTenantRequest>,
    ) -> Result<Rpc<Tenant>, Status> {
        let (request, _) = known(request)?;
        if request.tenant_id.is_empty() {
            let fields = vec![WrongField { field: "tenantId".into(), message: "is missing".into() }];
            return Err(Refusal {
                fields,
                ..Refusal::new(ErrorCode::InvalidRequest, "tenantId: is missing")
            }
            .into());
        }
        Ok(Rpc::new(Tenant { name: format!("tenants/{}", request.tenant_id), ..request.tenant.unwrap() }))
    }

    async fn update_tenant(
        &self,
        request: tonic::Request<UpdateTenantRequest>,
    ) -> Result<Rpc<Tenant>, Status> {
        let (request, _) = known(request)?;
        let mask = request.update_mask.unwrap_or(FieldMask { paths: Vec::new() });
        Ok(Rpc::new(Tenant { etag: mask.paths.join(","), ..request.tenant.unwrap() }))
    }

    async fn delete_tenant(&self, request: tonic::Request<DeleteTenantRequest>) -> Result<Rpc<()>, Status> {
        let (request, _) = known(request)?;
        if request.etag == "old" {
            Err(Refusal::new(ErrorCode::EtagMismatch, "changed").into())
        } else {
            Ok(Rpc::new(()))
        }
    }
}

#[tonic::async_trait]
impl PolicyService for Echo {
    async fn apply(&self, request: tonic::Request<ApplyRequest>) -> Result<Rpc<ApplyResponse>, Status> {
        let (request, _) = known(request)?;
        let bytes = request.files.iter().map(|file| file.text.len()).sum::<usize>();
        Ok(Rpc::new(ApplyResponse { revision: i64::try_from(bytes).unwrap(), ..ApplyResponse::default() }))
    }

    async fn delete(&self, _: tonic::Request<DeleteRequest>) -> Result<Rpc<DeleteResponse>, Status> {
        Ok(Rpc::new(DeleteResponse::default()))
    }

    async fn export(&self, _: tonic::Request<ExportRequest>) -> Result<Rpc<ExportResponse>, Status> {
        Err(Status::internal("a stack trace"))
    }

    async fn explain(&self, request: tonic::Request<ExplainRequest>) -> Result<Rpc<ExplainResponse>, Status> {
        let (request, _) = known(request)?;
        Ok(Rpc::new(ExplainResponse { instant: request.instant, ..ExplainResponse::default() }))
    }

    type SimulateStream = tokio_stream::Iter<std::vec::IntoIter<Result<SimulateResponse, Status>>>;

    /// A line for each geo that is asked for; one that is called so fails.
    async fn simulate(
        &self,
        request: tonic::Request<SimulateRequest>,
    ) -> Result<Rpc<Self::SimulateStream>, Status> {
        let (request, _) = known(request)?;
        let answers = request.geos.into_iter().map(|geo| match geo.as_str() {
            "failing" => Err(Refusal::new(ErrorCode::PolicyUnavailable, "the store is away").into()),
            "faulty" => {
                Ok(SimulateResponse { faults: vec![Fault::default()], ..SimulateResponse::default() })
            }
            _ => {
                let geos = vec![SimulatedGeo { geo, ..SimulatedGeo::default() }];
                Ok(SimulateResponse { geos, ..SimulateResponse::default() })
            }
        });
        Ok(Rpc::new(tokio_stream::iter(answers.collect::<Vec<_>>())))
    }
}

#[tokio::test]
async fn what_answers_bit_by_bit_is_lines_and_the_last_one_says_what_went_wrong() {
    let asked = async |geos: &[&str]| {
        let body = json!({ "geos": geos }).to_string();
        let response = house().oneshot(request("POST", "/v1/policy:simulate", body)).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let kind = parts.headers["content-type"].to_str().unwrap().to_owned();
        let lines: Vec<Value> =
            bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        (parts.status.as_u16(), kind, lines)
    };
    let line = |geo: &str| json!({"geos": [{"geo": geo}]});
    let lines = "application/x-ndjson".to_owned();
    assert_eq!(asked(&["eu", "us"]).await, (200, lines.clone(), vec![line("eu"), line("us")]));
    let (status, kind, told) = asked(&["eu", "failing"]).await;
    assert_eq!((status, kind, &told[0], told.len()), (200, lines, &line("eu"), 2));
    assert_eq!(told[1]["error"]["code"], 503, "{told:?}");
    let (status, kind, told) = asked(&["failing", "eu"]).await;
    assert_eq!((status, kind.as_str(), told.len()), (503, "application/json", 1));
    let (status, kind, told) = asked(&["faulty", "eu"]).await;
    assert_eq!((status, kind.as_str(), told), (400, "application/json", vec![json!({"faults": [{}]})]));
}

fn house() -> axum::Router {
    let policy = PolicyServiceServer::new(Echo).max_decoding_message_size(64 << 20);
    let services = Routes::new(TenantsServiceServer::new(Echo)).add_service(policy);
    let known = |headers: &HeaderMap| {
        let known = known(tonic::Request::from_parts(
            tonic::metadata::MetadataMap::from_headers(headers.clone()),
            tonic::Extensions::new(),
            (),
        ));
        known.map(drop).map_err(|status| Refusal::of_status(&status))
    };
    router(services, known).fallback(unknown)
}

fn request(verb: &str, url: &str, body: impl Into<Body>) -> Request {
    let mut request = Request::builder().method(verb).uri(url).body(body.into()).unwrap();
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer good"));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

async fn ask(request: Request) -> (StatusCode, HeaderMap, Value) {
    let response = house().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let json = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    (parts.status, parts.headers, json)
}

fn reason(error: &Value) -> &str {
    error["error"]["details"][0]["reason"].as_str().unwrap()
}

#[tokio::test]
async fn every_standard_method_goes_there_and_back() {
    let (status, headers, tenant) = ask(request("GET", "/v1/tenants/acme", Body::empty())).await;
    assert_eq!((status, tenant), (StatusCode::OK, json!({"name": "tenants/acme", "etag": "e1"})));
    assert_eq!(headers["x-chancery-revision"], "7");
    assert!(!headers["x-chancery-request-id"].is_empty());

    let (_, _, page) = ask(request("GET", "/v1/tenants?pageSize=3&page_token=t", Body::empty())).await;
    assert_eq!(page, json!({"tenants": [{"revision": 3}], "nextPageToken": "t"}));

    let spec = json!({"displayName": "Acme", "geos": ["eu"]});
    let body = json!({"labels": {"b": "2", "a": "1"}, "spec": spec}).to_string();
    let (_, _, made) = ask(request("POST", "/v1/tenants?tenantId=acme", body.clone())).await;
    assert_eq!(made, json!({"name": "tenants/acme", "labels": {"a": "1", "b": "2"}, "spec": spec}));

    let (_, _, changed) =
        ask(request("PATCH", "/v1/tenants/acme?updateMask=spec.timeZone,labels", body)).await;
    assert_eq!(
        (&changed["name"], &changed["etag"]),
        (&json!("tenants/acme"), &json!("spec.time_zone,labels"))
    );

    let (status, _, nothing) = ask(request("DELETE", "/v1/tenants/acme", Body::empty())).await;
    assert_eq!((status, nothing), (StatusCode::OK, json!({})));

    let at = json!({"instant": "2026-01-31T12:00:00Z"});
    assert_eq!(ask(request("POST", "/v1/policy:explain", at.to_string())).await.2, at);
}

#[tokio::test]
async fn a_refusal_of_a_service_is_told_whole() {
    let (status, headers, error) = ask(request("GET", "/v1/tenants/gone", Body::empty())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let id = headers["x-chancery-request-id"].to_str().unwrap();
    assert_eq!(
        error,
        json!({"error": {
            "code": 404, "status": "NOT_FOUND", "message": "`tenants/gone` is not there",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "not_found", "domain": "chancery",
                "metadata": {"revision": "7", "request_id": id},
            }],
        }})
    );
    let (status, _, error) = ask(request("POST", "/v1/tenants", "{}")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["error"]["details"][1]["fieldViolations"][0]["field"], "tenantId");
    let (status, _, error) = ask(request("DELETE", "/v1/tenants/acme?etag=old", Body::empty())).await;
    assert_eq!((status, reason(&error)), (StatusCode::CONFLICT, "etag_mismatch"));
    let (status, _, error) = ask(request("POST", "/v1/policy:export", "")).await;
    assert_eq!((status, reason(&error)), (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"));
    let (status, _, error) = ask(request("GET", "/v1/teams:no/x", Body::empty())).await;
    assert_eq!((status, reason(&error)), (StatusCode::NOT_FOUND, "unimplemented"));
    // Declared, but not served by this house: gRPC's own answer.
    let (status, _, error) = ask(request("GET", "/v1/models/m", Body::empty())).await;
    assert_eq!((status, reason(&error)), (StatusCode::NOT_FOUND, "unimplemented"));
}

#[tokio::test]
async fn who_is_not_known_gets_nowhere_on_any_route() {
    for route in routes() {
        for template in &route.templates {
            let url = template.with(|_| "x1".to_owned());
            let mut bare = request(route.verb.as_str(), &url, "not even JSON");
            bare.headers_mut().remove(AUTHORIZATION);
            let (status, headers, error) = ask(bare).await;
            assert_eq!((status, reason(&error)), (StatusCode::UNAUTHORIZED, "missing_api_key"), "{url}");
            assert_eq!(headers["www-authenticate"], "Bearer");
        }
    }
    let mut wrong = request("GET", "/v1/tenants", Body::empty());
    wrong.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer bad"));
    let (status, _, error) = ask(wrong).await;
    assert_eq!((status, reason(&error)), (StatusCode::UNAUTHORIZED, "invalid_api_key"));
    let mut key = request("GET", "/v1/tenants", Body::empty());
    key.headers_mut().remove(AUTHORIZATION);
    key.headers_mut().insert("x-api-key", HeaderValue::from_static("good"));
    assert_eq!(ask(key).await.0, StatusCode::OK);
}

#[tokio::test]
async fn case_63_a_path_that_is_not_plain_is_refused_and_a_wrong_method_is_told_the_right_ones() {
    for (url, status) in [
        ("/v1/tenants/..%2fadmin", 400),
        ("/v1/tenants/%00", 400),
        ("/v1//tenants", 400),
        ("/v1/tenants/", 400),
        ("/v1/tenants/../tenants/acme", 400),
        ("/v1/", 404),
        ("/v1", 404),
        ("//v1/tenants", 404),
        ("/V1/tenants", 404),
        ("/v1/Tenants", 404),
        ("/v1/teams", 404),
        ("/v2/tenants", 404),
        ("/v1/policy:destroy", 404),
        ("/v1/tenants/acme:revoke", 404),
        ("/chancery.admin.v1.TenantsService/ListTenants", 404),
    ] {
        let (got, _, error) = ask(request("GET", url, Body::empty())).await;
        assert_eq!((got.as_u16(), &error["error"]["code"]), (status, &json!(status)), "{url}");
    }
    for (verb, url, allowed) in [
        ("PUT", "/v1/tenants", "GET, POST, HEAD"),
        ("POST", "/v1/tenants/acme", "GET, PATCH, DELETE, HEAD"),
        ("GET", "/v1/policy:apply", "POST"),
        ("HEAD", "/v1/policy:apply", "POST"),
        ("OPTIONS", "/v1/nodes", "GET, HEAD"),
        ("DELETE", "/openapi.json", "GET, HEAD"),
    ] {
        let (status, headers, _) = ask(request(verb, url, Body::empty())).await;
        assert_eq!(
            (status, headers["allow"].to_str().unwrap()),
            (StatusCode::METHOD_NOT_ALLOWED, allowed),
            "{verb} {url}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_not_right_is_refused_with_its_field() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, told) in [
        (&b"{"[..], "the body is not JSON at line 1 column 1"),
        (b"{\"labels\":{},\"labels\":{}}", "labels: is given twice"),
        (
            b"{\"nme\":1}",
            "nme: unknown field; known are name, labels, etag, createTime, updateTime, revision, spec",
        ),
        (b"{\"name\":\"\xff\"}", "the body is not JSON at line 1 column 10"),
        (deep.as_bytes(), "the body is nested too deep at line 1 column 128"),
        (b"[]", "an object was expected, not a list"),
    ] {
        let (status, _, error) = ask(request("POST", "/v1/tenants?tenantId=a", body.to_vec())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(error["error"]["message"], told);
        assert_eq!(reason(&error), "invalid_request");
    }
    let (status, _, error) = ask(request("GET", "/v1/tenants?key=chy_a_secret", Body::empty())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!error.to_string().contains("chy_"), "{error}");
}

#[tokio::test]
async fn a_body_is_json_plain_and_not_larger_than_it_may_be() {
    let apply = |text: usize| json!({"files": [{"path": "a", "text": "x".repeat(text)}]}).to_string();
    let (status, _, applied) = ask(request("POST", "/v1/policy:apply", apply(31 << 20))).await;
    assert_eq!((status, applied), (StatusCode::OK, json!({"revision": 31 << 20})));
    let (status, _, error) = ask(request("POST", "/v1/policy:apply", apply(32 << 20))).await;
    assert_eq!((status, reason(&error)), (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"));
    let mut claimed = request("POST", "/v1/policy:apply", "{}");
    claimed.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from((32 << 20) + 1));
    assert_eq!(ask(claimed).await.0, StatusCode::PAYLOAD_TOO_LARGE);

    for (name, value) in [
        (CONTENT_TYPE, "application/x-www-form-urlencoded"),
        (CONTENT_TYPE, "text/plain"),
        (CONTENT_TYPE, "application/yaml"),
        (CONTENT_ENCODING, "gzip"),
    ] {
        let mut odd = request("POST", "/v1/tenants?tenantId=a", "{}");
        odd.headers_mut().insert(name, HeaderValue::from_static(value));
        let (status, _, told) = ask(odd).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{value}");
        assert!(told.to_string().contains("`content-type: application/json`"), "{told}");
    }
    for value in ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
        let mut fine = request("POST", "/v1/tenants?tenantId=a", "{}");
        fine.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(value));
        assert_eq!(ask(fine).await.0, StatusCode::OK, "{value}");
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let (status, headers, body) = ask(request("HEAD", "/v1/tenants/acme", Body::empty())).await;
    assert_eq!((status, body), (StatusCode::OK, Value::Null));
    assert_eq!(
        headers["content-length"],
        json!({"name": "tenants/acme", "etag": "e1"}).to_string().len().to_string().as_str()
    );
    let (status, _, _) = ask(request("HEAD", "/v1/tenants/gone", Body::empty())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, headers, _) = ask(request("HEAD", "/openapi.json", Body::empty())).await;
    assert_eq!(headers["content-length"], document().len().to_string().as_str());
}

#[tokio::test]
async fn a_request_keeps_the_id_it_came_with_unless_it_can_not_stand_in_a_log() {
    for (given, kept) in [("req-1", true), ("a b", false), ("", false)] {
        let mut named = request("GET", "/v1/nowhere", Body::empty());
        named.headers_mut().insert(REQUEST_ID, HeaderValue::from_static(given));
        let (_, headers, error) = ask(named).await;
        assert_eq!(headers["x-chancery-request-id"] == given, kept, "{given}");
        let told = &error["error"]["details"][0]["metadata"]["request_id"];
        assert_eq!(told, headers["x-chancery-request-id"].to_str().unwrap());
    }
}

#[tokio::test]
async fn the_description_needs_no_credential() {
    let mut bare = request("GET", "/openapi.json", Body::empty());
    bare.headers_mut().clear();
    let (status, _, described) = ask(bare).await;
    assert_eq!((status, &described["openapi"]), (StatusCode::OK, &json!("3.1.0")));
}
