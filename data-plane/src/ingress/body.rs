//! What goes out of a door, whatever its form.
//!
//! Law: pulled by the connection; dropping it drops what makes it, and with it the vendor's call and the request's place.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::openai::rejection;
use super::spoken::Spoken;
use crate::pipeline::media::MediaStream;
use crate::pipeline::stream::ScreenedStream;
use tokio::sync::OwnedSemaphorePermit;

/// The body of a response, and the place it holds until it has left.
pub(crate) struct DoorBody {
    form: Form,
    place: Option<OwnedSemaphorePermit>,
}

enum Form {
    /// All of it; `None` once it has left.
    Whole(Option<Bytes>),
    /// Server-sent events; `None` once they ended.
    Events(Option<Box<ScreenedStream>>),
    /// What is no text; `None` once it ended.
    Media(Option<Box<MediaStream>>),
    /// Events in another dialect.
    Spoken(Box<Spoken>),
    /// gRPC messages, and what its trailers tell beside the status.
    Grpc(Box<(tonic::body::Body, HeaderMap)>),
}

impl DoorBody {
    /// Nothing.
    pub(super) fn empty() -> Self {
        Self { form: Form::Whole(None), place: None }
    }

    /// All of it at once.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { form: Form::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())), place: None }
    }

    /// Events as they come.
    pub(super) fn events(stream: Box<ScreenedStream>) -> Self {
        Self { form: Form::Events(Some(stream)), place: None }
    }

    /// What is no text, as it comes.
    pub(super) fn media(stream: Box<MediaStream>) -> Self {
        Self { form: Form::Media(Some(stream)), place: None }
    }

    /// Events in another dialect, as they come.
    pub(super) fn spoken(spoken: Spoken) -> Self {
        Self { form: Form::Spoken(Box::new(spoken)), place: None }
    }

    /// gRPC messages.
    pub(super) fn grpc(body: tonic::body::Body, told: HeaderMap) -> Self {
        Self { form: Form::Grpc(Box::new((body, told))), place: None }
    }

    /// The same, holding a place until it has left.
    pub(super) fn holding(self, place: OwnedSemaphorePermit) -> Self {
        Self { place: Some(place), ..self }
    }
}

impl Body for DoorBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let body = self.get_mut();
        let frame = match &mut body.form {
            Form::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Form::Events(stream) => {
                poll_events(stream, cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Form::Media(stream) => {
                poll_media(stream, cx).map(|bytes| bytes.map(|bytes| bytes.map(Frame::data)))
            }
            Form::Spoken(spoken) => spoken.poll(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
            Form::Grpc(grpc) => {
                let (messages, told) = grpc.as_mut();
                Pin::new(messages)
                    .poll_frame(cx)
                    .map(|frame| frame.map(|frame| frame.map(|f| with_told(f, told))))
            }
        };
        if matches!(frame, Poll::Ready(None)) {
            body.place = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.form {
            Form::Whole(bytes) => bytes.is_none(),
            Form::Events(stream) => stream.is_none(),
            Form::Media(stream) => stream.is_none(),
            Form::Spoken(spoken) => spoken.is_over(),
            Form::Grpc(grpc) => grpc.0.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.form {
            Form::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Form::Events(_) | Form::Media(_) | Form::Spoken(_) => SizeHint::default(),
            Form::Grpc(grpc) => grpc.0.size_hint(),
        }
    }
}

fn poll_events(stream: &mut Option<Box<ScreenedStream>>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
    let Some(events) = stream else { return Poll::Ready(None) };
    let next = std::task::ready!(futures_util::Stream::poll_next(Pin::new(events), cx));
    Poll::Ready(match next {
        Some(Ok(bytes)) => Some(bytes),
        Some(Err(rejection)) => {
            let standing = events.standing();
            *stream = None;
            Some(match standing {
                None => rejection::event(&rejection),
                Some((number, opening)) => rejection::events(&rejection, (number, &opening)).into(),
            })
        }
        None => {
            *stream = None;
            None
        }
    })
}

/// What breaks off has no form of its own to say so in: the connection, or its stream, is reset.
fn poll_media(
    stream: &mut Option<Box<MediaStream>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, tonic::Status>>> {
    let Some(pieces) = stream else { return Poll::Ready(None) };
    let next = std::task::ready!(futures_util::Stream::poll_next(Pin::new(pieces), cx));
    if !matches!(next, Some(Ok(_))) {
        *stream = None;
    }
    Poll::Ready(next.map(|piece| piece.map_err(|rejection| tonic::Status::from(&*rejection.refusal))))
}

fn with_told(frame: Frame<Bytes>, told: &mut HeaderMap) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            trailers.extend(std::mem::take(told));
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}
