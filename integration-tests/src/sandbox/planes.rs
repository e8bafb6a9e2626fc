//! How the planes of a sandbox are configured: free ports, own directories, certificates of the control plane's authority.

use std::path::Path;

use anyhow::Result;
use control_plane::{ca::LEAF_VALIDITY, config as control, serve::ControlPlane};
use data_plane::config as data;

/// Where a data plane of the sandbox runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Geo {
    /// `eu`
    Eu,
    /// `us`
    Us,
}

impl Geo {
    /// Both, in their order.
    pub const ALL: [Self; 2] = [Self::Eu, Self::Us];

    /// Its name on every surface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eu => "eu",
            Self::Us => "us",
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// A control plane on free ports that keeps everything in `home` and lets upstreams be on this machine.
pub fn control_config(home: &Path) -> control::Config {
    let mut config = control::Config { state_dir: home.to_owned(), ..control::Config::default() };
    let free = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    (config.listen.admin, config.listen.sync, config.listen.ops) = (free, free, free);
    config.upstream.allow_loopback = true;
    config
}

/// A data plane on free ports that keeps everything in `home` and may dial this machine.
pub(super) fn data_config(home: &Path, geo: Geo, control: &ControlPlane) -> Result<data::Config> {
    let name = format!("{}-1", geo.name()).parse()?;
    let authority = control.authority();
    let paths =
        authority.issue_node(&geo.name().parse()?, &name, LEAF_VALIDITY)?.write(&home.join("tls"), "node")?;
    let free = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    Ok(data::Config {
        listen: data::Listen { inference: free, ops: free, ..data::Listen::default() },
        control: data::Control {
            url: format!("https://{}", control.addresses().sync),
            ca: Some(authority.certificate_path()),
            certificate: Some(paths.certificate),
            key: Some(paths.key),
            ..data::Control::default()
        },
        state: data::State { dir: home.to_owned(), ..data::State::default() },
        decisions: data::Decisions::default(),
        policy: data::Policy::default(),
        upstream: data::Upstream { allow_loopback: true, ..data::Upstream::default() },
        fetch: Default::default(),
        secrets: data::Secrets::default(),
        bounds: data::Bounds::default(),
        drain: data::Drain::default(),
        telemetry: data::Telemetry::default(),
    })
}
