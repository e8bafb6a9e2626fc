//! What is heard of the control plane, in two: statements and drains hold at once, simulations and surveys are nobody's turn, everything else waits
//! for its own.
//!
//! Law: a key that was taken back waits for no snapshot that is being built or kept. Order is kept among what waits.

use std::sync::Arc;

use prost::Message as _;
use proto::sync::control_message::Message as Said;
use proto::sync::{ControlMessage, KillSet, RevocationSet, Statement};
use tokio::sync::{Notify, mpsc};
use tonic::{Status, Streaming};

use super::holder::Place;
use super::install::Install;
use crate::overlay::{self, Taken};
use crate::simulate::Desk;
use crate::survey::Surveys;

/// Messages that may wait while a snapshot is taken over: more than are ever said in that time.
pub(super) const WAITING: usize = 64;

/// What waits, or how the stream ended; `None` is that it was closed.
pub(super) type Heard = Result<Option<ControlMessage>, Status>;

/// Takes statements over.
pub(super) struct Teller<N> {
    pub(super) place: Arc<Place>,
    pub(super) node: Arc<N>,
    /// Told after each statement that was taken over.
    pub(super) taken: Arc<Notify>,
    /// Where simulations are asked for.
    pub(super) desk: Desk,
    /// Where surveys of vendors are asked for.
    pub(super) surveys: Surveys,
}

impl<N: Install> Teller<N> {
    /// Reads a stream to its end: statements are taken over, everything else is passed on.
    pub(super) async fn read(&self, mut stream: Streaming<ControlMessage>, pass: mpsc::Sender<Heard>) {
        loop {
            let heard = stream.message().await;
            let over = !matches!(heard, Ok(Some(_)));
            match heard {
                Ok(Some(ControlMessage { message: Some(Said::Revocations(statement)) })) => {
                    self.told(overlay::Said::Revocations, statement).await;
                }
                Ok(Some(ControlMessage { message: Some(Said::Kills(statement)) })) => {
                    self.told(overlay::Said::Kills, statement).await;
                }
                Ok(Some(ControlMessage { message: Some(Said::Drain(drain)) })) => {
                    self.node.drains().begin(drain);
                }
                Ok(Some(ControlMessage { message: Some(Said::Undrain(_)) })) => self.node.drains().end(),
                Ok(Some(ControlMessage { message: Some(Said::SegmentsAnchored(said)) })) => {
                    self.node.shelf().anchored(said.manifest_hashes.iter().map(Vec::as_slice));
                }
                Ok(Some(ControlMessage { message: Some(Said::Holds(said)) })) => {
                    self.node.retained().hold(said);
                }
                Ok(Some(ControlMessage { message: Some(Said::PruneSegments(said)) })) => {
                    self.node.retained().go(said);
                }
                Ok(Some(ControlMessage { message: Some(Said::Simulate(asked)) })) => self.desk.begins(asked),
                Ok(Some(ControlMessage { message: Some(Said::SimulatePart(part)) })) => self.desk.part(&part),
                Ok(Some(ControlMessage { message: Some(Said::SimulateCancel(cancel)) })) => {
                    self.desk.cancel(&cancel);
                }
                Ok(Some(ControlMessage { message: Some(Said::Survey(asked)) })) => {
                    let node = self.node.clone();
                    self.surveys.begins(asked, move |provider| node.registry(provider));
                }
                Ok(Some(ControlMessage { message: Some(Said::SurveyCancel(cancel)) })) => {
                    self.surveys.cancel(&cancel);
                }
                other => {
                    if pass.send(other).await.is_err() || over {
                        return;
                    }
                }
            }
        }
    }

    /// Takes over a statement that holds at once, and keeps it; what the disk does not take is kept later ([`Holder::save`]).
    ///
    /// [`Holder::save`]: super::holder::Holder::save
    async fn told(&self, said: overlay::Said, statement: Statement) {
        if let Err(error) = self.place.believes(said, &statement) {
            tracing::error!(?said, %error, "a statement is not believed");
            return;
        }
        let overlay = self.node.overlay();
        let taken = match said {
            overlay::Said::Revocations => {
                RevocationSet::decode(statement.body.clone()).map(|set| overlay.revoke(&set))
            }
            overlay::Said::Kills => KillSet::decode(statement.body.clone()).map(|set| overlay.kill(&set)),
        };
        let trace = match taken {
            Ok(Taken::Now(trace)) => {
                tracing::info!(?said, "what holds above any policy has changed");
                trace
            }
            Ok(Taken::Known | Taken::Elsewhere) => return,
            Ok(Taken::Older) => {
                tracing::warn!(
                    ?said,
                    "a statement is older than what holds here and is left alone: where the control plane's store was restored from a \
                     backup, its epoch is to be bumped"
                );
                return;
            }
            Err(error) => {
                tracing::error!(?said, %error, "a statement does not decode");
                return;
            }
        };
        let (kept, encoded, at) =
            (overlay.statements().clone(), statement.encode_to_vec(), overlay.place(said));
        let place = self.place.clone();
        let keep = move || {
            let done = kept.keep(said, &encoded, trace);
            // Also where it is not on disk: a start that finds less than this serves nobody until it is told.
            place.enforced.holds(said, at);
            place.witness(&kept);
            done
        };
        let done = tokio::task::spawn_blocking(keep).await;
        self.taken.notify_one();
        if let Ok(Err(error)) = done {
            tracing::error!(?said, %error, "what holds above any policy is not on disk: until it is, a restart would not find it");
        }
    }
}
