//! The first policy: the quickstart and the real vendors that were asked for, applied as any file is, and a key to try it.

use std::path::Path;
use std::{env, fs};

use anyhow::bail;
use control_plane::actor::Actor;
use control_plane::ca::write_private;
use control_plane::issue::{self, Wanted};
use control_plane::manifest;
use control_plane::publish::{Act, Mode};
use control_plane::serve::ControlPlane;
use proto::admin::{KeySpec, SourceFile};

use super::{Dev, upstreams};

/// The quickstart, as it is in the repository.
const QUICKSTART: &str = include_str!("../../../deploy/examples/quickstart.yaml");

/// What is there after the first policy.
#[derive(Debug)]
pub(super) struct Seeded {
    /// The demo key.
    pub(super) key: String,
    /// What was registered of real vendors, a line each.
    pub(super) registered: Vec<String>,
}

/// Applies what there is to apply and gives the demo key.
pub(super) async fn seed(control: &ControlPlane, dev: &Dev) -> anyhow::Result<Seeded> {
    let (mut files, mut registered) = (Vec::new(), Vec::new());
    // What somebody changed since the first start stays as they changed it.
    if control.publisher().current().revision() == 0 {
        files.push(SourceFile {
            path: "deploy/examples/quickstart.yaml".to_owned(),
            text: QUICKSTART.to_owned(),
        });
    }
    let openai_key = env::var("OPENAI_API_KEY").ok();
    for vendor in upstreams::asked_for(openai_key.as_deref(), &dev.openai_compatible) {
        if let Err(refused) = super::upstream().check(&vendor.base_url) {
            tracing::error!(vendor = vendor.name, %refused, "a vendor can't be registered; it is left out");
            continue;
        }
        match upstreams::models(&vendor, openai_key.as_deref()).await {
            Ok(models) => {
                registered.push(models.told(&vendor, &dev.upstream_regions));
                files.push(SourceFile {
                    path: format!("{}.yaml", vendor.name),
                    text: upstreams::documents(&vendor, &models.names, &dev.upstream_regions),
                });
            }
            Err(error) => {
                tracing::error!(
                    vendor = vendor.name,
                    error = format!("{error:#}"),
                    "a vendor's models can't be listed; it is left out"
                );
            }
        }
    }
    if !files.is_empty() {
        apply(control, files).await?;
    }
    let key = demo_key(control, &dev.state_dir.join("demo.key")).await?;
    Ok(Seeded { key, registered })
}

async fn apply(control: &ControlPlane, files: Vec<SourceFile>) -> anyhow::Result<()> {
    let act = Act::of_system("chancery dev");
    let actor = Actor::Platform("dev".to_owned());
    let answer = manifest::apply(control.publisher(), &actor, (act, Mode::Commit), files).await;
    let answer = answer.map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
    if !answer.faults.is_empty() {
        let faults =
            answer.faults.iter().map(|f| format!("{}:{}: {}: {}", f.path, f.line, f.field, f.message));
        bail!("the first policy has faults: {}", faults.collect::<Vec<_>>().join("; "));
    }
    Ok(())
}

/// A key of Ada in the team `research`; made once, and again where the kept one is no longer known.
async fn demo_key(control: &ControlPlane, path: &Path) -> anyhow::Result<String> {
    if let Ok(kept) = fs::read_to_string(path) {
        let known = control_plane::govern::keys::presented(kept.trim());
        if known.is_some_and(|(id, digest)| control.publisher().ring().verifies(&id, &digest)) {
            return Ok(kept.trim().to_owned());
        }
    }
    let spec = KeySpec {
        tenant: "acme".to_owned(),
        principal: "ada@example.org".to_owned(),
        team: "research".to_owned(),
        ..KeySpec::default()
    };
    let wanted = Wanted { spec, ..Wanted::default() };
    let issued = issue::create(control.publisher(), Act::of_system("chancery dev"), vec![wanted]).await?;
    let Some(issued) = issued.into_iter().next() else { bail!("the demo key was not made") };
    write_private(path, issued.secret.as_bytes())?;
    Ok(issued.secret.to_string())
}
