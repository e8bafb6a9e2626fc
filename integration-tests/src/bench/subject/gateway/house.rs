//! The control plane behind the measured data plane: publishes, makes keys, and issues the node its certificate.

use std::path::{Path, PathBuf};

use anyhow::bail;
use control_plane::actor::Actor;
use control_plane::ca::LEAF_VALIDITY;
use control_plane::config::{Config, Listen};
use control_plane::issue::{self, Wanted};
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
pub(super) struct House {
    control: ControlPlane,
}

impl House {
    /// Starts it on free ports, with its state below `home`.
    pub(super) async fn start(home: &Path) -> anyhow::Result<Self> {
        let anywhere = "127.0.0.1:0".parse()?;
        let listen = Listen { admin: anywhere, sync: anywhere, ops: anywhere };
        let upstream = Upstream { allow_loopback: true, ..Upstream::default() };
        let config = Config { state_dir: home.join("control"), listen, upstream, ..Config::default() };
        Ok(House { control: ControlPlane::start(&config).await? })
    }

    /// Publishes files of YAML documents.
    pub(super) async fn apply(&self, files: &[SourceFile]) -> anyhow::Result<()> {
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
    pub(super) async fn create_keys(&self, policy: &Policy) -> anyhow::Result<Vec<String>> {
        let holders: Vec<Holder> = policy.holders().collect();
        let mut keys = Vec::with_capacity(holders.len());
        for batch in holders.chunks(BATCH) {
            let wanted =
                batch.iter().map(|holder| Wanted { spec: spec(holder), ..Wanted::default() }).collect();
            let issued = issue::create(self.control.publisher(), Act::of_system(WHO), wanted).await?;
            keys.extend(issued.into_iter().map(|issued| issued.secret.to_string()));
        }
        Ok(keys)
    }

    /// The newest revision.
    pub(super) fn revision(&self) -> u64 {
        self.control.publisher().current().revision()
    }

    /// The configuration file of a node that keeps its state in `state`, with its certificate beside it.
    pub(super) fn node_configuration(
        &self,
        state: &Path,
        inference: &str,
        operations: &str,
    ) -> anyhow::Result<String> {
        let authority = self.control.authority();
        let node = authority.issue_node(&GEO.parse()?, &"eu-1".parse()?, LEAF_VALIDITY)?;
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
