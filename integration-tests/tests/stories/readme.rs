//! The README's code, run as a reader would run it: `integration_tests::readme` says which blocks and how.
//!
//! The house of the page is `chancery dev` on free ports; `chancery` on the path is the binary under test, and `dev.env` is
//! read by the page's own first block, so that its addresses are variables and not numbers.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use integration_tests::{
    household::{Dev, binary, free},
    readme,
};
use tokio::process::Command;

fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")
}

/// A clone as a reader has it, but for what is kept under the state directory, and without these.
fn clone(without: &[&str]) -> Result<tempfile::TempDir> {
    let home = tempfile::tempdir()?;
    for entry in std::fs::read_dir(root()?)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !without.contains(&name.as_str()) {
            std::os::unix::fs::symlink(entry.path(), home.path().join(name))?;
        }
    }
    Ok(home)
}

/// Runs a page's blocks in one shell beside a running `chancery dev`.
async fn run(page: &str) -> Result<()> {
    let blocks = readme::blocks(page, "sh test");
    ensure!(!blocks.is_empty(), "the page has no block that is run: mark them `sh test`");
    let home = clone(&[])?;
    let _dev = Dev::start(home.path(), &[], &[]).await?;
    let binary = binary()?;
    // Whatever happens in between, what was started last does not outlive the shell.
    let script = format!("trap 'kill ${{!:-}} 2>/dev/null || true' EXIT\n{}", readme::script(&blocks));
    let mut shell = Command::new("sh");
    let path = format!("{}:{}", binary.parent().context("a directory")?.display(), std::env::var("PATH")?);
    let interpreters =
        ["CHANCERY_TEST_PYTHON", "CHANCERY_TEST_NODE"].map(std::env::var).into_iter().flatten();
    let path = interpreters.fold(path, |path, interpreter| match Path::new(&interpreter).parent() {
        Some(directory) => format!("{}:{path}", directory.display()),
        None => path,
    });
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

/// The ports of the shipped configuration, which a test may not count on.
const PORTS: [&str; 5] =
    ["127.0.0.1:7070", "127.0.0.1:7071", "127.0.0.1:7079", "127.0.0.1:8080", "127.0.0.1:8081"];

/// The text with free ports in the place of those; a key of the configuration that was a comment is set.
fn elsewhere(text: &str, free: &[String]) -> String {
    let moved = |line: &str| {
        let moved =
            PORTS.iter().zip(free).fold(line.to_owned(), |line, (port, free)| line.replace(port, free));
        if moved == line { moved } else { moved.trim_start_matches("#: ").to_owned() }
    };
    text.lines().map(|line| moved(line) + "\n").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_runs_as_the_readme_says() {
    let free: Vec<String> = (0..PORTS.len()).map(|_| free().unwrap().to_string()).collect();
    let home = clone(&["deploy"]).unwrap();
    let config = home.path().join("deploy/config");
    std::fs::create_dir_all(&config).unwrap();
    let shipped = root().unwrap().join("deploy");
    std::os::unix::fs::symlink(shipped.join("examples"), home.path().join("deploy/examples")).unwrap();
    for file in ["control-plane.toml", "data-plane.toml"] {
        let text = std::fs::read_to_string(shipped.join("config").join(file)).unwrap();
        std::fs::write(config.join(file), elsewhere(&text, &free)).unwrap();
    }
    let page = std::fs::read_to_string(root().unwrap().join("README.md")).unwrap();
    let [block] = &readme::blocks(&page, "sh roles")[..] else { panic!("one block shows the roles") };
    // Whatever happens in between, nothing that was started outlives the shell.
    let script = format!(
        "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n{}",
        elsewhere(&block.script, &free)
    );
    let path =
        format!("{}:{}", binary().unwrap().parent().unwrap().display(), std::env::var("PATH").unwrap());
    // Ends the shell with all it started, and what they said by then is told.
    let mut shell = Command::new("timeout");
    shell
        .args(["60", "bash", "-c", &script])
        .current_dir(home.path())
        .env("PATH", path)
        .env("NO_PROXY", "*")
        .env("no_proxy", "*");
    let output = shell.output().await.unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{told}");
    assert!(said.contains("sim-gpt-4o") && said.contains("connected"), "{said}\n{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_lies_is_seen() {
    let lie = "```sh test\n. .chancery/dev.env\ncurl -sf \"$OPENAI_BASE_URL/models\" -H \"Authorization: Bearer $OPENAI_API_KEY\" | head -c 9\n```\n```text output\nno models\n```\n";
    let fault = format!("{:#}", run(lie).await.unwrap_err());
    assert!(fault.contains("{\"object\""), "{fault}");
    let fails = "```sh test\n. .chancery/dev.env\ncurl -sf \"$OPENAI_BASE_URL/models\"\n```\n";
    assert!(run(fails).await.is_err(), "a command that fails is not passed over");
}
