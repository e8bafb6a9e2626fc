//! What the dialect's files hold, its laws, and its faults.

mod faults;
mod golden;
mod laws;
mod small;

use bytes::Bytes;

use super::events::Reading;
use crate::dialect::VendorError;
use crate::dialect::event::Event;
use crate::upstream::sse::Splitter;

/// The events of a vendor's bytes, cut into pieces, and what it failed with.
fn read_stream(pieces: &[&[u8]]) -> (Vec<Event>, Option<VendorError>) {
    let (mut splitter, mut reading, mut events) = (Splitter::new(1 << 20), Reading::default(), Vec::new());
    let mut failed = None;
    let mut take = |event: crate::upstream::sse::Event, events: &mut Vec<Event>| {
        if let Some(data) = event.data
            && failed.is_none()
        {
            failed = reading.take(&data, events).err();
        }
    };
    for piece in pieces {
        splitter.push(Bytes::copy_from_slice(piece));
        while let Some(event) = splitter.next_event().unwrap() {
            take(event, &mut events);
        }
    }
    if let Some(event) = splitter.finish() {
        take(event, &mut events);
    }
    if failed.is_none() {
        reading.finish(&mut events);
    }
    (events, failed)
}
