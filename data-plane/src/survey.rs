//! Vendors' registries, asked on the control plane's behalf: it has no credential of theirs, and no way to where they are.
//!
//! Law: what goes back is what the vendor has, in parts, and last that these are all; or why there is no list, in words that name no
//! secret. One at a time; it ends with the stream that asked, or as soon as nobody wants it. Absent on purpose: who may ask, and how a
//! registry is read (`upstream::registry`).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prost::Message as _;
use proto::sync::node_message::Message as Saying;
use proto::sync::surveyed::Said;
use proto::sync::{NodeMessage, Survey, SurveyCancel, Surveyed, SurveyedDone, SurveyedPart};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

use crate::upstream::registry::{Listed, Registry, Unlisted};

/// The capability of asking registries.
pub(crate) const SURVEY: &str = "survey";

/// Registries that are asked at a time: what one takes up is not there for requests.
const AT_A_TIME: usize = 1;

/// Models, and bytes of them, of one part at most.
const PART: (usize, usize) = (64, 64 << 10);

/// Bytes of a reason that are said.
const REASON: usize = 500;

/// Surveys of one stream; dropped, whatever is under way ends.
pub(crate) struct Surveys {
    say: mpsc::Sender<NodeMessage>,
    places: Arc<Semaphore>,
    under_way: Mutex<HashMap<u64, AbortHandle>>,
}

impl Drop for Surveys {
    fn drop(&mut self) {
        self.under_way.lock().values().for_each(AbortHandle::abort);
    }
}

impl Surveys {
    /// For one stream of the control plane, to which `say` goes.
    pub(crate) fn to(say: mpsc::Sender<NodeMessage>) -> Self {
        Self { say, places: Arc::new(Semaphore::new(AT_A_TIME)), under_way: Mutex::default() }
    }

    /// A registry is to be asked, by what `open` finds of the provider; that may block.
    pub(crate) fn begins(
        &self,
        asked: Survey,
        open: impl FnOnce(&str) -> Result<Registry, Unlisted> + Send + 'static,
    ) {
        let (Survey { id, provider }, say) = (asked, self.say.clone());
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let busy = Said::Failed("it is busy with another survey".to_owned());
            tokio::spawn(async move { tell(&say, id, busy).await });
            return;
        };
        let task = tokio::spawn(async move {
            let of = provider.clone();
            let opened = tokio::task::spawn_blocking(move || open(&of)).await;
            let listed = match opened.unwrap_or(Err(Unlisted::None("it can't be asked"))) {
                Ok(registry) => registry.list().await,
                Err(unlisted) => Err(unlisted),
            };
            match listed {
                Ok(listed) => {
                    tracing::info!(provider, models = listed.models.len(), "a vendor's registry was read");
                    say_all(&say, id, listed).await;
                }
                Err(why) => {
                    tracing::warn!(
                        provider,
                        error = &why as &dyn std::error::Error,
                        "a vendor's registry can't be read"
                    );
                    tell(&say, id, Said::Failed(why.to_string().chars().take(REASON).collect())).await;
                }
            }
            drop(place);
        });
        let mut under_way = self.under_way.lock();
        under_way.retain(|_, task| !task.is_finished());
        under_way.insert(id, task.abort_handle());
    }

    /// A survey is no longer wanted.
    pub(crate) fn cancel(&self, cancel: &SurveyCancel) {
        if let Some(task) = self.under_way.lock().remove(&cancel.id) {
            task.abort();
        }
    }
}

/// Everything of a list, in parts.
async fn say_all(say: &mpsc::Sender<NodeMessage>, id: u64, Listed { models, catalogue_only }: Listed) {
    let count = u32::try_from(models.len()).unwrap_or(u32::MAX);
    let (mut part, mut bytes) = (Vec::new(), 0_usize);
    for model in models {
        let model = model.encode_to_vec();
        if model.len() > PART.1 {
            // In a message that is too large for whoever hears it, it would end the stream.
            return tell(say, id, Said::Failed("a model of the list is too large to be told".to_owned()))
                .await;
        }
        if part.len() >= PART.0 || bytes.saturating_add(model.len()) > PART.1 {
            tell(say, id, Said::Part(SurveyedPart { models: std::mem::take(&mut part) })).await;
            bytes = 0;
        }
        bytes = bytes.saturating_add(model.len());
        part.push(model);
    }
    tell(say, id, Said::Part(SurveyedPart { models: part })).await;
    tell(say, id, Said::Done(SurveyedDone { count, catalogue_only })).await;
}

async fn tell(say: &mpsc::Sender<NodeMessage>, id: u64, said: Said) {
    let said = Surveyed { id, said: Some(said) };
    // A closed channel means the stream ended, and this with it.
    let _ = say.send(NodeMessage { message: Some(Saying::Surveyed(said)) }).await;
}

#[cfg(test)]
mod tests {
    use proto::admin::VendorModel;

    use super::*;

    async fn next(said: &mut mpsc::Receiver<NodeMessage>) -> Surveyed {
        match said.recv().await.unwrap().message {
            Some(Saying::Surveyed(said)) => said,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_list_is_said_in_parts_that_fit_and_ends_with_how_many_there_are() {
        let (say, mut said) = mpsc::channel(1_000);
        let model = |n: usize| VendorModel {
            id: format!("m-{n:03}"),
            description: "x".repeat(2_000),
            ..VendorModel::default()
        };
        let models: Vec<VendorModel> = (0..200).map(model).collect();
        say_all(&say, 7, Listed { models: models.clone(), catalogue_only: true }).await;
        drop(say);
        let (mut heard, mut parts) = (Vec::new(), 0);
        loop {
            let Surveyed { id, said } = next(&mut said).await;
            assert_eq!(id, 7);
            match said.unwrap() {
                Said::Part(part) => {
                    let bytes: usize = part.models.iter().map(Vec::len).sum();
                    assert!(
                        part.models.len() <= PART.0 && bytes <= PART.1,
                        "{} in {bytes}",
                        part.models.len()
                    );
                    heard.extend(part.models.iter().map(|model| VendorModel::decode(&model[..]).unwrap()));
                    parts += 1;
                }
                Said::Done(done) => {
                    assert_eq!(done, SurveyedDone { count: 200, catalogue_only: true });
                    break;
                }
                Said::Failed(why) => panic!("{why}"),
            }
        }
        assert!(heard == models && parts > 3, "{parts}");
    }

    #[tokio::test]
    async fn a_model_that_fits_in_no_part_is_no_list() {
        let (say, mut said) = mpsc::channel(16);
        let large = VendorModel { description: "x".repeat(PART.1), ..VendorModel::default() };
        let models = vec![VendorModel::default(), large];
        say_all(&say, 7, Listed { models, catalogue_only: false }).await;
        drop(say);
        let why = "a model of the list is too large to be told".to_owned();
        assert_eq!(next(&mut said).await.said, Some(Said::Failed(why)));
        assert!(said.recv().await.is_none());
    }

    #[tokio::test]
    async fn what_can_not_be_opened_and_one_too_many_are_told() {
        let (say, mut said) = mpsc::channel(16);
        let surveys = Surveys::to(say);
        let asked = |id| Survey { id, provider: "providers/x".to_owned() };
        surveys.begins(asked(1), |_| Err(Unlisted::None("it is not here")));
        let failed = |why: &str| Some(Said::Failed(why.to_owned()));
        let first = next(&mut said).await;
        assert_eq!((first.id, first.said), (1, failed("it is not here")));
        let all = surveys.places.clone().acquire_many_owned(AT_A_TIME as u32).await.unwrap();
        surveys.begins(asked(2), |_| Ok(Registry::Simulated));
        assert_eq!(next(&mut said).await.said, failed("it is busy with another survey"));
        drop(all);
        surveys.begins(asked(3), |provider| {
            assert_eq!(provider, "providers/x");
            Ok(Registry::Simulated)
        });
        assert!(matches!(next(&mut said).await.said, Some(Said::Part(part)) if part.models.len() == 24));
    }
}
