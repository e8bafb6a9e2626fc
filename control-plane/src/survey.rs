//! One node, asked what models a vendor has.
//!
//! Law: a list is whole, or there is none: what a node says counts when it has said how many there are, and that many came. It says no
//! more than there may be, and takes no longer. Absent on purpose: which node is asked, and who may ask.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use proto::admin::VendorModel;
use proto::sync::surveyed::Said;
use tokio::time::timeout;

use crate::nodes::said::bounds::vendor_model;
use crate::reach::Line;

/// Models of one vendor at most.
const MODELS: usize = 5_000;

/// How long a node may take: a little longer than it has.
const WITHIN: Duration = Duration::from_secs(45);

/// What a vendor has.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Every model, in the order of their ids.
    pub(crate) models: Vec<VendorModel>,
    /// What is listed can't be called by its id, and what is not listed may be there.
    pub(crate) catalogue_only: bool,
}

/// Why there is no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unknown {
    /// The node says why.
    #[error("{0}")]
    Failed(String),
    /// The node has no stream any more.
    #[error("it went away")]
    Away,
    /// It takes too long.
    #[error("it takes too long")]
    Late,
    /// It says what no node has to say.
    #[error("it says something else than it has found")]
    Astray,
}

/// Asks a node for the list of the vendor behind a provider, by its AIP name. Dropping the future ends it at the node.
pub(crate) async fn survey(line: &Arc<Line>, provider: String) -> Result<Found, Unknown> {
    timeout(WITHIN, heard(line, provider)).await.unwrap_or(Err(Unknown::Late))
}

async fn heard(line: &Arc<Line>, provider: String) -> Result<Found, Unknown> {
    let mut asking = line.survey(provider).await.ok_or(Unknown::Away)?;
    let mut found = Found::default();
    loop {
        match asking.hear().await.ok_or(Unknown::Away)?.said {
            Some(Said::Part(part)) => {
                if found.models.len().saturating_add(part.models.len()) > MODELS {
                    return Err(Unknown::Astray);
                }
                for encoded in &part.models {
                    let mut model = VendorModel::decode(encoded.as_slice()).map_err(|_| Unknown::Astray)?;
                    vendor_model(&mut model);
                    found.models.push(model);
                }
            }
            Some(Said::Done(done)) => {
                if usize::try_from(done.count).ok() != Some(found.models.len()) {
                    return Err(Unknown::Astray);
                }
                found.catalogue_only = done.catalogue_only;
                found.models.sort_by(|a, b| a.id.cmp(&b.id));
                return Ok(found);
            }
            Some(Said::Failed(why)) => return Err(Unknown::Failed(why)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::sync::control_message::Message as Saying;
    use proto::sync::{ControlMessage, Surveyed, SurveyedDone, SurveyedPart};
    use tokio::sync::mpsc;
    use tonic::Status;

    use super::*;
    use crate::reach::{Able, Reach, Seat};

    type Sayings = mpsc::Receiver<Result<ControlMessage, Status>>;

    fn node() -> (Arc<Line>, Seat, Sayings) {
        let (reach, (say, said)) = (Reach::default(), mpsc::channel(8));
        let able = Able { surveys: true, ..Able::default() };
        let seat = reach.join((("eu".parse().unwrap(), "eu-1".parse().unwrap()), able), say);
        (reach.surveyors().pop().unwrap(), seat, said)
    }

    /// What comes of it where a node says this, and whether it was told that nobody wants more.
    async fn asked(sayings: Vec<Said>) -> (Result<Found, Unknown>, bool) {
        let (line, seat, mut said) = node();
        let asking = tokio::spawn(async move { survey(&line, "providers/x".to_owned()).await });
        let Some(Saying::Survey(asked)) = said.recv().await.unwrap().unwrap().message else { panic!() };
        assert_eq!(asked.provider, "providers/x");
        sayings.into_iter().for_each(|said| seat.hears(Surveyed { id: asked.id, said: Some(said) }));
        let found = asking.await.unwrap();
        let cancelled = said.recv().await.unwrap().unwrap().message;
        (found, matches!(cancelled, Some(Saying::SurveyCancel(cancel)) if cancel.id == asked.id))
    }

    fn part(ids: &[&str]) -> Said {
        let model =
            |id: &&str| VendorModel { id: (*id).to_owned(), ..VendorModel::default() }.encode_to_vec();
        Said::Part(SurveyedPart { models: ids.iter().map(model).collect() })
    }

    fn done(count: u32) -> Said {
        Said::Done(SurveyedDone { count, catalogue_only: false })
    }

    #[tokio::test]
    async fn a_list_is_whole_or_there_is_none() {
        let (found, ended) = asked(vec![part(&["b"]), part(&["a"]), done(2)]).await;
        let ids: Vec<String> = found.unwrap().models.into_iter().map(|model| model.id).collect();
        assert!(ids == ["a", "b"] && ended);
        for sayings in [
            vec![part(&["a"]), done(2)],
            vec![part(&["a"; 5_001])],
            vec![Said::Part(SurveyedPart { models: vec![vec![0xff; 3]] }), done(1)],
        ] {
            assert_eq!(asked(sayings).await, (Err(Unknown::Astray), true));
        }
        let failed = asked(vec![part(&["a"]), Said::Failed("no".to_owned())]).await;
        assert_eq!(failed, (Err(Unknown::Failed("no".to_owned())), true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_goes_or_says_nothing_is_not_waited_for() {
        let (line, seat, said) = node();
        let asking = tokio::spawn({
            let line = line.clone();
            async move { survey(&line, "providers/x".to_owned()).await }
        });
        assert_eq!(asking.await.unwrap(), Err(Unknown::Late));
        drop((seat, said));
        assert_eq!(survey(&line, "providers/x".to_owned()).await, Err(Unknown::Away));
    }
}
