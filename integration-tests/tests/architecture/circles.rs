//! Whether files import each other in a circle.
//!
//! An edge runs from a file to the file of the deepest module its paths name (`crate::`, `super::`, `self::`). A file and the
//! files of its own submodules are one household: a parent re-exports its children, and children look up to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::Source;
use crate::words;

/// Circles of files within one crate, each shown once as `a -> b -> a`.
pub(crate) fn circles(sources: &[Source]) -> Vec<String> {
    let files: BTreeMap<String, &Source> = sources
        .iter()
        .filter(|source| !source.is_test())
        .map(|source| (module(&source.path), source))
        .collect();
    let graph: BTreeMap<&str, BTreeSet<&str>> =
        files.iter().map(|(name, source)| (name.as_str(), imports(name, source, &files))).collect();
    let mut search = Search { graph: &graph, done: BTreeSet::new(), trail: Vec::new(), found: Vec::new() };
    for name in graph.keys().copied() {
        search.visit(name);
    }
    search.found
}

/// `data-plane/src/quota/memory.rs` is `data-plane::quota::memory`; a `mod.rs`, `lib.rs` or `main.rs` is its directory.
fn module(path: &str) -> String {
    let path = path.trim_end_matches(".rs").replacen("/src", "", 1);
    let path = ["/mod", "/lib", "/main"].iter().fold(path.as_str(), |path, end| path.trim_end_matches(end));
    path.replace('/', "::")
}

fn imports<'files>(
    from: &str,
    source: &Source,
    files: &'files BTreeMap<String, &Source>,
) -> BTreeSet<&'files str> {
    let mut found = BTreeSet::new();
    for (path, _) in words::paths(&source.code) {
        let Some(mut target) = absolute(from, &path, files) else { continue };
        while !files.contains_key(&target) {
            let Some((parent, _)) = target.rsplit_once("::") else { break };
            target = parent.to_owned();
        }
        if let Some((name, _)) = files.get_key_value(&target) {
            let household = name == from
                || from.starts_with(&format!("{name}::"))
                || name.starts_with(&format!("{from}::"));
            if !household {
                found.insert(name.as_str());
            }
        }
    }
    found
}

fn absolute(from: &str, path: &str, files: &BTreeMap<String, &Source>) -> Option<String> {
    let (first, rest) = path.split_once("::")?;
    match first {
        "crate" => Some(format!("{}::{rest}", root(from, files))),
        "self" => Some(format!("{from}::{rest}")),
        "super" => {
            let (parent, _) = from.rsplit_once("::")?;
            absolute(parent, rest, files).or_else(|| Some(format!("{parent}::{rest}")))
        }
        _ => None,
    }
}

/// The crate's root: the shortest module above `from` that is a file (a binary in a directory is a crate of its own).
fn root<'from>(from: &'from str, files: &BTreeMap<String, &Source>) -> &'from str {
    let main = |name: &str| files.get(name).is_some_and(|source| source.path.ends_with("/main.rs"));
    let ends = from.match_indices("::").map(|(at, _)| at).chain([from.len()]);
    let above: Vec<&str> = ends.filter_map(|at| from.get(..at)).collect();
    above.iter().rev().copied().find(|name| main(name)).or_else(|| above.first().copied()).unwrap_or(from)
}

struct Search<'graph> {
    graph: &'graph BTreeMap<&'graph str, BTreeSet<&'graph str>>,
    done: BTreeSet<&'graph str>,
    trail: Vec<&'graph str>,
    found: Vec<String>,
}

impl<'graph> Search<'graph> {
    fn visit(&mut self, name: &'graph str) {
        if let Some(start) = self.trail.iter().position(|seen| *seen == name) {
            let circle = self.trail.get(start..).unwrap_or_default();
            self.found.push(format!("imports form a circle: {} -> {name}", circle.join(" -> ")));
            return;
        }
        if self.done.contains(name) {
            return;
        }
        self.trail.push(name);
        for next in self.graph.get(name).into_iter().flatten().copied() {
            self.visit(next);
        }
        self.trail.pop();
        self.done.insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(files: &[(&str, &str)]) -> Vec<Source> {
        files.iter().map(|(path, text)| Source::new((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_circle_of_three_files_is_seen_once() {
        let found = circles(&house(&[
            ("proto/src/lib.rs", "mod a; mod b; mod c;"),
            ("proto/src/a.rs", "use crate::b::B;"),
            ("proto/src/b.rs", "use super::c::{C, D};"),
            ("proto/src/c/mod.rs", "fn f() { crate::a::g() }"),
        ]));
        assert_eq!(found, ["imports form a circle: proto::a -> proto::b -> proto::c -> proto::a"]);
    }

    #[test]
    fn a_household_and_a_tree_are_not_circles() {
        let found = circles(&house(&[
            ("cli/src/main.rs", "mod a; use crate::a::A;"),
            ("cli/src/a/mod.rs", "mod b; pub use self::b::B;"),
            ("cli/src/a/b.rs", "use super::A; use crate::c::C;"),
            ("cli/src/c.rs", "use std::fs; #[cfg(test)] mod tests { use crate::a::A; }"),
        ]));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_binary_in_a_directory_is_a_crate_of_its_own() {
        let found = circles(&house(&[
            ("proto/src/lib.rs", "mod a;"),
            ("proto/src/a.rs", "use crate::bench::B;"),
            ("proto/src/bench/main.rs", "mod a; mod c;"),
            ("proto/src/bench/a.rs", "use crate::c::C;"),
            ("proto/src/bench/c.rs", "use crate::a::A;"),
        ]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("bench::a -> proto::bench::c"));
    }
}
