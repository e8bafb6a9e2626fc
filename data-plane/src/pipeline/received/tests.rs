//! What is read of a request's head.

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

fn key(pairs: &[(&'static str, &'static str)], query: Option<&str>) -> Result<String, ErrorCode> {
    credential(&headers(pairs), query).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn a_key_is_found_wherever_sdks_put_it() {
    for pairs in [
        [("authorization", "Bearer chy_a_b")],
        [("authorization", "bearer  chy_a_b ")],
        [("x-api-key", "chy_a_b")],
        [("api-key", "chy_a_b")],
    ] {
        assert_eq!(key(&pairs, Some("stream=1")), Ok("chy_a_b".to_owned()), "{pairs:?}");
    }
    let twice = [("authorization", "Bearer chy_a_b"), ("x-api-key", "chy_a_b")];
    assert_eq!(key(&twice, None), Ok("chy_a_b".to_owned()), "an SDK that sends both means one");
}

#[test]
fn what_is_no_key_is_told_apart_only_from_nothing() {
    assert_eq!(key(&[], None), Err(ErrorCode::MissingApiKey));
    for pairs in [
        vec![("authorization", "Basic Y2h5")],
        vec![("authorization", "chy_a_b")],
        vec![("authorization", "Bearer chy_a_b"), ("x-api-key", "chy_c_d")],
    ] {
        assert_eq!(key(&pairs, None), Err(ErrorCode::InvalidApiKey), "{pairs:?}");
    }
}

#[test]
fn case_68_a_key_in_the_query_is_refused_even_beside_a_good_one() {
    for query in ["key=chy_a_b", "api_key=x", "a=1&API-KEY=x", "access_token=x", "x=chy_a_b"] {
        assert_eq!(key(&[("x-api-key", "chy_a_b")], Some(query)), Err(ErrorCode::InvalidApiKey), "{query}");
    }
}

#[test]
fn declarations_have_long_and_short_names_and_are_checked() {
    let declared = Declared::read(&headers(&[
        ("x-chancery-purpose", "support"),
        ("x-purpose", "support"),
        ("x-data-class", "EMAIL, PHONE"),
        ("x-subject-residency", "DE,US-CA"),
    ]))
    .unwrap();
    assert_eq!(declared.purpose.as_deref(), Some("support"));
    assert_eq!(declared.classes, ["EMAIL", "PHONE"]);
    assert_eq!(declared.jurisdictions.iter().map(Name::as_str).collect::<Vec<_>>(), ["DE", "US-CA"]);
    for bad in [
        [("x-purpose", "two words")],
        [("x-data-class", "a b")],
        [("x-chancery-subject-jurisdiction", "../x")],
    ] {
        assert!(Declared::read(&headers(&bad)).is_err(), "{bad:?}");
    }
    assert!(Declared::read(&headers(&[("x-purpose", "a"), ("x-chancery-purpose", "b")])).is_err());
    let mut one = Declared { purpose: Some("a".into()), ..Declared::default() };
    assert!(one.join(Declared { purpose: Some("b".into()), ..Declared::default() }).is_err());
    assert!(one.join(Declared { classes: vec!["EMAIL".into()], ..Declared::default() }).is_ok());
    assert_eq!(one.classes, ["EMAIL"]);
}

#[test]
fn a_place_is_read_in_either_case_and_refused_where_it_is_not_known() {
    let read = |value| Declared::read(&headers(&[("x-chancery-subject-jurisdiction", value)]));
    for (value, meant) in [("Eu", "EU"), ("de", "DE"), ("DE-BY", "DE"), ("EEA", "EEA"), ("us-ca", "US-CA")] {
        let declared = read(value).unwrap();
        assert_eq!(declared.jurisdictions.iter().map(Name::as_str).collect::<Vec<_>>(), [meant], "{value}");
    }
    for value in ["europe", "XX", "US-XX", "EU, XX"] {
        let refused = read(value).unwrap_err();
        let fields: Vec<&str> = refused.refusal.fields.iter().map(|wrong| wrong.field.as_str()).collect();
        assert_eq!(refused.refusal.code, ErrorCode::InvalidRequest, "{value}");
        assert_eq!(fields, ["x-chancery-subject-jurisdiction"], "{value}");
    }
    assert!(Declared::of(None, vec![], vec!["europe"]).is_err(), "whichever the door");
}
