//! Quotes command lines, so that a shell would parse them into the same arguments.

use std::borrow::Cow;

/// Joins arguments, and quotes those that need it.
pub(crate) fn quoted<A: AsRef<[u8]>>(words: &[A]) -> String {
    let quote = |word: &A| -> String {
        let word = word.as_ref();
        // Fails only for a null byte, which an argument cannot contain.
        let quoted = shlex::bytes::try_quote(word).unwrap_or(Cow::Borrowed(word));
        String::from_utf8_lossy(&quoted).into_owned()
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(quoted(&["a", "b c", "", "it's"]), r#"a 'b c' '' "it's""#);
        assert_eq!(quoted(&["/sif/o/i:1"]), "/sif/o/i:1");
    }
}
