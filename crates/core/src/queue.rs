//! Queue entries: the state of a requested image, from the filler to the jobs that wait for it.
//!
//! Each requested image has one file below the image root, the queue file. Only the filler writes it,
//! and it replaces the whole file each time:
//!
//! ```text
//! ROOT/.sifcache/queue/HEX
//! reference=docker.io/o/i:1 state=pulling size=1000 received=250 left=30 users=2 ahead=0 beat=17 reason=""
//! ```
//!
//! `HEX` is a hash of the reference, because a reference may be longer than a file name. The hash
//! need not resist attacks: readers compare the `reference` of the entry with their own. Images are
//! checked as always before they are used, so a false entry can only make a job wait.

use crate::fields::{self, value};
use crate::reference::Reference;
use std::fmt;

/// The directory of the entries, relative to the image root.
pub const DIRECTORY: &str = ".sifcache/queue";

/// The largest size of an entry in bytes. Readers ignore larger files.
pub const MAX_SIZE: usize = 4096;

/// The largest length of a reason in bytes. The rest is not written.
const MAX_REASON: usize = 512;

/// The progress of the filler with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The image waits for its turn.
    Queued,
    /// The image is being added.
    Pulling,
    /// The image has its name in the image root.
    Done,
    /// The policy does not allow the image, so it is not added.
    Refused,
    /// The image could not be added.
    Failed,
}

impl State {
    const ALL: [Self; 5] = [Self::Queued, Self::Pulling, Self::Done, Self::Refused, Self::Failed];

    /// The value of `state=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Pulling => "pulling",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn parse(value: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str().as_bytes() == value)
    }
}

/// The state of a requested image. Its `Display` is the content of the file, without the line feed at
/// its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The printed reference of the image.
    pub reference: String,
    /// The progress of the filler.
    pub state: State,
    /// The size of the image in the registry in bytes; 0 if it is unknown.
    pub size: u64,
    /// The number of these bytes that were received.
    pub received: u64,
    /// The estimated seconds until the image has its name, if there is an estimate.
    pub seconds_left: Option<u32>,
    /// The number of images that are added before this one.
    pub ahead: u32,
    /// The number of identified users who asked for the image; `None` if the filler does not state it.
    /// Entries do not name the users.
    pub users: Option<u32>,
    /// A number that the filler changes at least every 10 seconds. If it does not change for 30
    /// seconds, no filler is running.
    pub beat: u64,
    /// Why the image is refused, has failed, or is not added yet; otherwise empty. Printable ASCII:
    /// `Display` writes other characters as `?`.
    pub reason: String,
}

impl Entry {
    /// Parses the content of a file. `None` if it has another format, is incomplete, or is larger
    /// than [`MAX_SIZE`]. Unknown keys are ignored, so that the filler may be newer than the nodes.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = Some(bytes).filter(|bytes| bytes.len() <= MAX_SIZE)?;
        let line = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let fields = fields::parse(line)?;
        let find = |key: &str| {
            let mut values =
                fields.iter().filter(|(name, _)| *name == key).map(|(_, value)| &**value);
            // A second value for a key is an error.
            values.next().filter(|_| values.next().is_none())
        };
        let has = |key: &str| fields.iter().any(|(name, _)| *name == key);
        let optional = |key: &str| match has(key) {
            true => Some(Some(number(find(key)?)?.try_into().ok()?)),
            false => Some(None),
        };
        Some(Self {
            reference: text(find("reference")?)?,
            state: State::parse(find("state")?)?,
            size: number(find("size")?)?,
            received: number(find("received")?)?,
            seconds_left: optional("left")?,
            ahead: number(find("ahead")?)?.try_into().ok()?,
            users: optional("users")?,
            beat: number(find("beat")?)?,
            reason: text(find("reason")?)?,
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    // `parse` would also accept a sign.
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Printable ASCII, so that no entry can change a terminal.
fn text(bytes: &[u8]) -> Option<String> {
    let is_printable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    is_printable.then(|| String::from_utf8_lossy(bytes).into_owned())
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reference, state) = (value(self.reference.as_bytes()), self.state.as_str());
        let Self { size, received, ahead, beat, .. } = self;
        write!(f, "reference={reference} state={state} size={size} received={received}")?;
        if let Some(seconds) = self.seconds_left {
            write!(f, " left={seconds}")?;
        }
        if let Some(users) = self.users {
            write!(f, " users={users}")?;
        }
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let reason: String = self.reason.chars().map(printable).take(MAX_REASON).collect();
        write!(f, " ahead={ahead} beat={beat} reason={}", value(reason.as_bytes()))
    }
}

/// The path of an image's entry, relative to the image root: `.sifcache/queue/` and 32 hexadecimal
/// digits, which are the 128-bit FNV-1a hash of the printed reference.
#[must_use]
pub fn file(reference: &Reference) -> String {
    format!("{DIRECTORY}/{}", hash(reference.to_string().as_bytes()))
}

/// A hash as 32 hexadecimal digits. It does not resist attacks.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", fnv1a(bytes))
}

/// FNV-1a with 128 bits: `draft-eastlake-fnv`.
fn fnv1a(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::{DIRECTORY, Entry, MAX_SIZE, State, file, fnv1a};
    use crate::reference::Reference;
    use proptest::prelude::*;

    fn entry() -> Entry {
        Entry {
            reference: "docker.io/o/i:1".to_owned(),
            state: State::Pulling,
            size: 1000,
            received: 250,
            seconds_left: Some(30),
            ahead: 2,
            users: Some(3),
            beat: 17,
            reason: String::new(),
        }
    }

    fn line(entry: &Entry) -> Vec<u8> {
        format!("{entry}\n").into_bytes()
    }

    #[test]
    fn an_entry_is_one_line() {
        let expected = "reference=docker.io/o/i:1 state=pulling size=1000 received=250 left=30 \
                        users=3 ahead=2 beat=17 reason=\"\"";
        assert_eq!(entry().to_string(), expected);
        for state in State::ALL {
            let entry = Entry { state, seconds_left: None, users: None, ..entry() };
            assert_eq!(Entry::parse(&line(&entry)), Some(entry));
        }
        let newer = format!("{expected} rate=7\n");
        assert_eq!(Entry::parse(newer.as_bytes()), Some(entry()));
    }

    #[test]
    fn files_that_are_not_entries() {
        let good = format!("{}\n", entry());
        let without_end = good.trim_end();
        let mut wrong = vec![
            String::new(),
            "\n".to_owned(),
            without_end.to_owned(),
            format!("{good}\n"),
            format!("{without_end} state=done\n"),
            format!("{without_end} left=1\n"),
            format!("{without_end} users=1\n"),
            good.replace("users=3", "users=x"),
            good.replace("left=30", "left=x"),
            good.replace("left=30", "left=99999999999"),
            good.replace("pulling", "pullin"),
            good.replace("size=1000", "size=+1000"),
            good.replace("size=1000", "size=99999999999999999999"),
            good.replace("ahead=2", "ahead=4294967296"),
            good.replace("reason=\"\"", "reason=\"\\x1b[2J\""),
            good.replace("reason=\"\"", "reason=\"\\xff\""),
            good.replace("reason=\"\"", &format!("reason={}", "x".repeat(MAX_SIZE))),
        ];
        for key in ["reference", "state", "size", "received", "ahead", "beat", "reason"] {
            wrong.push(good.replace(&format!("{key}="), "other="));
        }
        for text in wrong {
            assert_eq!(Entry::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Entry::parse(b"\xff\n"), None);
    }

    #[test]
    fn a_reason_is_bounded_and_printable() {
        let reason = "\u{1b}[2J \"a=b\" \\ ü".to_owned();
        let parsed = Entry::parse(&line(&Entry { reason, ..entry() })).unwrap();
        assert_eq!(parsed.reason, "?[2J \"a=b\" \\ ?");
        let long = Entry { reason: "'".repeat(MAX_SIZE), ..entry() };
        assert_eq!(Entry::parse(&line(&long)).unwrap().reason, "'".repeat(512));
    }

    #[test]
    fn the_file_of_an_entry() {
        // The test vectors of the draft.
        assert_eq!(fnv1a(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv1a(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(fnv1a(b"foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
        let file_of = |name: &[u8]| file(&Reference::parse(name).unwrap());
        assert_eq!(file_of(b"ubuntu"), format!("{DIRECTORY}/fdc6bd44d9d09e1a0e1cbe2cabfff48e"));
        assert_eq!(file_of(b"ubuntu"), file_of(b"docker.io/library/ubuntu:latest"));
        assert_ne!(file_of(b"ubuntu"), file_of(b"ubuntu:1"));
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, text in "(reference|state|size|left)=[a-z0-9\"\\\\ =]*\n?") {
            let _ = Entry::parse(&bytes);
            let _ = Entry::parse(text.as_bytes());
        }
    }
}
