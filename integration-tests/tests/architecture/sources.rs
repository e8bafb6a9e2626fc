//! How a file may look: what it may name, how long it may be, what it must say first.
//!
//! Files of tests are exempt, as are the `#[cfg(test)]` items of the others; formatting and idiom are rustfmt's and clippy's.

use crate::words::{self, Token};

/// A source file, read once: its path from the workspace's root, its text, and its code without tests.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: Vec<Token>,
    length: usize,
}

impl Source {
    pub(crate) fn new(path: String, text: String) -> Self {
        let (code, tests) = words::without_tests(&words::tokens(&text));
        let length = text.lines().count().saturating_sub(tests);
        Source { path, text, code, length }
    }

    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    fn fault(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    fn roles(&self) -> bool {
        self.path.starts_with("policy-engine/src/rules/roles")
    }
}

/// The outside world, as a pure crate must not name it. A path of the table stands for all below it.
const WORLD: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::*",
    "tokio",
    "rand",
    "getrandom",
];

/// Clock, environment, files, network, processes, chance and async in the policy engine. The source of truth for roles may
/// await, because casbin's constructors are async; it may not bring a runtime.
pub(crate) fn impure(source: &Source) -> Vec<String> {
    if !source.path.starts_with("policy-engine/") || source.is_test() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (path, line) in words::paths(&source.code) {
        let world = WORLD.iter().any(|banned| path == *banned || path.starts_with(&format!("{banned}::")));
        let clock = path.ends_with("::now") || path == "std::time";
        let asynchronous = !source.roles() && (path == "async" || path == "await");
        if world || clock || asynchronous {
            faults.push(source.fault(line, &format!("`{path}` has no place in a pure crate")));
        }
    }
    faults
}

/// The casbin crate outside `policy-engine/src/rules/roles*`; a field or a module may be called so.
pub(crate) fn names_casbin(source: &Source) -> Vec<String> {
    let imported =
        |pair: &&[Token]| matches!(pair, [using, name] if using.text == "use" && name.text == "casbin");
    let imports =
        source.code.windows(2).filter(imported).filter_map(|pair| pair.last()).map(|token| token.line);
    let paths = words::paths(&source.code).into_iter().filter(|(path, _)| path.starts_with("casbin::"));
    let mut lines: Vec<usize> = imports.chain(paths.map(|(_, line)| line)).collect();
    lines.sort_unstable();
    lines.dedup();
    let faults = lines.into_iter().map(|line| source.fault(line, "casbin is named outside roles"));
    if source.roles() { Vec::new() } else { faults.collect() }
}

const LONGEST: usize = 500;
const LONGEST_MAIN: usize = 40;

/// Files over 500 lines without tests, and `main.rs` over 40.
pub(crate) fn too_long(source: &Source) -> Vec<String> {
    let most = if source.path.ends_with("/main.rs") { LONGEST_MAIN } else { LONGEST };
    if source.length <= most || source.is_test() {
        return Vec::new();
    }
    vec![source.fault(1, &format!("{} lines without tests, at most {most}", source.length))]
}

/// Files that do not open with their module doc (a crate may open with its README, and tests with the first test).
pub(crate) fn undocumented(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let first = source.text.lines().next().unwrap_or_default();
    let opens = first.starts_with("//!") || first.starts_with("#![doc");
    if opens { Vec::new() } else { vec![source.fault(1, "does not open with `//!`")] }
}

/// Empty wherever they stand in a name.
const EMPTY_TYPES: &[&str] =
    &["Manager", "Helper", "Helpers", "Util", "Utils", "Handler", "Processor", "Common", "Misc"];
/// Empty where they are what the name is of: a `DataClass` is a class, a `KeyData` is nothing.
const EMPTY_ENDS: &[&str] = &["Data", "Info"];
const EMPTY_MODULES: &[&str] = &["common", "util", "utils", "helper", "helpers", "misc", "shared"];

/// Types and modules whose names say nothing about the domain.
pub(crate) fn empty_names(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for pair in source.code.windows(2) {
        let [keyword, name] = pair else { continue };
        let empty = match keyword.text.as_str() {
            "struct" | "enum" | "trait" => {
                let humps = humps(&name.text);
                let end = humps.last().is_some_and(|hump| EMPTY_ENDS.contains(&hump.as_str()));
                end || humps.iter().any(|hump| EMPTY_TYPES.contains(&hump.as_str()))
            }
            "mod" => EMPTY_MODULES.contains(&name.text.as_str()),
            _ => false,
        };
        if empty {
            faults.push(source.fault(name.line, &format!("`{}` says nothing about the domain", name.text)));
        }
    }
    faults
}

/// `UserInfo` gives `User` and `Info`; `Metadata` stays whole.
fn humps(name: &str) -> Vec<String> {
    let mut humps: Vec<String> = Vec::new();
    for char in name.chars() {
        match humps.last_mut() {
            Some(hump) if !char.is_uppercase() => hump.push(char),
            _ => humps.push(char.to_string()),
        }
    }
    humps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path.to_owned(), text.to_owned())
    }

    #[test]
    fn an_impure_engine_is_seen() {
        let samples = [
            "use std::{collections::BTreeMap, env};",
            "fn f() { std::fs::read(\"x\") }",
            "use std::net::IpAddr;",
            "use std::time::{Duration, Instant};",
            "use std::time;",
            "use std::time::*;",
            "fn f() { jiff::Timestamp::now() }",
            "use tokio::sync::Mutex;",
            "async fn f() {}",
        ];
        for text in samples {
            assert_eq!(impure(&source("policy-engine/src/decide.rs", text)).len(), 1, "{text}");
            assert!(impure(&source("data-plane/src/serve.rs", text)).is_empty(), "{text}");
        }
        let roles = source("policy-engine/src/rules/roles.rs", "async fn f() { tokio::spawn(x) }");
        assert_eq!(impure(&roles).len(), 1);
        let pure = "use std::time::Duration; struct Instant; #[cfg(test)] mod tests { use std::fs; }";
        assert!(impure(&source("policy-engine/src/decide.rs", pure)).is_empty());
    }

    #[test]
    fn casbin_elsewhere_is_seen() {
        let text = "use casbin::Enforcer;\n#[cfg(feature = \"casbin\")] mod x; // casbin::\nfn f() { casbin::g() }\n\
                    struct A { casbin: bool }\nuse casbin;";
        assert_eq!(names_casbin(&source("policy-engine/src/decide.rs", text)).len(), 3);
        assert!(names_casbin(&source("policy-engine/src/rules/roles/oracle.rs", text)).is_empty());
    }

    #[test]
    fn a_long_file_is_seen_and_its_tests_are_not() {
        let long = "fn f() {}\n".repeat(501);
        assert_eq!(too_long(&source("cli/src/get.rs", &long)).len(), 1);
        assert_eq!(too_long(&source("cli/src/main.rs", &"fn f() {}\n".repeat(41))).len(), 1);
        assert!(too_long(&source("cli/src/get/tests.rs", &long)).is_empty());
        let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert!(too_long(&source("cli/src/get.rs", &tested)).is_empty());
    }

    #[test]
    fn a_silent_file_is_seen() {
        assert_eq!(undocumented(&source("cli/src/get.rs", "use x;\n//! late")).len(), 1);
        assert!(undocumented(&source("cli/src/get/tests.rs", "use x;")).is_empty());
        assert!(undocumented(&source("cli/src/get.rs", "//! what it is for\n")).is_empty());
        assert!(
            undocumented(&source("cli/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n")).is_empty()
        );
    }

    #[test]
    fn empty_words_are_seen() {
        let text = "struct KeyManager; enum RouteInfo {} trait Handler {} mod util; struct Metadata; enum DataClass {}";
        assert_eq!(empty_names(&source("cli/src/get.rs", text)).len(), 4);
    }
}
