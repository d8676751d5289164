//! Finds the end of a word. Millions of lines have several words of a few bytes each, so eight
//! bytes are compared at a time. A vectorized search, which is made for long texts, takes longer to
//! start.

/// A byte with this value in each place.
const fn repeated(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The index of the first blank: a space or a tab.
pub(super) fn find(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ repeated(b' ')) | zeros(word ^ repeated(b'\t'));
        if found != 0 {
            let place = usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
            return Some(number * 8 + place);
        }
    }
    Some(words.len() * 8 + rest.iter().position(|byte| is(*byte))?)
}

/// Whether a byte is a blank.
pub(super) fn is(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Sets the highest bit of the first byte that is zero. It may be set in later bytes as well, but
/// not in earlier ones.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(repeated(1)) & !word & repeated(0x80)
}

#[cfg(test)]
mod tests {
    use super::{find, is};
    use proptest::prelude::*;

    #[test]
    fn each_byte_is_found_at_each_place() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'x'; length];
                    text[place] = byte;
                    let expected = matches!(byte, b' ' | b'\t').then_some(place);
                    assert_eq!(find(&text), expected, "{text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_first_blank_is_found(text in proptest::collection::vec(
            prop_oneof![Just(b' '), Just(b'\t'), Just(b'!'), Just(b'\n'), any::<u8>()], 0..30,
        )) {
            prop_assert_eq!(find(&text), text.iter().position(|byte| is(*byte)));
        }
    }
}
