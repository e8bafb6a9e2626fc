//! What an operator may set, and what it is where nothing is set.
//!
//! A TOML file; every key also as `CHANCERY__<SECTION>__<KEY>` (keys without a section: `CHANCERY__<KEY>`), which wins.
//! A key that is not known is an error, in the file and in the environment. Read once, without side effects.

mod admin;
mod break_glass;
mod form;
mod retention;
mod rollout;
mod subjects;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use policy_engine::vocabulary::{Duration, SpanError};
use serde::Deserialize;

use crate::approval::ApprovalConfig;
use crate::upstream::Upstream;
pub(crate) use admin::MADE_HERE;
pub use admin::{AdminConfig, AdminRole, AdminToken};
pub use break_glass::BreakGlassConfig;
pub use form::FormError;
pub use retention::RetentionConfig;
pub use rollout::RolloutConfig;
pub(crate) use rollout::reach;
pub use subjects::SubjectsConfig;

/// What begins the name of every variable that sets a key.
const PREFIX: &str = "CHANCERY__";

/// The shortest life of a node's certificate: certificates count in seconds.
const SHORTEST: std::time::Duration = std::time::Duration::from_secs(2);

/// The configuration of a control plane.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the control plane keeps what is its own: `control-plane/` under this directory. Default `.chancery`.
    pub state_dir: PathBuf,
    /// The addresses it listens on.
    pub listen: Listen,
    /// Where facts and history are kept.
    pub store: StoreConfig,
    /// Who may administer it.
    pub admin: AdminConfig,
    /// How nodes are served.
    pub sync: SyncConfig,
    /// Which upstream addresses may be registered, beyond public ones.
    pub upstream: Upstream,
    /// How staged changes are taken to the nodes.
    pub rollout: RolloutConfig,
    /// What one principal may not change alone.
    pub approval: ApprovalConfig,
    /// How the audit log is signed.
    pub audit: AuditConfig,
    /// Who may take the platform's rights for a while.
    pub break_glass: BreakGlassConfig,
    /// Where it is kept who is who.
    pub subjects: SubjectsConfig,
    /// How what is recorded goes that a retention keeps no longer.
    pub retention: RetentionConfig,
}

/// How the audit log is signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// The least generation of the key that signs checkpoints. The newest two sign: to raise it by one brings a new key in at the next
    /// start, to raise it twice retires the one that was. Default `1`.
    pub key_generation: i64,
}

/// Addresses; port 0 picks a free one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Admin API, gRPC and REST, and the console. Default `127.0.0.1:7070`.
    pub admin: SocketAddr,
    /// Node sync: gRPC under mTLS. Default `127.0.0.1:7071`.
    pub sync: SocketAddr,
    /// `/livez`, `/readyz`, `/metrics`. Default `127.0.0.1:7079`.
    pub ops: SocketAddr,
}

/// Where facts and history are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The SQLite file. Default: `store.db` in the control plane's own directory.
    pub path: Option<PathBuf>,
}

/// How nodes are served.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncConfig {
    /// How often a node is told that its policy is still the newest. Default `2s`.
    pub heartbeat: Length,
    /// Host names and addresses in the sync port's certificate. Default `localhost`, `127.0.0.1` and `::1`.
    pub hosts: Vec<String>,
    /// How long open streams and calls may go on when the control plane stops. Default `5s`.
    pub grace: Length,
    /// How long the certificates are good that nodes get by enrolment; they are renewed by themselves. At least `2s`; default `24h`.
    pub node_certificate_valid: Length,
    /// The least generation of the key that signs what nodes are told. Nodes trust the newest they met and the one before: to raise
    /// it by one replaces the key at the next start, to raise it twice retires the one that was. A new authority is taken by a key of a
    /// new generation alone. Default `1`.
    pub signer_generation: u64,
    /// PEM file of authorities whose node certificates are taken too. Default: none.
    pub client_ca: Option<PathBuf>,
    /// Whether certificates of the built-in authority are taken, and so whether nodes can be enrolled. Default `true`.
    pub own_authority: bool,
    /// PEM file of the sync port's certificate chain; tokens can be made where it ends with its authority's certificate.
    /// Default: none, and the built-in authority issues one at each start.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file of its private key; given exactly when the certificate is.
    pub tls_key: Option<PathBuf>,
}

/// A length of time, written `250ms`, `2s`, `10m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Length(pub std::time::Duration);

/// Why a configuration is not read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("`{path}` can't be read")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or not of this form.
    #[error("the configuration is not right")]
    Form(#[from] FormError),
    /// The same of a file.
    #[error("the configuration `{path}` is not right")]
    FormOf {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FormError,
    },
    /// A value can't be meant.
    #[error("{0}")]
    Value(String),
    /// A variable names a key that is not known, or not with this value.
    #[error("the variable `{name}` is not right")]
    FormOfVariable {
        /// Which.
        name: String,
        /// Why.
        source: FormError,
    },
    /// A variable does not name a key.
    #[error("`{0}` names no key")]
    Variable(String),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from(".chancery"),
            listen: Listen::default(),
            store: StoreConfig::default(),
            admin: AdminConfig::default(),
            sync: SyncConfig::default(),
            upstream: Upstream::default(),
            rollout: RolloutConfig::default(),
            approval: ApprovalConfig::default(),
            audit: AuditConfig::default(),
            break_glass: BreakGlassConfig::default(),
            subjects: SubjectsConfig::default(),
            retention: RetentionConfig::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { admin: local(7070), sync: local(7071), ops: local(7079) }
    }
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { key_generation: 1 }
    }
}

impl Default for SyncConfig {
    fn default() -> Self {
        let seconds = |n| Length(std::time::Duration::from_secs(n));
        let hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        Self {
            signer_generation: 1,
            heartbeat: seconds(2),
            hosts,
            grace: seconds(5),
            node_certificate_valid: seconds(24 * 60 * 60),
            client_ca: None,
            own_authority: true,
            tls_certificate: None,
            tls_key: None,
        }
    }
}

impl TryFrom<String> for Length {
    type Error = SpanError;
    fn try_from(text: String) -> Result<Self, SpanError> {
        let Duration(micros) = text.parse()?;
        Ok(Self(std::time::Duration::from_micros(micros.unsigned_abs())))
    }
}

impl Config {
    /// Reads a file, if one is given, and lays the environment's variables over it.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| ConfigError::File { path: path.to_owned(), source })?,
            None => String::new(),
        };
        match (Self::parse(&text, environment), file) {
            // The file's name says already that it is the configuration that is not right.
            (Err(ConfigError::Form(source)), Some(path)) => {
                Err(ConfigError::FormOf { path: path.to_owned(), source })
            }
            (read, _) => read,
        }
    }

    /// Reads a text, and lays the environment's variables over it.
    pub fn parse(
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let written: toml::Table = text.parse().map_err(|error| FormError::of(&error, text))?;
        let variables: Vec<_> = environment.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let all: Vec<_> = variables.iter().collect();
        let read = laid(&written, &all)?.try_into::<Self>();
        let config = read.map_err(|error| {
            let same = |other: toml::de::Error| other.message() == error.message();
            let is_there = |chosen: &[&(String, String)]| {
                laid(&written, chosen).is_ok_and(|table| table.try_into::<Self>().is_err_and(same))
            };
            let source = FormError::of_table::<Self>(&error, text);
            match form::to_blame(&variables, is_there).map(str::to_owned) {
                Some(name) => ConfigError::FormOfVariable { name, source },
                None => ConfigError::Form(source),
            }
        })?;
        config.admin.check()?;
        config.sync.check()?;
        Ok(config)
    }

    /// The control plane's own directory.
    pub fn own_dir(&self) -> PathBuf {
        self.state_dir.join("control-plane")
    }

    /// The SQLite file.
    pub fn store_path(&self) -> PathBuf {
        self.store.path.clone().unwrap_or_else(|| self.own_dir().join("store.db"))
    }
}

impl SyncConfig {
    /// Refuses what can't be meant.
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |why: &str| Err(ConfigError::Value(why.to_owned()));
        if self.node_certificate_valid.0 < SHORTEST {
            return wrong("`sync.node_certificate_valid` is too short: it must be at least `2s`");
        }
        if !self.own_authority && self.client_ca.is_none() {
            return wrong(
                "`sync.own_authority` is false and there is no `sync.client_ca`: no node could ever come",
            );
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return wrong("`sync.tls_certificate` and `sync.tls_key` are given together or not at all");
        }
        Ok(())
    }
}

/// A file's table with variables laid over it, every key under its name here.
fn laid(written: &toml::Table, variables: &[&(String, String)]) -> Result<toml::Table, ConfigError> {
    let mut table = written.clone();
    for (name, value) in variables {
        let path = name.strip_prefix(PREFIX).unwrap_or_default();
        overlay(&mut table, path, value).ok_or_else(|| ConfigError::Variable(name.clone()))?;
    }
    renamed(table)
}

/// The names that a data plane's file has for the same keys, with those here; a key has one value, under either name.
const RENAMED: [(&[&str], &[&str]); 3] = [
    (&["state", "dir"], &["state_dir"]),
    (&["listen", "tls_certificate"], &["admin", "tls_certificate"]),
    (&["listen", "tls_key"], &["admin", "tls_key"]),
];

/// The table with every key under its name here.
fn renamed(mut table: toml::Table) -> Result<toml::Table, ConfigError> {
    for (theirs, ours) in RENAMED {
        let Some(value) = taken(&mut table, theirs) else { continue };
        let twice = || {
            ConfigError::Value(format!(
                "`{}` and `{}` are one key: give it once",
                theirs.join("."),
                ours.join(".")
            ))
        };
        let (Some((key, sections)), mut at) = (ours.split_last(), &mut table) else { continue };
        for section in sections {
            let entry = at.entry(*section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            at = entry.as_table_mut().ok_or_else(twice)?;
        }
        if at.insert((*key).to_owned(), value).is_some() {
            return Err(twice());
        }
    }
    if table.get("state").and_then(toml::Value::as_table).is_some_and(toml::Table::is_empty) {
        table.remove("state");
    }
    Ok(table)
}

/// Takes a key out of a table.
fn taken(table: &mut toml::Table, path: &[&str]) -> Option<toml::Value> {
    let (key, sections) = path.split_last()?;
    let at = sections.iter().try_fold(table, |at, section| at.get_mut(*section)?.as_table_mut())?;
    at.remove(*key)
}

/// Sets a key by the rest of a variable's name. A value that reads as TOML is that, any other is a text.
fn overlay(table: &mut toml::Table, path: &str, value: &str) -> Option<()> {
    let steps: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
    let (key, sections) = steps.split_last()?;
    if steps.iter().any(String::is_empty) {
        return None;
    }
    let mut at = table;
    for section in sections {
        let entry = at.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = entry.as_table_mut()?;
    }
    let read = format!("value = {value}").parse::<toml::Table>().ok();
    let value =
        read.and_then(|mut t| t.remove("value")).unwrap_or_else(|| toml::Value::String(value.to_owned()));
    at.insert(key.clone(), value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::parse(text, environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn nothing_set_is_the_default_and_the_environment_wins() {
        assert_eq!(parsed("", &[]).unwrap(), Config::default());
        let text = "state_dir = \"/a\"\n[listen]\nadmin = \"0.0.0.0:1\"\n[sync]\nheartbeat = \"500ms\"\n";
        let config = parsed(
            text,
            &[
                ("CHANCERY__LISTEN__ADMIN", "127.0.0.1:0"),
                ("CHANCERY__SYNC__HOSTS", "[\"cp.test\"]"),
                ("PATH", "x"),
            ],
        )
        .unwrap();
        assert_eq!((config.state_dir.as_path(), config.listen.admin.port()), (Path::new("/a"), 0));
        assert_eq!(config.sync.hosts, ["cp.test"]);
        assert_eq!(config.sync.heartbeat.0.as_millis(), 500);
        assert_eq!(config.listen.sync.port(), 7071);
    }

    #[test]
    fn the_names_of_a_data_planes_file_are_taken_too_and_once() {
        let theirs = "[state]\ndir = \"/a\"\n[listen]\ntls_certificate = \"c\"\ntls_key = \"k\"\n";
        let ours = "state_dir = \"/a\"\n[admin]\ntls_certificate = \"c\"\ntls_key = \"k\"\n";
        assert_eq!(parsed(theirs, &[]).unwrap(), parsed(ours, &[]).unwrap());
        let config = parsed("", &[("CHANCERY__STATE__DIR", "/b")]).unwrap();
        assert_eq!(config.state_dir, Path::new("/b"));
        for twice in [
            "state_dir = \"/a\"\n[state]\ndir = \"/b\"\n",
            "[listen]\ntls_key = \"k\"\n[admin]\ntls_key = \"k\"\n",
        ] {
            let told = parsed(twice, &[]).unwrap_err().to_string();
            assert!(told.contains("are one key: give it once"), "{told}");
        }
        assert!(parsed("[state]\noutbox_places = 3\n", &[]).is_err());
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        assert!(parsed("[admin]\nconnections = 0\n", &[]).is_err());
        let token = |more: &str| {
            let sha256 = "0".repeat(64);
            parsed(&format!("[admin]\ntokens = [{{name = \"a\", sha256 = \"{sha256}\"{more}}}]\n"), &[])
        };
        assert!(
            token("").is_ok() && token(", role = \"auditor\", tenants = [\"acme\"], geos = [\"eu\"]").is_ok()
        );
        for wrong in [", role = \"root\"", ", tenants = [\"acme\"]", ", role = \"auditor\", geos = [\"a b\"]"]
        {
            assert!(token(wrong).is_err(), "{wrong}");
        }
        let two = |names: [&str; 2]| {
            let [admin, auditor] = names;
            let (a, b) = ("a".repeat(64), "b".repeat(64));
            let admin = format!("{{name = \"{admin}\", sha256 = \"{a}\"}}");
            let text = format!(
                "[admin]\ntokens = [{admin}, {{name = \"{auditor}\", sha256 = \"{b}\", role = \"auditor\"}}]\n"
            );
            (parsed(&text, &[]), parsed(&text.replace(&b, &a), &[]))
        };
        assert!(two(["a", "b"]).0.is_ok() && two(["a", "root"]).0.is_ok());
        assert!(two(["a", "a"]).0.is_err() && two(["a", "b"]).1.is_err());
        assert!(
            parsed(
                &format!(
                    "[admin]\ntokens = [{{name = \"root\", sha256 = \"{}\", role = \"auditor\"}}]\n",
                    "0".repeat(64)
                ),
                &[]
            )
            .is_err()
        );
        for wrong in ["who = [\"eve\"]", "max = \"0s\"", "max = \"25h\""] {
            assert!(parsed(&format!("[break_glass]\n{wrong}\n"), &[]).is_err(), "{wrong}");
        }
        assert!(parsed("[listen]\nadmn = \"0.0.0.0:1\"\n", &[]).is_err());
        assert!(parsed("", &[("CHANCERY__LISTEN__ADMN", "0.0.0.0:1")]).is_err());
        assert!(parsed("", &[("CHANCERY__", "x")]).is_err());
        assert!(parsed("[sync]\nheartbeat = \"soon\"\n", &[]).is_err());
        assert!(parsed("[approval]\nkinds = [\"Key\"]\n", &[]).is_err());
        assert!(parsed("", &[("CHANCERY__APPROVAL__KINDS", "[\"Rule\"]")]).is_ok());
        for wrong in ["node_certificate_valid = \"1s\"", "own_authority = false", "tls_key = \"k\""] {
            assert!(parsed(&format!("[sync]\n{wrong}\n"), &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_right_is_told_on_one_line_with_the_files_name_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cp.toml");
        let told = |text: &str, environment: &[(&str, &str)]| {
            std::fs::write(&path, text).unwrap();
            let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            let error = Config::load(Some(&path), environment).unwrap_err();
            format!("{error}: {}", std::error::Error::source(&error).unwrap())
        };
        let begin = format!("the configuration `{}` is not right: ", path.display());
        for (text, line) in [
            ("[listen]\n\nadmin = \n", "line 3: "),
            ("[state]\ndir = \"/a\"\n[listen]\nadmn = \"0.0.0.0:1\"\n", "line 4: unknown field `admn`"),
            ("# all of it\n[listen]\nadmn = \"0.0.0.0:1\"\n", "line 3: unknown field `admn`"),
            ("[sync]\nheartbeat = \"soon\"\n", "line 2: "),
        ] {
            let told = told(text, &[]);
            assert!(told.strip_prefix(&begin).unwrap().starts_with(line) && !told.contains('\n'), "{told}");
        }
        // What a variable brought is said of the variable.
        let told =
            told("[listen]\n", &[("CHANCERY__SYNC__HOSTS", "[]"), ("CHANCERY__LISTEN__ADMN", "0.0.0.0:1")]);
        let named = "the variable `CHANCERY__LISTEN__ADMN` is not right: unknown field `admn`";
        assert!(told.starts_with(named) && !told.contains('\n'), "{told}");
        assert!(told.ends_with("in `listen`"), "{told}");
    }

    #[test]
    fn the_documented_file_has_every_key_and_its_default() {
        let documented = include_str!("../../deploy/config/control-plane.toml");
        let spoken: String = documented
            .lines()
            .map(|line| match line.strip_prefix("#: ") {
                Some(key) => format!("{key}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        assert_eq!(parsed(&spoken, &[]).unwrap(), Config::default());
        let source = [
            include_str!("config.rs"),
            include_str!("config/rollout.rs"),
            include_str!("config/admin.rs"),
            include_str!("config/break_glass.rs"),
            include_str!("config/subjects.rs"),
            include_str!("upstream.rs"),
            include_str!("approval.rs"),
        ]
        .concat();
        for line in source.lines() {
            let field = line.strip_prefix("    pub ").and_then(|l| l.split_once(": "));
            if let Some((key, _)) = field.filter(|(key, _)| !key.contains('(')) {
                assert!(
                    documented.contains(&format!("{key} = ")) || documented.contains(&format!("[{key}]")),
                    "{key}"
                );
            }
        }
    }
}
