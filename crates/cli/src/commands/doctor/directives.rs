//! Parses the runtime's configuration file as the runtime does.
//!
//! Source: `parser.go` of `apptainerconf` and `singularityconf`: a directive may occur several
//! times, and each line may list several values, separated by commas.

/// All values of a directive, in order, without empty ones.
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

/// Whether the first value of a directive is `value`; later values are ignored.
pub(crate) fn is(text: &str, directive: &str, value: &str) -> bool {
    values(text, directive).next() == Some(value)
}

#[cfg(test)]
mod tests {
    use super::{is, values};

    #[test]
    fn all_values_are_listed_and_the_first_one_is_compared() {
        let text = "# limit container paths = /no\n\
                    limit container paths = /a, /b\n \tlimit container paths=/c\n\
                    limit container paths =\nallow container sif = no\nallow container sif = yes";
        assert_eq!(values(text, "limit container paths").collect::<Vec<_>>(), ["/a", "/b", "/c"]);
        assert!(is(text, "allow container sif", "no"));
        assert!(!is(text, "oci mode", "yes"));
    }
}
