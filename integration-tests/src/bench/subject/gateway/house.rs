//! The control plane behind the measured data plane: publishes, makes keys, and issues the node its certificate.

use std::path::{Path, PathBuf};

use anyhow::bail;
use control_plane::actor::Actor;
use control_plane::ca::LEAF_VALIDITY;
use control_plane::config::{Config, Listen};
use control_plane::issue::{self, Issued, Wanted};
use control_plane::manifest;
use control_plane::publish::{Act, Mode};
use control_plane::serve::ControlPlane;
use control_plane::upstream::Upstream;
use proto::admin::{KeySpec, SourceFile};

use crate::subject::policy::{Holder, Policy};

const WHO: &str = "bench";
const GEO: &str = "eu";
/// Keys made in one revision.
const BATCH: usize = 10_000;

/// A control plane in this process.
pub(crate) struct House {
    control: ControlPlane,
}

impl House {
    /// Starts it on free ports, with its state below `home`.
    pub(crate) async fn start(home: &Path) -> anyhow::Result<Self> {
        let anywhere = "127.0.0.1:0".parse()?;
        let listen = Listen { admin: anywhere, sync: anywhere, ops: anywhere };
        let upstream = Upstream { allow_loopback: true, ..Upstream::default() };
        let config = Config { state_dir: home.join("control"), listen, upstream, ..Config::default() };
        Ok(House { control: ControlPlane::start(&config).await? })
    }

    /// The control plane.
    pub(crate) fn control(&self) -> &ControlPlane {
        &self.control
    }

    /// Ends the control plane.
    pub(crate) async fn shutdown(self) {
        self.control.shutdown().await;
    }

    /// Publishes files of YAML documents.
    pub(crate) async fn apply(&self, files: &[SourceFile]) -> anyhow::Result<()> {
        let actor = Actor::Platform(WHO.to_owned());
        let act = (Act::of_system(WHO), Mode::Commit);
        let answer = manifest::apply(self.control.publisher(), &actor, act, files.to_vec()).await;
        let answer = answer.map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
        if let Some(fault) = answer.faults.first() {
            bail!("{}:{}: {}: {}", fault.path, fault.line, fault.field, fault.message);
        }
        Ok(())
    }

    /// Makes the keys of a policy's holders, in their order.
    pub(crate) async fn create_keys(&self, policy: &Policy) -> anyhow::Result<Vec<String>> {
        let holders: Vec<Holder> = policy.holders().collect();
        let mut keys = Vec::with_capacity(holders.len());
        for batch in holders.chunks(BATCH) {
            keys.extend(self.issue(batch).await?.into_iter().map(|issued| issued.secret.to_string()));
        }
        Ok(keys)
    }

    /// Makes keys, all in one revision.
    pub(crate) async fn issue(&self, holders: &[Holder]) -> anyhow::Result<Vec<Issued>> {
        let wanted =
            holders.iter().map(|holder| Wanted { spec: spec(holder), ..Wanted::default() }).collect();
        Ok(issue::create(self.control.publisher(), Act::of_system(WHO), wanted).await?)
    }

    /// The newest revision.
    pub(crate) fn revision(&self) -> u64 {
        self.control.publisher().current().revision()
    }

    /// A node in this process: its name, its state in `state`, free ports, and no time to drain.
    pub(crate) fn node(&self, name: &str, state: &Path) -> anyhow::Result<data_plane::config::Config> {
        let text = self.named_configuration(name, state, ("127.0.0.1:0", "127.0.0.1:0"))?;
        let mut config = data_plane::config::Config::parse(&text, std::iter::empty())?;
        (config.drain.grace_seconds, config.drain.seconds) = (0, 1);
        Ok(config)
    }

    /// The configuration file of a node that keeps its state in `state`, with its certificate beside it.
    pub(crate) fn node_configuration(
        &self,
        state: &Path,
        inference: &str,
        operations: &str,
    ) -> anyhow::Result<String> {
        self.named_configuration("eu-1", state, (inference, operations))
    }

    fn named_configuration(
        &self,
        name: &str,
        state: &Path,
        (inference, operations): (&str, &str),
    ) -> anyhow::Result<String> {
        let authority = self.control.authority();
        let node = authority.issue_node(&GEO.parse()?, &name.parse()?, LEAF_VALIDITY)?;
        let node = node.write(&state.join("tls"), "node")?;
        let quoted = |path: &PathBuf| format!("\"{}\"", path.display());
        Ok(format!(
            "[listen]\ninference = \"{inference}\"\nops = \"{operations}\"\n\
             [control]\nurl = \"https://{}\"\nca = {}\ncertificate = {}\nkey = {}\n\
             [state]\ndir = {}\n\
             [upstream]\nallow_loopback = true\n",
            self.control.addresses().sync,
            quoted(&authority.certificate_path()),
            quoted(&node.certificate),
            quoted(&node.key),
            quoted(&state.to_owned()),
        ))
    }
}

fn spec(holder: &Holder) -> KeySpec {
    KeySpec {
        tenant: holder.tenant.to_owned(),
        principal: holder.principal.clone(),
        team: holder.team.clone(),
        ..KeySpec::default()
    }
}
