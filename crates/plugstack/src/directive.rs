//! The lines of plugstack.conf, split as Slurm splits them.
//!
//! `#` starts a comment and words are parted by blanks and tabs. A line ends with a line
//! feed alone, so that in a file from Windows the last word keeps its carriage return, and
//! after as many bytes as Slurm's buffer takes. What Slurm ignores is left out.

/// As much of a line as Slurm reads at once: `PATH_MAX` less the null byte.
const LONGEST: usize = 4095;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// Read the files that this pattern finds.
    Include(String),
    /// Load a plugin.
    Plugin {
        /// Whether jobs fail without it.
        required: bool,
        /// A path, or a name in Slurm's plugin directory.
        plugin: String,
        /// What follows.
        arguments: Vec<String>,
    },
}

/// The directives of a file, in their order.
pub fn directives(text: &[u8]) -> impl Iterator<Item = Directive> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.flat_map(|line| line.chunks(LONGEST)).filter_map(directive)
}

fn directive(line: &[u8]) -> Option<Directive> {
    // To C a text ends with a null byte.
    let line = line.split(|byte| matches!(byte, b'#' | 0)).next()?;
    let words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\n'));
    let mut words = words.filter(|word| !word.is_empty());
    let kind = words.next()?;
    let mut words = words.map(|word| String::from_utf8_lossy(word).into_owned());
    let first = words.next()?;
    match kind {
        b"include" => Some(Directive::Include(first)),
        b"required" | b"optional" => Some(Directive::Plugin {
            required: kind == b"required",
            plugin: first,
            arguments: words.collect(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Directive, LONGEST, directives};

    fn plugin(plugin: &str, arguments: &[&str]) -> Directive {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Directive::Plugin { required: false, plugin: plugin.to_owned(), arguments }
    }

    fn all(text: &str) -> Vec<Directive> {
        directives(text.as_bytes()).collect()
    }

    #[test]
    fn only_a_line_feed_ends_a_line() {
        assert_eq!(all("optional a.so b\r\nx"), [plugin("a.so", &["b\r"])]);
        assert_eq!(all("optional a.so b\u{b}c\n"), [plugin("a.so", &["b\u{b}c"])]);
    }

    #[test]
    fn a_null_byte_ends_what_c_sees_of_a_line() {
        let expected = [plugin("a.so", &["b"]), plugin("d.so", &[])];
        assert_eq!(all("optional a.so b\0c\noptional d.so"), expected);
    }

    #[test]
    fn a_line_that_is_too_long_goes_on_as_another() {
        let start = "optional a.so ";
        let fits = "x".repeat(LONGEST - start.len());
        assert_eq!(all(&format!("{start}{fits}\n")), [plugin("a.so", &[&fits])]);
        let expected = [plugin("a.so", &[&fits]), plugin("b.so", &[])];
        assert_eq!(all(&format!("{start}{fits}optional b.so")), expected);
    }

    #[test]
    fn what_slurm_ignores() {
        for text in ["", "\n", "include", "optional", "Optional a.so", "# optional a.so", "a.so"] {
            assert_eq!(all(text), [], "{text}");
        }
        assert_eq!(all("include a b"), [Directive::Include("a".to_owned())]);
    }
}
