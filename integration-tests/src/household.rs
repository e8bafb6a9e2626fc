//! The house as it is deployed: the real binary, one process a role, killed and started again as machines do.
//!
//! Law: processes share nothing but sockets and files; every one of them is gone when its handle is. Deliberately absent: a
//! binary of its own. `run` builds it and names it in `CHANCERY_TEST_BINARY`; without that a story fails and says so.

mod dev;
mod process;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};
use control_plane::ca::{Authority, LEAF_VALIDITY};
use proto::admin::{
    ApplyRequest, CreateKeyRequest, Key, KeySpec, SourceFile, keys_service_client::KeysServiceClient,
    policy_service_client::PolicyServiceClient,
};
use tempfile::TempDir;
use tonic::{Request, transport::Channel};

use crate::{sandbox::Geo, wait::until};

pub use dev::Dev;
pub use process::{Process, binary};

/// Lines that a story adds to configurations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lines<'l> {
    /// Of the control plane.
    pub control: &'l str,
    /// Of every data plane.
    pub planes: &'l str,
}

/// A control plane and two data planes, each its own process.
pub struct Household {
    /// The control plane.
    pub control: Process,
    /// The data planes, in the order of [`Geo::ALL`].
    pub planes: Vec<Process>,
    admin: SocketAddr,
    inference: Vec<SocketAddr>,
    ops: Vec<SocketAddr>,
    level: &'static str,
    home: TempDir,
}

impl Household {
    /// Starts the three, with `more` lines in every data plane's configuration, and applies a policy.
    pub async fn start(policy: &str, more: &str) -> Result<Self> {
        Self::at_level("info", policy, more).await
    }

    /// The same, with logs from this level on.
    pub async fn at_level(level: &'static str, policy: &str, more: &str) -> Result<Self> {
        Self::of(level, policy, Lines { planes: more, ..Lines::default() }).await
    }

    /// The same, with more lines in any configuration.
    pub async fn of(level: &'static str, policy: &str, more: Lines<'_>) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let (admin, sync, ops) = (free()?, free()?, free()?);
        let kept = home.path().join("control");
        let authority = Authority::open_or_create(&kept.join("control-plane/ca"))?;
        let file = home.path().join("control.toml");
        let listen = format!("[listen]\nadmin = \"{admin}\"\nsync = \"{sync}\"\nops = \"{ops}\"\n");
        let upstream = "[upstream]\nallow_loopback = true\n";
        let text = format!("state_dir = \"{}\"\n{listen}{upstream}{}", kept.display(), more.control);
        std::fs::write(&file, text)?;
        let control = Process::start("control-plane", &file, level)?;
        let (planes, inference) = (Vec::new(), Vec::new());
        let mut house = Self { control, planes, admin, inference, ops: Vec::new(), level, home };
        house.administered(ops).await?;
        for geo in Geo::ALL {
            house.add_plane(geo, &authority, (sync, more.planes))?;
        }
        let revision = house.apply(policy).await?;
        for geo in Geo::ALL {
            house.enforces(geo, revision).await?;
        }
        Ok(house)
    }

    fn add_plane(&mut self, geo: Geo, authority: &Authority, (sync, more): (SocketAddr, &str)) -> Result<()> {
        let home = self.state_dir(geo);
        let name = format!("{}-1", geo.name()).parse()?;
        let paths = authority
            .issue_node(&geo.name().parse()?, &name, LEAF_VALIDITY)?
            .write(&home.join("tls"), "node")?;
        let (inference, ops) = (free()?, free()?);
        let file = self.home.path().join(format!("{}.toml", geo.name()));
        let text = format!(
            "[listen]\ninference = \"{inference}\"\nops = \"{ops}\"\n\
             [control]\nurl = \"https://{sync}\"\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n\
             [state]\ndir = \"{}\"\n{more}",
            authority.certificate_path().display(),
            paths.certificate.display(),
            paths.key.display(),
            home.display(),
        );
        std::fs::write(&file, text)?;
        self.planes.push(Process::start("data-plane", &file, self.level)?);
        self.inference.push(inference);
        self.ops.push(ops);
        Ok(())
    }

    async fn administered(&self, ops: SocketAddr) -> Result<()> {
        let url = format!("http://{ops}/readyz");
        until("a control plane that is ready", async || {
            crate::door::get(&url).await.ok().filter(|answer| answer.status().is_success())
        })
        .await?;
        Ok(())
    }

    /// Applies a file that must be without fault; gives the revision.
    pub async fn apply(&self, text: &str) -> Result<i64> {
        let files = vec![SourceFile { path: "story.yaml".to_owned(), text: text.to_owned() }];
        let request = self.authorised(ApplyRequest { files, ..Default::default() })?;
        let answer = PolicyServiceClient::new(self.channel().await?).apply(request).await?.into_inner();
        anyhow::ensure!(answer.faults.is_empty(), "{}", crate::sandbox::told(&answer.faults));
        Ok(answer.revision)
    }

    /// An API key of a principal of `acme` in a team, known to both planes.
    pub async fn key(&self, principal: &str, team: &str) -> Result<String> {
        let spec = KeySpec {
            tenant: "acme".to_owned(),
            principal: principal.to_owned(),
            team: team.to_owned(),
            ..KeySpec::default()
        };
        let key = Some(Key { spec: Some(spec), ..Key::default() });
        let request = self.authorised(CreateKeyRequest { parent: String::new(), key })?;
        let made = KeysServiceClient::new(self.channel().await?).create_key(request).await?.into_inner();
        let revision = made.key.context("a key was made and not told")?.revision;
        for geo in Geo::ALL {
            self.enforces(geo, revision).await?;
        }
        Ok(made.secret)
    }

    /// Waits until a plane says on its ops port that it enforces a revision at least this new.
    pub async fn enforces(&self, geo: Geo, revision: i64) -> Result<()> {
        let url = format!("http://{}/readyz", self.ops.get(geo as usize).context("no such plane")?);
        let what = format!("revision {revision} in {}", geo.name());
        let enforced = until(&what, async || {
            let text = crate::door::get(&url).await.ok()?.error_for_status().ok()?.text().await.ok()?;
            let applied: i64 = text.lines().next()?.strip_prefix("ok, revision ")?.parse().ok()?;
            (applied >= revision).then_some(())
        });
        let log = || self.planes.get(geo as usize).and_then(|plane| plane.log().ok()).unwrap_or_default();
        enforced.await.with_context(|| log().lines().rev().take(20).collect::<Vec<_>>().join("\n"))
    }

    /// Where the admin API is.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// A data plane's process.
    pub fn plane(&mut self, geo: Geo) -> Result<&mut Process> {
        self.planes.get_mut(geo as usize).context("no such plane")
    }

    /// Where a data plane takes requests.
    pub fn inference_url(&self, geo: Geo) -> Result<String> {
        Ok(format!("http://{}", self.inference.get(geo as usize).context("no such plane")?))
    }

    /// Where a data plane talks to operators.
    pub fn ops_url(&self, geo: Geo) -> Result<String> {
        Ok(format!("http://{}", self.ops.get(geo as usize).context("no such plane")?))
    }

    /// Where a data plane keeps what it keeps.
    pub fn state_dir(&self, geo: Geo) -> PathBuf {
        self.home.path().join(geo.name())
    }

    /// Where everything is kept.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The platform's own admin token.
    pub fn token(&self) -> Result<String> {
        let path = self.home.path().join("control/control-plane/admin.token");
        let token = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(token.trim().to_owned())
    }

    /// What the admin API says over REST of what is at a path below `/v1/`.
    pub async fn read(&self, path: &str) -> Result<serde_json::Value> {
        let asked = crate::door::client()?.get(format!("{}/v1/{path}", self.admin_url()));
        Ok(asked.bearer_auth(self.token()?).send().await?.error_for_status()?.json().await?)
    }

    /// A request with the platform's own token.
    pub fn authorised<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token()?).parse()?);
        Ok(request)
    }

    /// A connection to the admin API.
    pub async fn channel(&self) -> Result<Channel> {
        Ok(Channel::from_shared(format!("http://{}", self.admin))?.connect().await?)
    }
}

/// An address on loopback that nobody else is given: below the ports the system hands out by itself, so that no caller's
/// own socket takes it while a process that is to come back to it is away. Errors if none is free.
pub fn free() -> Result<SocketAddr> {
    /// Where Linux begins to hand out by itself is 32,768, unless it was told otherwise.
    const PORTS: std::ops::Range<u32> = 10_000..30_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Two runs beside each other begin far apart.
    let first = std::process::id().wrapping_mul(7_919);
    for _ in PORTS {
        let next = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(PORTS.start + next)?));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no port of {PORTS:?} is free")
}
