//! Command lines for people: one that a shell would read back as the same words.

use std::borrow::Cow;

/// Joins words, quoted where a shell needs it.
pub(crate) fn quoted<A: AsRef<[u8]>>(words: &[A]) -> String {
    let quote = |word: &A| -> String {
        let word = word.as_ref();
        // Fails only for a null byte, which no argument can have.
        let quoted = shlex::bytes::try_quote(word).unwrap_or(Cow::Borrowed(word));
        String::from_utf8_lossy(&quoted).into_owned()
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn as_a_shell_reads_it() {
        assert_eq!(quoted(&["a", "b c", "", "it's"]), r#"a 'b c' '' "it's""#);
        assert_eq!(quoted(&["/sif/o/i:1"]), "/sif/o/i:1");
    }
}
