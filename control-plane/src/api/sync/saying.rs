//! What is said to a node, and what of it waits for no snapshot: what was taken back and switched off, and its drain.
//!
//! Law: a node that reads nothing is waited for only so long.

use std::time::Duration;

use proto::sync::control_message::Message as Saying;
use proto::sync::{ControlMessage, Drain, Undrain};
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::statements::{Standing, Told};
use crate::drains;

/// How long a node may take to read on before its stream is closed.
const READS: Duration = Duration::from_secs(60);

/// Where what is said to a node goes.
pub(super) type Say = mpsc::Sender<Result<ControlMessage, Status>>;

/// Tells what is newer than what the node knows, and whatever comes after, of epochs above the one in which it is ahead; ends with the
/// stream.
pub(super) async fn tell(
    mut told: watch::Receiver<Told>,
    say: Say,
    (known, ahead): ([Standing; 2], i64),
) -> Result<(), Status> {
    let [mut revocations, mut kills] = known;
    loop {
        let now = told.borrow_and_update().clone();
        let (revoked, switched) = (now.revocations.standing(), now.kills.standing());
        if revoked.0 > ahead && revoked != revocations {
            revocations = revoked;
            send(&say, Saying::Revocations(now.revocations.statement.clone())).await?;
        }
        if switched.0 > ahead && switched != kills {
            kills = switched;
            send(&say, Saying::Kills(now.kills.statement.clone())).await?;
        }
        if told.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Tells the node's drain, also one that it is in already, and the end of it; ends with the stream.
pub(super) async fn drain(
    mut standing: watch::Receiver<drains::Standing>,
    say: Say,
    (place, mut told): (drains::Place, String),
) -> Result<(), Status> {
    let mut first = true;
    loop {
        let now = standing.borrow_and_update().get(&place).cloned();
        match now {
            Some(drain) if first || drain.id != told => {
                told.clone_from(&drain.id);
                let (deadline_ms, reason) = (drain.within_ms, drain.reason);
                send(&say, Saying::Drain(Drain { deadline_ms, reason, id: drain.id })).await?;
            }
            None if !told.is_empty() => {
                told.clear();
                send(&say, Saying::Undrain(Undrain {})).await?;
            }
            _ => {}
        }
        first = false;
        if standing.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Says something to a node, which is not waited for as long as it likes.
pub(super) async fn send(say: &Say, saying: Saying) -> Result<(), Status> {
    let message = Ok(ControlMessage { message: Some(saying) });
    let sent = match say.try_reserve() {
        Ok(place) => {
            place.send(message);
            return Ok(());
        }
        Err(_) => tokio::time::timeout(READS, say.send(message)).await,
    };
    let sent = sent.map_err(|_| Status::deadline_exceeded("the node reads too slowly"))?;
    sent.map_err(|_| Status::cancelled("the node went away"))
}

#[cfg(test)]
mod tests {
    use proto::sync::SnapshotEnd;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn case_19_a_stream_that_nobody_reads_ends() {
        let (say, _unread) = mpsc::channel(1);
        let began = tokio::time::Instant::now();
        let end = |word: &str| Saying::SnapshotEnd(SnapshotEnd { sha256: word.as_bytes().to_vec() });
        send(&say, end("first")).await.unwrap();
        let status = send(&say, end("second")).await.unwrap_err();
        assert_eq!((status.code(), began.elapsed()), (tonic::Code::DeadlineExceeded, READS));
    }
}
