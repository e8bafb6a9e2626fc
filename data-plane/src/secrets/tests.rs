use policy_engine::facts::VaultSecret;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::upstream::scripted;

fn place(path: &str) -> Credential {
    Credential::Vault(VaultSecret { mount: "secret".into(), path: path.into(), key: "key".into() })
}

/// A port that was told of these, and when that was.
fn wanting(paths: &[&str]) -> (Remote, Instant) {
    let remote = Remote::with(Keepers::default(), &config::Secrets::default());
    remote.want(&paths.iter().map(|path| place(path)).collect());
    (remote, Instant::now())
}

fn text(value: &str) -> Result<Zeroizing<String>, NotFetched> {
    Ok(Zeroizing::new(value.to_owned()))
}

fn away() -> Result<Zeroizing<String>, NotFetched> {
    Err(NotFetched::Away("refused".to_owned()))
}

fn opened(remote: &Remote, path: &str) -> Option<String> {
    remote.open(&place(path)).map(|value| value.as_str().to_owned())
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_is_named_is_asked_for_at_once_and_what_is_not_is_let_go() {
    let (remote, now) = wanting(&["a"]);
    assert_eq!(remote.due(now).0, [place("a")]);
    assert_eq!(remote.due(now).0, [], "its answer is waited for");
    assert_eq!(remote.settle(&place("a"), text("one"), now), Settled::Changed);
    let held = remote.open(&place("a")).unwrap();
    remote.want(&HashSet::from([place("b"), Credential::Sealed]));
    assert_eq!((opened(&remote, "a"), Arc::strong_count(&held)), (None, 1));
    assert_eq!(remote.due(Instant::now()).0, [place("b")], "what is not kept elsewhere is not asked for");
    assert_eq!(remote.settle(&place("a"), text("late"), now), Settled::Same);
}

#[tokio::test]
async fn another_value_is_in_force_and_the_same_one_changes_nothing() {
    let (remote, now) = wanting(&["a"]);
    for (value, settled) in [("one", Settled::Changed), ("one", Settled::Same), ("two", Settled::Changed)] {
        assert_eq!(remote.settle(&place("a"), text(value), now), settled);
        assert_eq!(opened(&remote, "a").as_deref(), Some(value));
    }
    // Asked for again within a tenth of the interval, one way or the other.
    let next = remote.due(now).1.unwrap().saturating_duration_since(now);
    assert!((270..=330).contains(&next.as_secs()), "{next:?}");
}

#[tokio::test]
async fn the_last_good_one_stays_while_its_keeper_is_away_and_not_for_ever() {
    let (remote, now) = wanting(&["a"]);
    remote.settle(&place("a"), text("one"), now);
    let mut pauses = Vec::new();
    for at in [1, 2, 3, 10] {
        let at = now + MINUTE * at;
        assert_eq!(remote.settle(&place("a"), away(), at), Settled::Same);
        pauses.push(remote.due(at).1.unwrap().saturating_duration_since(at).as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
    assert_eq!(opened(&remote, "a").as_deref(), Some("one"));
    let later = now + Duration::from_secs(86_400);
    assert_eq!(remote.settle(&place("a"), away(), later), Settled::Changed);
    assert_eq!(opened(&remote, "a"), None);
    assert_eq!(remote.settle(&place("a"), away(), later), Settled::Same, "it is gone already");
    assert_eq!(remote.settle(&place("a"), text("one"), later), Settled::Changed);
}

#[tokio::test]
async fn one_that_is_taken_away_is_used_no_more() {
    let (remote, now) = wanting(&["a"]);
    remote.settle(&place("a"), text("one"), now);
    assert_eq!(remote.settle(&place("a"), Err(NotFetched::Refused(403)), now), Settled::Same);
    assert_eq!(remote.settle(&place("a"), Err(NotFetched::Gone("nothing is there")), now), Settled::Changed);
    assert_eq!(opened(&remote, "a"), None);
}

#[tokio::test]
async fn a_vendors_refusal_asks_anew_and_many_do_not_ask_often() {
    let (remote, _) = wanting(&["a"]);
    let now = Instant::now();
    let asked = |at: Instant| remote.due(at).0.len();
    assert_eq!(asked(now), 1);
    remote.settle(&place("a"), text("one"), now);
    for _ in 0..100 {
        remote.refused(&place("a"));
    }
    assert_eq!(asked(Instant::now()), 1, "at once");
    remote.settle(&place("a"), text("one"), Instant::now());
    remote.refused(&place("a"));
    assert_eq!(asked(Instant::now()), 0, "not again at once");
    assert_eq!(asked(Instant::now() + REFUSED), 1);
    remote.refused(&place("nobody"));
}

#[tokio::test]
async fn a_keeper_that_is_not_configured_is_named_by_its_key() {
    let (remote, _) = wanting(&[]);
    let fetched = remote.keepers.fetch(&place("a")).await;
    assert_eq!(fetched.unwrap_err().to_string(), "the node's configuration has no `secrets.vault_address`");
    for (config, key) in [
        (config::Secrets { vault_address: Some("vault:8200".into()), ..Default::default() }, "vault_address"),
        (
            config::Secrets { vault_address: Some("https://u:p@v".into()), ..Default::default() },
            "vault_address",
        ),
        (
            config::Secrets {
                vault_address: Some("https://v".into()),
                vault_role_id: Some("r".into()),
                ..Default::default()
            },
            "vault_role_id",
        ),
        (
            config::Secrets {
                vault_address: Some("https://v".into()),
                vault_ca: Some("/nowhere".into()),
                ..Default::default()
            },
            "vault_ca",
        ),
    ] {
        let unfit = Remote::of(&config).err().unwrap();
        assert_eq!(unfit.key, key);
        assert!(!unfit.to_string().contains("u:p"), "{unfit}");
    }
}

/// Says each time that something is to be in force.
struct Told(mpsc::UnboundedSender<()>);

impl Renew for Told {
    fn renew(&self) {
        self.0.send(()).unwrap();
    }
}

#[tokio::test]
async fn a_keeper_that_was_away_is_asked_again_soon_and_what_it_says_is_put_in_force() {
    let answers = Arc::new(Mutex::new(vec![
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 37\r\n\r\n{\"data\":{\"data\":{\"key\":\"sk-canary\"}}}",
        "HTTP/1.1 503 Sealed\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    ]));
    let port = scripted::serve(move |mut stream| {
        let answers = answers.clone();
        async move {
            scripted::request(&mut stream).await;
            let answer = answers.lock().pop().unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "hvs.t").unwrap();
    let config = config::Secrets {
        vault_address: Some(format!("http://127.0.0.1:{port}")),
        vault_token_file: Some(token.path().into()),
        ..Default::default()
    };
    let remote = Arc::new(Remote::of(&config).unwrap());
    let (told, mut renewed) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(remote.clone(), Arc::new(Told(told)), stop.clone()));
    remote.want(&HashSet::from([place("a")]));
    tokio::time::timeout(MINUTE, renewed.recv()).await.unwrap().unwrap();
    assert_eq!(opened(&remote, "a").as_deref(), Some("sk-canary"));
    stop.cancel();
    running.await.unwrap();
    assert!(renewed.recv().await.is_none(), "once, and no more");
}

#[tokio::test]
async fn a_file_that_is_written_anew_is_noticed_and_one_that_is_gone_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let reference = Credential::File(path.display().to_string());
    let remote = Remote::with(Keepers::default(), &config::Secrets::default());
    remote.want(&HashSet::from([reference.clone()]));
    let asked = async || {
        let answer = remote.keepers.fetch(&reference).await;
        remote.settle(&reference, answer, Instant::now())
    };
    std::fs::write(&path, "one\n").unwrap();
    assert_eq!((asked().await, asked().await), (Settled::Changed, Settled::Same));
    std::fs::write(&path, "two\n").unwrap();
    assert_eq!((asked().await, asked().await), (Settled::Changed, Settled::Same));
    assert_eq!(remote.open(&reference).unwrap().as_str(), "two");
    std::fs::remove_file(&path).unwrap();
    assert_eq!((asked().await, remote.open(&reference)), (Settled::Changed, None));
    // No pipe is waited for, and nothing that is no secret is read.
    std::fs::create_dir(&path).unwrap();
    assert_eq!(asked().await, Settled::Same);
}
