//! Checkpoints: how large a log is and its root, signed, as C2SP's tlog-checkpoint and signed-note have them.
//!
//! Law: a checkpoint is text, and the text that was signed is the text that is kept: nothing is printed again in order to be verified.
//! Its first line is the log's origin, which no other log has. A key is known by its name and an id made of both, as
//! `name+id+key`; signatures of other keys are passed over. Absent on purpose: who signs when, and proofs (`tree`).
//!
//! | line | what |
//! |---|---|
//! | 1 | the origin |
//! | 2 | how many leaves, decimal |
//! | 3 | the root, base64 |
//! | 4 | `key ` and the newest key that signs, so that who trusts the key before learns it from one that both signed |
//! | … | extensions, up to an empty line |
//! | last | `— name base64(id ‖ signature)`, one a signature |

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::tree::{self, Hash};

/// Bytes of a checkpoint at most: a few lines and signatures.
pub const MOST: usize = 16 << 10;

/// The byte that says Ed25519 in a key and in its id.
const ALGORITHM: u8 = 1;

/// How the line begins that names the newest key.
const NAMED: &str = "key ";

/// How a line of a signature begins.
const SIGNED: &str = "\u{2014} ";

/// How large a log was, and its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log, as nobody else calls one.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A public key that verifies checkpoints, and its name.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: [u8; 32],
}

/// Why something is no checkpoint of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It does not read as one.
    #[error("a checkpoint does not read as one: {0}")]
    Malformed(&'static str),
    /// No signature in it is of the key.
    #[error("a checkpoint has no signature of the key `{0}`")]
    Unsigned(String),
    /// A signature that says that it is of the key is not.
    #[error("the signature of a checkpoint is not of the key `{0}`")]
    Forged(String),
    /// It is of another log.
    #[error("a checkpoint is of the log `{0}`")]
    Foreign(String),
    /// A verifier key does not read as one.
    #[error("a key does not read as `name+id+key`: {0}")]
    Key(&'static str),
}

impl Checkpoint {
    /// Signs it with keys that bear the log's name, of which the first is the newest and named; gives the whole text.
    pub fn signed<'a>(&self, keys: impl IntoIterator<Item = &'a Ed25519KeyPair>) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root));
        let mut keys = keys.into_iter().peekable();
        if let Some(newest) = keys.peek() {
            text.extend([NAMED, &self.public(newest).to_string(), "\n"]);
        }
        let mut note = format!("{text}\n");
        for key in keys {
            let id = self.public(key).id();
            let signature = [&id, key.sign(text.as_bytes()).as_ref()].concat();
            note.extend([SIGNED, &self.origin, " ", &STANDARD.encode(signature), "\n"]);
        }
        note
    }

    fn public(&self, key: &Ed25519KeyPair) -> VerifierKey {
        let key = key.public_key().as_ref().try_into().unwrap_or_default();
        VerifierKey { name: self.origin.clone(), key }
    }

    /// The newest key of its log, as a signed text names it; `None` where it names none, as older builds did.
    ///
    /// # Errors
    /// As of [`verified`](Self::verified), by the key that is given or the one that is named: one that does not sign is not followed.
    pub fn newest_key(note: &str, key: &VerifierKey) -> Result<Option<VerifierKey>, CheckpointError> {
        Self::verified(note, key)?;
        let mut rest = note.lines().skip(3).take_while(|line| !line.is_empty());
        let Some(named) = rest.find_map(|line| line.strip_prefix(NAMED)) else { return Ok(None) };
        let named = named.parse()?;
        Self::verified(note, &named)?;
        Ok(Some(named))
    }

    /// Reads a signed text of the log that a key belongs to.
    ///
    /// # Errors
    /// It is malformed, not signed by the key, or of another log than the one the key is named after.
    pub fn verified(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let (text, signatures) = parts(note)?;
        key.verify(text, signatures)?;
        let read = Self::read(text)?;
        match read.origin == key.name {
            true => Ok(read),
            false => Err(CheckpointError::Foreign(read.origin)),
        }
    }

    /// What a signed text says, whoever signed it; for whoever has to name it before it is verified, or go on where it is not.
    ///
    /// # Errors
    /// It is malformed.
    pub fn claimed(note: &str) -> Result<Self, CheckpointError> {
        Self::read(parts(note)?.0)
    }

    fn read(text: &str) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(malformed("it has no origin"))?;
        let size = lines.next().filter(|line| is_decimal(line)).and_then(|line| line.parse().ok());
        let size = size.ok_or(malformed("its size is no number"))?;
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok());
        let root = root.and_then(|root| root.try_into().ok()).ok_or(malformed("its root is no SHA-256"))?;
        if size == 0 && root != tree::empty() {
            return Err(malformed("it has no leaves and another root than none"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// A signed text as what was signed and the lines of its signatures.
fn parts(note: &str) -> Result<(&str, &str), CheckpointError> {
    let malformed = CheckpointError::Malformed;
    if note.len() > MOST {
        return Err(malformed("it is too large"));
    }
    let end = note.rfind("\n\n").ok_or(malformed("it has no signatures"))?;
    let (text, signatures) = note.split_at(end + 1);
    Ok((text, signatures.strip_prefix('\n').unwrap_or_default()))
}

/// As it is printed: digits, without zeros before them.
fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

impl VerifierKey {
    /// The public half of a key, by its name: the origin of its log.
    ///
    /// # Errors
    /// The name is empty, or has a space, a control character or a plus sign in it, or the key is no Ed25519 key.
    pub fn of(name: &str, public: &[u8]) -> Result<Self, CheckpointError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.chars().any(bad) {
            return Err(CheckpointError::Key("its name is empty, or has spaces or a plus sign in it"));
        }
        let key = public.try_into().map_err(|_| CheckpointError::Key("the key has not 32 bytes"))?;
        Ok(Self { name: name.to_owned(), key })
    }

    /// The origin of the log whose checkpoints it verifies.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name and the id, by which a signature says that it is of this key.
    pub fn name_and_id(&self) -> String {
        format!("{}+{:08x}", self.name, u32::from_be_bytes(self.id()))
    }

    /// The public key.
    pub fn public(&self) -> &[u8; 32] {
        &self.key
    }

    /// What a signature says it is of: the first bytes of SHA-256 over the name, a line feed, the algorithm and the key.
    fn id(&self) -> [u8; 4] {
        let parts = [self.name.as_bytes(), b"\n", &[ALGORITHM], &self.key].concat();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &parts);
        hash.as_ref().first_chunk().copied().unwrap_or_default()
    }

    fn verify(&self, text: &str, signatures: &str) -> Result<(), CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let mut verified = false;
        for line in signatures.lines() {
            let line =
                line.strip_prefix(SIGNED).ok_or(malformed("a signature does not begin with a dash"))?;
            let (name, signature) = line.split_once(' ').ok_or(malformed("a signature has no name"))?;
            let bytes = STANDARD.decode(signature).map_err(|_| malformed("a signature is not base64"))?;
            let Some((id, signature)) = bytes.split_first_chunk() else {
                return Err(malformed("a signature has no id"));
            };
            if name != self.name || *id != self.id() {
                continue;
            }
            let key = UnparsedPublicKey::new(&ED25519, &self.key);
            key.verify(text.as_bytes(), signature).map_err(|_| CheckpointError::Forged(self.name.clone()))?;
            verified = true;
        }
        if verified { Ok(()) } else { Err(CheckpointError::Unsigned(self.name.clone())) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ALGORITHM], self.key.as_slice()].concat());
        write!(f, "{}+{key}", self.name_and_id())
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = CheckpointError::Key;
        let mut parts = text.trim_end().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(error("it has not three parts"));
        };
        let key = STANDARD.decode(key).map_err(|_| error("the key is not base64"))?;
        let Some((&ALGORITHM, public)) = key.split_first() else {
            return Err(error("the key is not an Ed25519 key"));
        };
        let read = Self::of(name, public)?;
        match u32::from_str_radix(id, 16).is_ok_and(|id| id.to_be_bytes() == read.id()) && id.len() == 8 {
            true => Ok(read),
            false => Err(error("the id is not of this name and key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example key and note of Go's `golang.org/x/mod/sumdb/note`, whose form this is.
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn pair() -> (Ed25519KeyPair, VerifierKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key = VerifierKey::of("chancery.example/log", pair.public_key().as_ref()).unwrap();
        (pair, key)
    }

    fn signed(size: u64) -> (Checkpoint, String, VerifierKey) {
        let (pair, key) = pair();
        let root = tree::leaf(b"a");
        let checkpoint = Checkpoint { origin: key.name().to_owned(), size, root };
        let note = checkpoint.signed([&pair]);
        (checkpoint, note, key)
    }

    #[test]
    fn a_key_and_a_signature_of_another_program_read_and_verify() {
        let key: VerifierKey = KEY.parse().unwrap();
        assert_eq!(key.to_string(), KEY);
        assert_eq!(key.verify(TEXT, SIGNATURE), Ok(()));
        assert_eq!(
            key.verify(&TEXT.replace('I', "i"), SIGNATURE),
            Err(CheckpointError::Forged("PeterNeumann".into()))
        );
    }

    #[test]
    fn a_checkpoint_is_what_was_signed() {
        let (checkpoint, note, key) = signed(12_345);
        assert!(note.starts_with("chancery.example/log\n12345\n"), "{note}");
        assert_eq!(Checkpoint::verified(&note, &key), Ok(checkpoint.clone()));
        assert_eq!(key.to_string().parse::<VerifierKey>(), Ok(key.clone()));
        let other = VerifierKey::of(key.name(), &[9; 32]).unwrap();
        assert!(matches!(Checkpoint::verified(&note, &other), Err(CheckpointError::Unsigned(_))));
        // A cosignature beside ours is passed over.
        assert_eq!(Checkpoint::verified(&format!("{note}{SIGNATURE}"), &key), Ok(checkpoint));
        let (pair, _) = pair();
        let foreign = Checkpoint { origin: "another".to_owned(), size: 1, root: tree::empty() };
        let foreign = Checkpoint::verified(&foreign.signed([&pair]), &key);
        assert_eq!(foreign, Err(CheckpointError::Unsigned(key.name().to_owned())));
    }

    #[test]
    fn two_keys_sign_and_either_verifies() {
        let (checkpoint, _, _) = signed(3);
        let pairs = [1, 2].map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap());
        let note = checkpoint.signed(&pairs);
        for pair in &pairs {
            let key = VerifierKey::of(&checkpoint.origin, pair.public_key().as_ref()).unwrap();
            assert_eq!(Checkpoint::verified(&note, &key).as_ref(), Ok(&checkpoint));
        }
    }

    #[test]
    fn who_trusts_the_key_before_learns_the_newest_from_what_both_signed() {
        let (checkpoint, _, _) = signed(3);
        let pairs = [1, 2, 3].map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap());
        let key = |pair: &Ed25519KeyPair| checkpoint.public(pair);
        let [newest, before, retired] = pairs.each_ref().map(key);
        let note = checkpoint.signed(&pairs[..2]);
        for key in [&before, &newest] {
            assert_eq!(Checkpoint::newest_key(&note, key), Ok(Some(newest.clone())));
        }
        assert!(matches!(Checkpoint::newest_key(&note, &retired), Err(CheckpointError::Unsigned(_))));
        // One that signs and is not named is not learned, nor one that is named and does not sign.
        let signatures = |note: &str| note.split_once("\n\n").unwrap().1.to_owned();
        let added = [note.as_str(), &signatures(&checkpoint.signed([&pairs[2]]))].concat();
        assert_eq!(Checkpoint::newest_key(&added, &before), Ok(Some(newest)));
        let lines: Vec<&str> = note.lines().collect();
        let alone = [&lines[..5], &lines[6..], &[""]].concat().join("\n");
        assert!(Checkpoint::verified(&alone, &before).is_ok());
        assert!(matches!(Checkpoint::newest_key(&alone, &before), Err(CheckpointError::Unsigned(_))));
        let unnamed = [&lines[..3], &lines[4..], &[""]].concat().join("\n");
        assert!(matches!(Checkpoint::newest_key(&unnamed, &before), Err(CheckpointError::Forged(_))));
    }

    #[test]
    fn what_is_malformed_says_how() {
        let (_, note, key) = signed(3);
        let (pair, _) = pair();
        let verified = |text: &str| Checkpoint::verified(text, &key).unwrap_err();
        for (text, words) in [
            ("", "no signatures"),
            (&note.replace("\n\n", "\n"), "no signatures"),
            (&note.replace('\u{2014}', "-"), "dash"),
            (&note.replace("log ", "log"), "no name"),
            (&"a".repeat(MOST + 1), "too large"),
        ] {
            assert!(verified(text).to_string().contains(words), "{words}: {:?}", verified(text));
        }
        for (text, words) in [
            ("", "no origin"),
            ("a\n03\n", "no number"),
            ("a\n+3\n", "no number"),
            ("a\n3\nAAAA\n", "no SHA-256"),
        ] {
            assert!(Checkpoint::read(text).unwrap_err().to_string().contains(words), "{text}");
        }
        let none = Checkpoint { origin: key.name().to_owned(), size: 0, root: [1; 32] };
        assert!(verified(&none.signed([&pair])).to_string().contains("no leaves"));
        for bad in [
            "",
            "a",
            "a+b",
            "a+00000000+AQ==",
            "a b+c74f20a3+AA==",
            &KEY.replace("c74f", "c74e"),
            &KEY.replace("+AR", "+AB"),
        ] {
            assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_checkpoint_with_any_byte_changed_is_refused(size in 1_u64..1_000_000, at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let (_, note, key) = signed(size);
            let mut bytes = note.clone().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            let Ok(changed) = String::from_utf8(bytes) else { return Ok(()) };
            // The last line feed alone may be another white space, and the last bits of base64 are no part of a signature.
            prop_assert!(Checkpoint::verified(&changed, &key).is_err() || at + 1 == note.len(), "{changed}");
        }

        #[test]
        fn no_text_is_a_panic(text in ".{0,200}", signature in "(\u{2014} )?.{0,80}\n") {
            let (_, key) = pair();
            let note = format!("{text}\n\n{signature}");
            prop_assert!(Checkpoint::verified(&note, &key).is_err());
            prop_assert!(text.parse::<VerifierKey>().is_err());
        }
    }
}
