//! The code of a README, as a reader would run it.
//!
//! Law: a block runs if its info string is the one that is asked for, such as `sh test`, in the order of the page and in one shell,
//! as somebody would who types it all; a block `text output` right after it is what it prints, line by line. In such a line `…` stands for any text, and a line
//! that is only `…` for any number of lines. Deliberately absent: any other language.

use anyhow::{Result, ensure};

/// A block that is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line it begins at, from 1.
    pub line: usize,
    /// The shell's text.
    pub script: String,
    /// What it must print, where the page says so.
    pub output: Option<String>,
}

/// The blocks of a page with this info string, which are run.
pub fn blocks(page: &str, kind: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (at, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.trim().to_owned(), at + 1, String::new())),
            (Some(_), Some(_)) => {
                let Some((info, line, text)) = open.take() else { continue };
                match info.as_str() {
                    info if info == kind => blocks.push(Block { line, script: text, output: None }),
                    "text output" => {
                        if let Some(block) = blocks.last_mut() {
                            block.output.get_or_insert(text);
                        }
                    }
                    _ => {}
                }
            }
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// One shell script of all blocks, with a mark after each so that their outputs can be told apart; the first command that
/// fails ends it.
pub fn script(blocks: &[Block]) -> String {
    let mut script = "set -eu\n".to_owned();
    for (at, block) in blocks.iter().enumerate() {
        script.push_str(&format!("{}\nprintf '\\n{}\\n'\n", block.script, mark(at)));
    }
    script
}

/// What each block printed, as far as the script came.
pub fn outputs(printed: &str, count: usize) -> Vec<String> {
    let mut rest = printed;
    let mut outputs = Vec::new();
    for at in 0..count {
        let end = format!("\n{}\n", mark(at));
        let Some((output, after)) = rest.split_once(&end) else { break };
        outputs.push(output.to_owned());
        rest = after;
    }
    outputs
}

/// Compares what a block printed with what the page says. Errors name the line that is not there.
pub fn agrees(page: &str, printed: &str) -> Result<()> {
    let printed: Vec<&str> = printed.trim().lines().collect();
    let mut at = 0;
    let mut skip = false;
    for line in page.trim().lines() {
        if line.trim() == "…" {
            skip = true;
            continue;
        }
        let rest = printed.get(at..).unwrap_or_default();
        let found = rest.iter().position(|printed| fits(line.trim_end(), printed.trim_end()));
        let near = found.filter(|found| skip || *found == 0);
        ensure!(near.is_some(), "expected `{line}`, printed was:\n{}", printed.join("\n"));
        at += near.map_or(0, |near| near + 1);
        skip = false;
    }
    let rest = printed.get(at..).unwrap_or_default();
    ensure!(skip || rest.is_empty(), "more was printed than the page says: {}", rest.join("\n"));
    Ok(())
}

/// Whether a line fits a pattern in which `…` is any text.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn mark(at: usize) -> String {
    format!("--- end of block {at} ---")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# x\n```sh\nrm -rf /\n```\n\n```sh test\necho a\necho b1\n```\nprints\n```text output\na\nb…\n```\n```sh test\ntrue\n```\n";

    #[test]
    fn only_marked_blocks_are_run_and_their_outputs_belong_to_them() {
        let found = blocks(PAGE, "sh test");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].line, found[0].script.as_str()), (6, "echo a\necho b1\n"));
        assert_eq!((found[0].output.as_deref(), &found[1].output), (Some("a\nb…\n"), &None));
        let run = std::process::Command::new("sh").arg("-c").arg(script(&found)).output().unwrap();
        let printed = outputs(&String::from_utf8(run.stdout).unwrap(), 2);
        assert_eq!(printed, ["a\nb1\n", ""]);
        agrees(found[0].output.as_deref().unwrap(), &printed[0]).unwrap();
    }

    #[test]
    fn what_differs_is_told() {
        for (page, printed) in
            [("a", "b"), ("a", ""), ("a\nb", "a\nx\nb"), ("a", "a\nb"), ("a…c", "abd"), ("…\nb", "a")]
        {
            assert!(agrees(page, printed).is_err(), "{page:?} {printed:?}");
        }
        for (page, printed) in [
            ("a", "a\n"),
            ("a\n…\nb", "a\nx\ny\nb"),
            ("a\n…", "a\nb"),
            ("a…b…c", "axbyc"),
            ("…\nb", "b"),
            ("", ""),
        ] {
            agrees(page, printed).unwrap();
        }
    }
}
