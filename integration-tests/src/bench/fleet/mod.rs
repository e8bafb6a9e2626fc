//! What a fleet costs: many nodes on one control plane, a large policy, and what is taken back; each figure beside its limit.
//!
//! Nothing here fails for a time that was missed, because the machine may be busy; it fails where something is wrong.
//! Absent on purpose: requests under load, which the rest of the bench measures.

mod board;
mod control;
mod crowd;
mod fan;
mod line;
mod node;
mod options;
mod report;
mod revoke;

use options::What;

pub(crate) use options::Options;

/// Measures what the command line says, on all cores there are.
///
/// # Errors
/// Something did not happen at all, or not as it must.
pub(crate) fn main(options: &Options) -> anyhow::Result<()> {
    // One provider of cryptography, before anything is connected; a second call finds the first.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match options.what {
            What::Fan => Box::pin(fan::run(options)).await,
            What::Line => Box::pin(line::run(options)).await,
            What::Revoke => Box::pin(revoke::run(options)).await,
        }
    })
}
