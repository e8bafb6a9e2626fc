//! Documents to be put in order, and their order.
//!
//! Law: see the parent.

use proto::inference::{RerankRequest, RerankResponse};

use super::super::Unfit;
use super::super::ranks::{self, Asked, Rank, Ranking};
use super::{Written, extensions, usage};

/// The message of a body of the gateway's dialect, and what was asked.
pub(crate) fn write(body: &[u8]) -> Result<(Written<RerankRequest>, Asked), Unfit> {
    let asked = ranks::read(body)?;
    let message = RerankRequest {
        model: asked.model.clone(),
        query: asked.query.clone(),
        documents: asked.documents.clone(),
        top_n: asked.most.map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
        return_documents: asked.shown,
        extensions: extensions(&asked.others)?,
        metadata: None,
    };
    Ok((Written { message, left_out: Vec::new() }, asked))
}

/// An answer as the gateway's dialect has it; `None`: it is none.
pub(crate) fn read(asked: &Asked, told: RerankResponse) -> Option<Vec<u8>> {
    let results = told.results.into_iter().map(|result| {
        Some(Rank { index: usize::try_from(result.index).ok()?, score: result.relevance_score })
    });
    let results = results.collect::<Option<_>>()?;
    ranks::write(asked, &Ranking { id: told.id, results, tokens: told.usage.map(|told| usage(&told).input) })
}
