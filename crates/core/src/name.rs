//! Short names in constant tables.

/// A short name: its bytes, and zeros up to a fixed length.
///
/// With a pointer to a string instead, the loader would have to write the addresses of all names in
/// a table whenever it loads the library or starts the shim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    bytes: [u8; Name::LONGEST],
    length: u8,
}

impl Name {
    const LONGEST: usize = 23;

    /// The name `text`, of at most 23 bytes. Only constants are made of it, so a longer one does not
    /// compile.
    pub(crate) const fn new(text: &str) -> Self {
        assert!(text.len() <= Self::LONGEST, "a longer name needs a larger LONGEST");
        let mut bytes = [0; Self::LONGEST];
        let mut from = text.as_bytes();
        let mut to: &mut [u8] = &mut bytes;
        while let ([first, rest @ ..], [slot, others @ ..]) = (from, to) {
            *slot = *first;
            (from, to) = (rest, others);
        }
        // The length is at most `LONGEST`.
        #[allow(clippy::cast_possible_truncation)]
        Self { bytes, length: text.len() as u8 }
    }

    /// The bytes of the text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}
