//! How messages of streams that are open for weeks and say little are encoded: with buffers that begin small.
//!
//! Buffers grow to what a message needs. What tonic's own codec sets aside for each call, 16 KiB, is what a node's idle stream
//! would hold for as long as it lives.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// What a buffer begins with, in bytes: more than most words of a node.
const BEGINS: usize = 512;

/// Messages that are ready are sent together up to so many bytes, as by tonic's own codec.
const TOGETHER: usize = 32 << 10;

/// Protocol buffers in and out, by buffers that begin small.
#[derive(Debug)]
pub struct Frugal<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Frugal<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Frugal<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::new(BEGINS, TOGETHER))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BEGINS, TOGETHER))
    }
}
