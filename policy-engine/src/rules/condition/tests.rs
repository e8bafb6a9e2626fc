//! Conditions against tables: what is true when, and what each fault says.

use super::*;

fn faults(text: &str) -> Vec<String> {
    let found = Condition::compile(text, &mut Interner::default());
    found.expect_err(text).iter().map(ToString::to_string).collect()
}

#[test]
fn faults_name_their_place_and_what_would_be_right() {
    let cases = [
        ("caller.team == 'x'", "at byte 0: `caller.team` is not an attribute; there is `caller.teams`"),
        (
            "model.name == 'x' && node.region == 'x'",
            "at byte 21: `node.region` is not an attribute; there is `node.geo`",
        ),
        (
            "caller.country == 'UK'",
            "at byte 18: `UK` is never a value of `caller.country`: expected an ISO 3166-1 alpha-2 country, such as \
             `DE`",
        ),
        (
            "'Eu' in subject.jurisdictions",
            "at byte 0: `Eu` is never a value of `subject.jurisdictions`: expected a jurisdiction, such as `EU` or \
             `US-CA`",
        ),
        ("purpose", "at byte 0: `purpose` is a text, not a truth; compare it: `purpose == '...'`"),
        (
            "data.classes == 'PHI'",
            "at byte 0: `data.classes` is a set and equals nothing; ask what is in it: `'...' in data.classes`",
        ),
        ("'PHI' in purpose", "at byte 0: `purpose` is one text, not a set; compare it: `purpose == '...'`"),
        ("'x'", "at byte 0: the text 'x' is not a truth; a condition is true or false"),
        (
            "purpose == 1",
            "at byte 0: the text `purpose` is never the number 1; compare a text with a text, or a truth with a \
             truth",
        ),
        ("purpose == ", "at byte 11: expected an attribute, a text, a list, `!` or `(`, found the end"),
        ("(stream", "at byte 7: expected `)`, found the end"),
        ("stream stream", "at byte 7: expected an operator or the end, found `stream`"),
        ("purpose == 'x", "at byte 11: a text in quotes does not end"),
        ("purpose == 'a\\q'", "at byte 13: `\\\\q` is not an escape of CEL"),
        ("stream & stream", "at byte 7: `&` begins nothing in a condition"),
        ("1 == 99999999999999999999", "at byte 5: `99999999999999999999` is not a 64-bit integer"),
    ];
    for (text, expected) in cases {
        assert_eq!(faults(text), [expected], "{text}");
    }
}

#[test]
fn what_is_cel_but_not_ours_says_so() {
    for text in [
        "size(caller.teams) == 1",
        "caller.teams[0] == 'x'",
        "'x'.startsWith('y')",
        "1 < 2",
        "stream ? true : false",
        "caller.teams + caller.roles",
        "b'x' == b'x'",
        "{'a': 1}",
    ] {
        assert!(
            faults(text).iter().all(|fault| fault.contains("is CEL, but not part")),
            "{text} {:?}",
            faults(text)
        );
    }
}

#[test]
fn every_fault_of_type_and_vocabulary_is_reported() {
    let text = "caller.country in ['UK', 'DE', 'Germany'] || operation == 'paint' || colour == 'red'";
    let places: Vec<usize> = Condition::compile(text, &mut Interner::default())
        .expect_err("four faults")
        .iter()
        .map(|fault| fault.start)
        .collect();
    assert_eq!(places, [19, 31, 58, 69]);
}

#[test]
fn size_and_depth_are_bounded_and_deep_texts_do_not_hurt() {
    let nested = |n: usize| format!("{}stream{}", "(".repeat(n), ")".repeat(n));
    assert!(Condition::compile(&nested(MAX_DEPTH), &mut Interner::default()).is_ok());
    for bad in [
        nested(MAX_DEPTH + 1),
        nested(2000),
        "(".repeat(4000),
        "[".repeat(4000),
        format!("{}stream", "!".repeat(4000)),
        vec!["stream"; 100].join(" == "),
        "stream || ".repeat(1000) + "stream",
    ] {
        assert_eq!(faults(&bad).len(), 1);
    }
    let wide = vec!["stream"; 400].join("||");
    assert!(Condition::compile(&wide, &mut Interner::default()).is_ok());
}

#[test]
fn texts_follow_the_lexical_rules_of_cel() {
    let cases = [
        (r#"purpose == "it's""#, "it's"),
        (r"purpose == 'a\n\t\\\'\x41\u00e4\U0001F600\101'", "a\n\t\\'Aä😀A"),
        (r"purpose == r'a\n'", r"a\n"),
        ("purpose == '''a\n'b'''", "a\n'b"),
        ("purpose == \"\"\"\"\"\"", ""),
        ("purpose // why\n == 'x'", "x"),
    ];
    for (text, word) in cases {
        let mut interner = Interner::default();
        let condition = Condition::compile(text, &mut interner).expect(text);
        let request = RequestSide { purpose: Value::Known(interner.symbol(word)), ..RequestSide::default() };
        let attributes = Attributes {
            caller: &Caller::default(),
            model: &ModelSide::default(),
            request: &request,
            endpoint: None,
        };
        assert_eq!(condition.evaluate(&attributes), Truth::True, "{text}");
    }
    for bad in ["purpose == '\\ud800'", "purpose == 'a\nb'", "purpose == '\\400'", "purpose == '\\x4'"] {
        assert_eq!(faults(bad).len(), 1, "{bad}");
    }
}

#[test]
fn conditions_know_what_they_depend_on() {
    let compile = |text| Condition::compile(text, &mut Interner::default()).expect(text);
    assert!(compile("endpoint.terms.baa").mentions_endpoint());
    assert!(compile("'PHI' in data.classes").mentions_data_classes());
    let folded = compile("stream || true || endpoint.terms.baa");
    assert!(!folded.mentions_endpoint(), "a part that cannot matter is not a dependency");
    assert!(!compile("").mentions_endpoint());
}

#[test]
fn anchors_are_what_must_be_true() {
    type Expected<'a> = Option<(&'a str, &'a [&'a str])>;
    let cases: [(&str, Expected<'_>); 9] = [
        ("'EU' in subject.jurisdictions", Some(("subject.jurisdictions", &["EU"]))),
        ("caller.country in ['DE', 'FR']", Some(("caller.country", &["DE", "FR"]))),
        ("caller.country == 'DE' || caller.country == 'FR'", Some(("caller.country", &["DE", "FR"]))),
        ("stream && (purpose == 'a' || purpose == 'b') && model.name == 'm'", Some(("model.name", &["m"]))),
        ("(purpose == 'a' && stream) || purpose == 'b'", Some(("purpose", &["a", "b"]))),
        ("endpoint.provider == 'x' && model.name in ['m', 'n']", Some(("model.name", &["m", "n"]))),
        ("purpose == 'a' || stream", None),
        ("purpose != 'a'", None),
        ("!(purpose != 'a')", Some(("purpose", &["a"]))),
    ];
    for (text, expected) in cases {
        let mut interner = Interner::default();
        let condition = Condition::compile(text, &mut interner).expect(text);
        let found = condition.anchors().into_iter().next();
        let shown = found.as_ref().map(|anchor| {
            let values: Vec<&str> =
                anchor.values.iter().map(|s| interner.text(*s).expect("interned")).collect();
            (anchor.attribute.path(), values)
        });
        assert_eq!(shown, expected.map(|(path, values)| (path, values.to_vec())), "{text}");
    }
}
