//! `dev.env`: what a shell needs to use the house, there exactly while the house stands.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use control_plane::ca::write_private;

/// Where everything is reached.
#[derive(Debug)]
pub(crate) struct Urls {
    /// The control plane.
    pub(crate) control: String,
    /// The data plane in `eu`.
    pub(crate) eu: String,
    /// The data plane in `us`.
    pub(crate) us: String,
}

/// By what the house is used.
pub(super) struct Credentials {
    /// The administrator's token.
    pub(super) token: String,
    /// An API key.
    pub(super) key: String,
    /// The auditor's token, another at each start.
    pub(super) auditor: String,
}

impl Urls {
    /// The URLs of bound addresses: the control plane's, then the data planes' in the order `eu`, `us`.
    pub(super) fn of(control: SocketAddr, planes: &[SocketAddr]) -> Self {
        let url = |address: Option<&SocketAddr>| address.map_or(String::new(), |a| format!("http://{a}"));
        Self { control: url(Some(&control)), eu: url(planes.first()), us: url(planes.get(1)) }
    }
}

/// Removes the file, if it is there.
pub(super) fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("`{}` can't be removed", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes the file, whole: each variable on a line of its own, then one line that exports them all.
pub(super) fn write(path: &Path, urls: &Urls, credentials: &Credentials) -> anyhow::Result<()> {
    let Credentials { token, key, auditor } = credentials;
    let variables = [
        ("CHANCERY_CONTROL_URL", urls.control.clone()),
        ("CHANCERY_DATA_URL", urls.eu.clone()),
        ("CHANCERY_DATA_URL_US", urls.us.clone()),
        ("CHANCERY_ADMIN_TOKEN", token.clone()),
        ("CHANCERY_API_KEY", key.clone()),
        ("OPENAI_BASE_URL", format!("{}/v1", urls.eu)),
        ("OPENAI_API_KEY", key.clone()),
        ("ANTHROPIC_BASE_URL", urls.eu.clone()),
        ("ANTHROPIC_API_KEY", key.clone()),
        ("CHANCERY_AUDITOR_TOKEN", auditor.clone()),
        ("GOOGLE_GEMINI_BASE_URL", urls.eu.clone()),
        ("GEMINI_API_KEY", key.clone()),
    ];
    let mut text = String::new();
    for (name, value) in &variables {
        text.push_str(&format!("{name}={value}\n"));
    }
    let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
    text.push_str(&format!("export {}\n", names.join(" ")));
    write_private(path, text.as_bytes())?;
    Ok(())
}

/// The platform admin token, as the control plane wrote it at its first start.
pub(super) fn admin_token(own_dir: &Path) -> anyhow::Result<String> {
    let path = own_dir.join("admin.token");
    let token = fs::read_to_string(&path).with_context(|| format!("`{}` can't be read", path.display()))?;
    Ok(token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_has_its_line_and_all_are_exported() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("dev.env");
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let [token, key, auditor] = ["token", "chy_k_s", "auditor"].map(str::to_owned);
        write(&path, &Urls::of(at(1), &[at(2), at(3)]), &Credentials { token, key, auditor }).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "CHANCERY_CONTROL_URL=http://127.0.0.1:1");
        assert_eq!(lines[7], "ANTHROPIC_BASE_URL=http://127.0.0.1:2");
        let exported: Vec<&str> = lines.last().unwrap().split(' ').skip(1).collect();
        let named =
            lines.iter().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
        assert_eq!(exported, named.map(|(name, _)| name).collect::<Vec<_>>());
    }
}
