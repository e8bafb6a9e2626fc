//! Messages to and from their bytes, as prost has them.
//!
//! Law: a message that would be far larger here than on the wire is not read. An empty message within a list is two bytes there and a hundred
//! here, so that the bytes of an answer say nothing of what it takes; its fields are counted before any of them is read. Absent on purpose:
//! what messages mean.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// The most fields with a length (messages, texts, bytes) of one message, those of the messages in it among them.
const FIELDS: usize = 500_000;

/// How deep messages are read, a little deeper than prost reads them.
const DEPTH: usize = 128;

/// Writes the messages of a call, and reads those of its answer.
pub(super) struct Bounded<T, U>(PhantomData<fn(T) -> U>);

/// Writes messages.
pub(super) struct Writes<T>(PhantomData<fn(T)>);

/// Reads messages.
pub(super) struct Reads<U>(PhantomData<fn() -> U>);

impl<T, U> Default for Bounded<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for Bounded<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = Writes<T>;
    type Decoder = Reads<U>;

    fn encoder(&mut self) -> Writes<T> {
        Writes(PhantomData)
    }

    fn decoder(&mut self) -> Reads<U> {
        Reads(PhantomData)
    }
}

impl<T: Message> Encoder for Writes<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(to).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<U: Message + Default> Decoder for Reads<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // INVARIANT: a message lies in one piece, or less of it than is to be read would be counted.
        if from.chunk().len() < from.remaining() {
            return Err(Status::internal("a message in pieces"));
        }
        if !is_within(FIELDS, from.chunk()) {
            return Err(Status::resource_exhausted("more fields than are read"));
        }
        U::decode(from).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

/// Whether a message has so many fields with a length at most. What is in such a field is counted as if it were a message until it shows that
/// it is none: there is no telling without its definition, and few texts and pictures look like one for long. Every byte is looked at once.
fn is_within(most: usize, message: &[u8]) -> bool {
    let (mut fields, mut at) = (0, 0);
    // Where the messages end in which that is.
    let mut ends = vec![message.len()];
    while let Some(&end) = ends.last() {
        if at >= end {
            ends.pop();
            continue;
        }
        match field(message, (at, end)) {
            Some(Field::Sized(content)) => {
                fields += 1;
                if fields > most {
                    return false;
                }
                match ends.len() < DEPTH {
                    true => {
                        ends.push(content.end);
                        at = content.start;
                    }
                    false => at = content.end,
                }
            }
            Some(Field::Plain(next)) => at = next,
            // It was none, or is none from here on.
            None => {
                at = end;
                ends.pop();
            }
        }
    }
    true
}

/// A field as it is on the wire.
enum Field {
    /// What has a length, and where it is.
    Sized(std::ops::Range<usize>),
    /// A number, or the mark of a group; and where the next begins.
    Plain(usize),
}

/// The field of a message that begins `at` a place and ends before `end`; `None`: there is none.
fn field(message: &[u8], (at, end): (usize, usize)) -> Option<Field> {
    let (tag, at) = varint(message, (at, end))?;
    if tag >> 3 == 0 {
        return None;
    }
    let next = match tag & 7 {
        0 => varint(message, (at, end))?.1,
        1 => at.checked_add(8)?,
        2 => {
            let (length, at) = varint(message, (at, end))?;
            let content = at..at.checked_add(usize::try_from(length).ok()?)?;
            return (content.end <= end).then_some(Field::Sized(content));
        }
        3 | 4 => at,
        5 => at.checked_add(4)?,
        _ => return None,
    };
    (next <= end).then_some(Field::Plain(next))
}

/// A number of as many bytes as it takes, and where the next thing begins.
fn varint(message: &[u8], (at, end): (usize, usize)) -> Option<(u64, usize)> {
    let mut number = 0;
    for (byte, place) in message.get(at..end)?.iter().zip(0..10_u32) {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, at + usize::try_from(place).ok()? + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proto::inference::content_part::Part;
    use proto::inference::{ChatResponse, Choice, ContentPart, EmbedResponse, Embedding, Message as Said};

    use super::*;

    fn of(text: String, parts: usize) -> Vec<u8> {
        let content = vec![ContentPart { part: Some(Part::Text(text)) }; parts];
        let message = Some(Said { content, ..Said::default() });
        let choices = vec![Choice { message, ..Choice::default() }];
        ChatResponse { choices, ..ChatResponse::default() }.encode_to_vec()
    }

    #[test]
    fn fields_are_counted_wherever_they_are() {
        for (message, count) in [
            (Vec::new(), 0),
            ([0x22_u8, 0x00].repeat(7), 7),
            // A choice, its message, and of each part itself and its text.
            (of("I".to_owned(), 3), 2 + 2 * 3),
            // Numbers, and what is none any more.
            (vec![0x08, 0x01, 0x0d, 0, 0, 0, 0, 0x09, 0, 0, 0, 0, 0, 0, 0, 0], 0),
            (vec![0x0a, 0x00, 0x00, 0x0a, 0x00], 1),
            (vec![0x0a, 0x00, 0x0a, 0x7f], 1),
            (vec![0x0a, 0x00, 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 1),
            (vec![0xff; 32], 0),
            // What is no message within is none alone.
            (vec![0x0a, 0x01, 0x07, 0x0a, 0x00], 2),
            // A group's marks hide nothing.
            (vec![0x0b, 0x0a, 0x00, 0x0c, 0x0a, 0x00], 2),
        ] {
            assert!(is_within(count, &message), "{message:?}");
            assert!(count == 0 || !is_within(count - 1, &message), "{message:?}");
        }
    }

    #[test]
    fn what_would_be_large_here_is_seen_on_the_wire() {
        assert!(!is_within(FIELDS, &[0x22_u8, 0x00].repeat(1 << 20)), "choices");
        let within: Vec<u8> = [0x12_u8, 0x00].repeat(1 << 20);
        let length = u32::try_from(within.len()).unwrap();
        let mut head = vec![0x22];
        prost::encoding::encode_varint(u64::from(length), &mut head);
        assert!(!is_within(FIELDS, &[head, within].concat()), "a choice's");
    }

    #[test]
    fn what_answers_hold_is_within() {
        for text in
            ["a cat, a mouse.\n\n", "\u{fc}ber \"alles\": {\"x\": [1, 2]}\n", "    \t", "zzzzz", "\0\0\0\0"]
        {
            assert!(is_within(FIELDS, &of(text.repeat(100_000), 2)), "{text:?}");
        }
        let values = |at: u32| (0..1536).map(|place| ((at * 31 + place) as f32).sin()).collect();
        let embeddings = (0..2048).map(|index| Embedding { index, values: values(index) }).collect();
        let vectors = EmbedResponse { embeddings, ..EmbedResponse::default() }.encode_to_vec();
        assert!(is_within(FIELDS, &vectors));
    }
}
