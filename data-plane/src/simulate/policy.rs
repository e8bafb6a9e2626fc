//! The policy of a simulation, while its parts come.
//!
//! Law: what was announced bounds what is kept, and is bounded itself.

use bytes::BytesMut;
use policy_engine::simulate::{Against, Asked};
use policy_engine::snapshot::CompiledSnapshot;
use policy_engine::vocabulary::{Geo, Name};
use proto::manifest::MAX_BYTES;
use proto::simulated::worlds;
use proto::sync::Simulate;

/// What is asked, and its policy as far as it has come.
#[derive(Debug)]
pub(super) struct Gathering {
    asked: Simulate,
    whole: u64,
    bytes: BytesMut,
}

impl Gathering {
    pub(super) fn begin(asked: Simulate) -> Result<Self, String> {
        let whole = asked.draft_bytes.saturating_add(asked.head_bytes);
        match whole {
            0 => Err("it has no policy".to_owned()),
            1..=MAX_BYTES => Ok(Self { asked, whole, bytes: BytesMut::new() }),
            _ => Err(format!("{whole} bytes of policy are more than {MAX_BYTES}")),
        }
    }

    /// Adds a part; whether it was the last one.
    pub(super) fn add(&mut self, data: &[u8]) -> Result<bool, String> {
        self.bytes.extend_from_slice(data);
        let come = self.bytes.len() as u64;
        if come > self.whole {
            return Err("its policy is longer than announced".to_owned());
        }
        Ok(come == self.whole)
    }

    /// Which requests are meant, and what the draft is compared with.
    pub(super) fn asked(&self) -> Result<Asked, String> {
        let instant = |time: &Option<prost_types::Timestamp>| {
            time.as_ref().map(|time| proto::convert::instant(time).ok_or("it asks for no time")).transpose()
        };
        let tenant = match self.asked.tenant.as_str() {
            "" => None,
            tenant => Some(Name::new(tenant).map_err(|error| error.to_string())?),
        };
        let against = if self.asked.in_force { Against::InForce } else { Against::Recorded };
        Ok(Asked { since: instant(&self.asked.since)?, until: instant(&self.asked.until)?, tenant, against })
    }

    /// Whose records are read here: of a node of this id.
    pub(super) fn reads(&self, own: &str, node: &str) -> bool {
        node == own || (self.asked.others && !self.asked.elsewhere.iter().any(|other| other == node))
    }

    /// What is in force, and what would be.
    pub(super) fn worlds(&self, geo: &Geo) -> Result<(CompiledSnapshot, CompiledSnapshot), String> {
        let at = usize::try_from(self.asked.draft_bytes).unwrap_or(usize::MAX);
        let parts = self.bytes.split_at_checked(at).ok_or("its policy is shorter than announced")?;
        worlds(parts, geo).map_err(|error| format!("the draft can't be judged by here: {error}"))
    }
}
