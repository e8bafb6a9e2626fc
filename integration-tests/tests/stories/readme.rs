//! The README's code, run as a reader would run it: `integration_tests::readme` says which blocks and how.
//!
//! The house of the page is `chancery dev` on free ports; `chancery` on the path is the binary under test, and `dev.env` is
//! read by the page's own first block, so that its addresses are variables and not numbers.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use integration_tests::{
    household::{Dev, binary},
    readme,
};
use tokio::process::Command;

/// Runs a page's blocks in one shell beside a running `chancery dev`.
async fn run(page: &str) -> Result<()> {
    let blocks = readme::blocks(page);
    ensure!(!blocks.is_empty(), "the page has no block that is run: mark them `sh test`");
    let home = tempfile::tempdir()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    // A clone as a reader has it, but for what is kept under the state directory.
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            std::os::unix::fs::symlink(entry.path(), home.path().join(entry.file_name()))?;
        }
    }
    let _dev = Dev::start(home.path(), &[], &[]).await?;
    let binary = binary()?;
    let script = readme::script(&blocks);
    let mut shell = Command::new("sh");
    let path = format!("{}:{}", binary.parent().context("a directory")?.display(), std::env::var("PATH")?);
    let path = match std::env::var("CHANCERY_TEST_PYTHON") {
        Ok(python) => format!("{}:{path}", Path::new(&python).parent().context("a directory")?.display()),
        Err(_) => path,
    };
    shell
        .arg("-c")
        .arg(&script)
        .current_dir(home.path())
        .env("PATH", path)
        .env("no_proxy", "*")
        .env("NO_PROXY", "*")
        .kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(180), shell.output()).await??;
    let printed = String::from_utf8_lossy(&output.stdout);
    let outputs = readme::outputs(&printed, blocks.len());
    for (at, block) in blocks.iter().enumerate() {
        let complaint = || format!("README.md:{}: {}", block.line, String::from_utf8_lossy(&output.stderr));
        let output = outputs.get(at).with_context(complaint)?;
        if let Some(expected) = &block.output {
            readme::agrees(expected, output).with_context(|| format!("README.md:{}", block.line))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_does_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let page = std::fs::read_to_string(&path).expect("the house has a README.md");
    run(&page).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_lies_is_seen() {
    let lie = "```sh test\n. .chancery/dev.env\ncurl -sf \"$OPENAI_BASE_URL/models\" -H \"Authorization: Bearer $OPENAI_API_KEY\" | head -c 9\n```\n```text output\nno models\n```\n";
    let fault = format!("{:#}", run(lie).await.unwrap_err());
    assert!(fault.contains("{\"object\""), "{fault}");
    let fails = "```sh test\n. .chancery/dev.env\ncurl -sf \"$OPENAI_BASE_URL/models\"\n```\n";
    assert!(run(fails).await.is_err(), "a command that fails is not passed over");
}
