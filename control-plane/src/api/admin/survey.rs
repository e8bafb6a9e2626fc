//! What a vendor has, over the admin API: asked by a node, for who may write the provider.
//!
//! Law: it is an act, and in the log before it is done: the house's credential is used for it. A node of a geo that the provider is for
//! asks, and no other: from elsewhere the vendor may not be reached, or may not be asked. Absent on purpose: what becomes of the list,
//! which is a proposal like any other.

use std::sync::Arc;

use policy_engine::vocabulary::{Action, Kind};
use prost::Message as _;
use proto::admin::{Provider, SurveyProviderRequest, SurveyProviderResponse};
use proto::code::ErrorCode;
use proto::name;
use proto::status::Refusal;

use super::Admin;
use super::call::Call;
use super::nodes::sees;
use crate::actor::{missing, owner};
use crate::clock;
use crate::publish::noted;
use crate::reach::Line;
use crate::survey::{Found, survey};

impl Admin {
    /// What models the vendor behind a provider has.
    pub(super) async fn surveyed(
        &self,
        call: &Call,
        asked: &SurveyProviderRequest,
    ) -> Result<SurveyProviderResponse, Refusal> {
        let id = name::parse_as(Kind::Provider, &asked.name)?;
        call.concerns(asked.name.clone());
        let current = self.publisher.current();
        current.demand(&call.actor, Action::Write, Kind::Provider, owner(Kind::Provider, &id))?;
        let stored = current.registry.get(Kind::Provider, &id).ok_or_else(|| missing(&asked.name))?;
        let provider = Provider::decode(stored.bytes.clone())
            .map_err(|_| Refusal::new(ErrorCode::Internal, "what is stored is no provider"))?;
        let geos = provider.spec.map(|spec| spec.geos).unwrap_or_default();
        let line = self.who_asks(call, &asked.geo, &geos)?;
        let act = call.act(asked.name.clone());
        self.publisher.store().log(&noted(&act, clock::now())).await?;
        let provider = name::format(Kind::Provider, &id);
        let Found { models, catalogue_only } = survey(&line, provider).await.map_err(|why| {
            let node = format!("geos/{}/nodes/{}", line.geo(), line.node());
            Refusal::new(ErrorCode::UpstreamError, format!("`{node}` could not ask the vendor: {why}"))
        })?;
        let (geo, node) = (line.geo().to_string(), line.node().to_string());
        Ok(SurveyProviderResponse { models, geo, node, catalogue_only })
    }

    /// The node that asks: of the geo that is named, else of the first that has one.
    fn who_asks(&self, call: &Call, geo: &str, geos: &[String]) -> Result<Arc<Line>, Refusal> {
        let named = if geo.is_empty() { None } else { Some(self.with_nodes(call, ("geo", geo))?) };
        if let Some(named) = named.as_ref().filter(|named| !is_for(geos, named.as_str())) {
            return Err(Refusal::field("geo", format!("the provider is not for `{named}`")));
        }
        let mut able = self.nodes.reach().surveyors().into_iter();
        let found = able.find(|line| match &named {
            Some(named) => line.geo() == named,
            None => is_for(geos, line.geo().as_str()) && sees(call, line.geo()),
        });
        found.ok_or_else(|| {
            let why = "no node is connected that the provider is for and that can ask its vendor";
            Refusal::new(ErrorCode::FailedPrecondition, why)
        })
    }
}

/// Whether something that is for these geos is for one; none are all.
fn is_for(geos: &[String], geo: &str) -> bool {
    geos.is_empty() || geos.iter().any(|known| known == geo)
}
