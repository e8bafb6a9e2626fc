//! Tools that a vendor runs are refused unless a rule permits each of them.

use policy_engine::decision::Decision;
use policy_engine::facts::{Facts, Rule};
use policy_engine::vocabulary::{Effect, Instant, Mode};

use super::narrowing::{Ask, code, decision, permit};
use super::plain::{change, house, put, rule};

const SEARCH: &str = "'web_search' in egressTools";

/// The code of the answer to a request with these tools.
fn asking(facts: &Facts, tools: &[&str]) -> &'static str {
    let tools: Vec<String> = tools.iter().map(|tool| (*tool).to_owned()).collect();
    code(facts, &Ask { tools: &tools, ..Ask::default() })
}

/// The house with one permit.
fn permitting(when: &str) -> Facts {
    let mut facts = house();
    put(&mut facts.rules, "tools", rule(Effect::Permit, when));
    facts
}

#[test]
fn without_a_rule_there_are_no_tools_and_the_reason_says_what_is_missing() {
    let facts = house();
    assert_eq!(asking(&facts, &[]), "allow");
    let tools: Vec<String> = ["web_search", "mcp", "a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let Decision::Deny(denial) = decision(&facts, &Ask { tools: &tools[..1], ..Ask::default() }) else {
        panic!("allowed")
    };
    let line =
        "vendor-side tools (`web_search`) need a rule with effect `permit` that mentions `egressTools`";
    assert_eq!((denial.code().as_str(), denial.reasons[0].to_string().as_str()), ("permit_missing", line));
    let Decision::Deny(denial) = decision(&facts, &Ask { tools: &tools, ..Ask::default() }) else {
        panic!("allowed")
    };
    let said = denial.reasons[0].to_string();
    assert!(said.contains("(`web_search`, `mcp`, `a`, `b`, `c`, and 2 more)"), "{said}");
}

#[test]
fn a_permit_must_be_about_tools_in_force_and_enforced() {
    assert_eq!(asking(&permitting(""), &["web_search"]), "permit_missing");
    assert_eq!(asking(&permitting("purpose == null"), &["web_search"]), "permit_missing");
    assert_eq!(asking(&permitting(SEARCH), &["web_search"]), "allow");
    for change_it in [
        (|rule: &mut Rule| rule.mode = Mode::Shadow) as fn(&mut Rule),
        |rule| rule.valid_to = Some(Instant(0)),
        |rule| rule.valid_from = Some(Instant(1)),
        |rule| rule.when = format!("{SEARCH} && purpose == 'research'"),
        |rule| rule.effect = Effect::Forbid,
    ] {
        let mut facts = permitting(SEARCH);
        change_it(change(&mut facts.rules, "tools"));
        assert_ne!(asking(&facts, &["web_search"]), "allow");
    }
}

#[test]
fn a_permit_for_one_tool_is_none_for_another() {
    let mut facts = permitting(SEARCH);
    assert_eq!(asking(&facts, &["web_search", "mcp"]), "permit_missing");
    assert_eq!(asking(&facts, &["never_heard_of"]), "permit_missing");
    put(&mut facts.rules, "more", rule(Effect::Permit, "'mcp' in egressTools"));
    assert_eq!(asking(&facts, &["mcp", "web_search"]), "allow");
    assert_eq!(asking(&facts, &["mcp", "web_search", "never_heard_of"]), "permit_missing");
    let but_mcp = permitting("!('mcp' in egressTools)");
    assert_eq!(asking(&but_mcp, &["web_search", "never_heard_of"]), "allow");
    assert_eq!(asking(&but_mcp, &["web_search", "mcp"]), "permit_missing");
}

#[test]
fn a_forbid_wins_and_is_named_first() {
    let mut facts = permitting(SEARCH);
    put(&mut facts.rules, "no", rule(Effect::Forbid, SEARCH));
    assert_eq!(asking(&facts, &["web_search"]), "rule_forbids");
    assert_eq!(asking(&facts, &["mcp"]), "permit_missing");
    put(&mut facts.rules, "no", rule(Effect::Forbid, "'mcp' in egressTools"));
    assert_eq!(asking(&facts, &["mcp"]), "rule_forbids");
}

#[test]
fn a_permit_about_endpoints_permits_tools_there_alone() {
    let facts = permitting(&format!("{SEARCH} && 'EU' in endpoint.processingRegions"));
    let tools = ["web_search".to_owned()];
    let (snapshot, permit) = permit(&facts, &Ask { tools: &tools, ..Ask::default() });
    let places: Vec<_> =
        permit.candidates.iter().map(|c| snapshot.endpoint(c.endpoint).unwrap().id.to_string()).collect();
    assert_eq!(places, ["in-eu"]);
    let dropped: Vec<_> =
        permit.dropped.iter().map(|reason| (reason.code.as_str(), &reason.endpoint)).collect();
    assert_eq!(dropped[0].0, "permit_missing");
    assert_eq!(dropped[0].1.as_ref().unwrap().to_string(), "in-us");
    assert_eq!(asking(&facts, &["web_search", "mcp"]), "permit_missing");
}
