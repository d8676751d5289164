//! The runtime's configuration file as it reads it itself.
//!
//! Source: `parser.go` of `apptainerconf` and `singularityconf`: a directive may stand
//! several times, and each line may list several values, parted by commas.

/// All values of a directive.
pub(crate) fn values<'a>(text: &'a str, directive: &'a str) -> impl Iterator<Item = &'a str> {
    let of = move |line: &'a str| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == directive).then_some(value)
    };
    text.lines()
        .filter_map(of)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|v| !v.is_empty())
}

/// Whether a directive has this value; the first one counts.
pub(crate) fn is(text: &str, directive: &str, value: &str) -> bool {
    values(text, directive).next() == Some(value)
}

#[cfg(test)]
mod tests {
    use super::{is, values};

    #[test]
    fn directives() {
        let text = "# limit container paths = /no\n\
                    limit container paths = /a, /b\n \tlimit container paths=/c\n\
                    limit container paths =\nallow container sif = no\nallow container sif = yes";
        assert_eq!(values(text, "limit container paths").collect::<Vec<_>>(), ["/a", "/b", "/c"]);
        assert!(is(text, "allow container sif", "no"));
        assert!(!is(text, "oci mode", "yes"));
    }
}
