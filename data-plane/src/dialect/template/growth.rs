//! How much more than the caller's texts an API is sent by a template, so that it is reserved before it is.
//!
//! Law: an upper bound, made once for a template. Absent on purpose: tokens, and what is held of them (the pipeline's).

use policy_engine::facts::template::{Ask, Draft, Embed};
use policy_engine::vocabulary::Slot;

/// The bytes of a message that has no shape of its own, without what was said and by whom; of a paragraph of a transcript they are fewer.
const FRAME: usize = r#"{"role":"","content":""},"#.len();

/// How much is sent of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth {
    /// How often every text is told.
    copies: u64,
    /// Bytes beside the texts.
    words: u64,
    /// Bytes beside each of them.
    each: u64,
}

impl Growth {
    /// Texts go as they are.
    pub(crate) const NONE: Self = Self { copies: 1, words: 0, each: 0 };

    /// Of chats.
    pub(super) fn of_chats(ask: &Ask, body: &Draft) -> Self {
        let Some(message) = &ask.message else { return Self::of(ask, body, (1, FRAME)) };
        let texts = message.shape.gaps().iter().filter(|gap| gap.slot == Slot::Text).count();
        Self::of(ask, body, (texts.max(1), message.text.len()))
    }

    /// Of texts to be embedded.
    pub(super) fn of_texts(embed: &Embed) -> Self {
        Self::of(&Ask::default(), &embed.body, (1, 0))
    }

    /// Of a body, in which a list of messages tells each text so often, by so many bytes.
    fn of(ask: &Ask, body: &Draft, (texts, bytes): (usize, usize)) -> Self {
        let longest = [&ask.roles.system, &ask.roles.user, &ask.roles.assistant].map(String::len);
        let longest = longest.into_iter().max().unwrap_or_default();
        let (mut copies, mut lists) = (0, 0);
        for gap in body.shape.gaps() {
            match gap.slot {
                Slot::Messages | Slot::Turns => (copies, lists) = (copies + texts, lists + 1),
                Slot::Transcript => (copies, lists) = (copies + 1, lists + 1),
                Slot::Prompt | Slot::System | Slot::User | Slot::Inputs | Slot::Input => copies += 1,
                _ => {}
            }
        }
        Self {
            copies: copies.max(1) as u64,
            words: body.text.len() as u64,
            each: (lists * (bytes.max(FRAME) + longest)) as u64,
        }
    }

    /// The bytes that are sent beside so many texts.
    pub(crate) fn beside(self, texts: u64) -> u64 {
        texts.saturating_mul(self.each).saturating_add(self.words)
    }

    /// How often every text is told.
    pub(crate) fn copies(self) -> u64 {
        self.copies
    }
}
