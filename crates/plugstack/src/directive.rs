//! The lines of plugstack.conf, split by the rules of Slurm.
//!
//! `#` starts a comment. Blanks and tabs separate words. Only a line feed ends a line, so in a file
//! from Windows the last word keeps its carriage return. A line that is longer than Slurm's buffer
//! is read as several lines. Lines that Slurm ignores are left out.

/// The part of a line that Slurm reads at once, in bytes: `PATH_MAX` without the null byte.
const MAX_LINE: usize = 4095;

/// A line that Slurm does not ignore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// Read the files that match this pattern.
    Include(String),
    /// Load a plugin.
    Plugin {
        /// Whether jobs fail if the plugin cannot be loaded.
        required: bool,
        /// The path of the plugin, or its name in Slurm's plugin directory.
        plugin: String,
        /// The words after the plugin.
        arguments: Vec<String>,
    },
}

/// The directives in `text`, the content of a file, in order. Invalid UTF-8 in a word becomes
/// U+FFFD.
pub fn directives(text: &[u8]) -> impl Iterator<Item = Directive> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.flat_map(|line| line.chunks(MAX_LINE)).filter_map(directive)
}

fn directive(line: &[u8]) -> Option<Directive> {
    // Slurm handles the line as a C string, which ends at a null byte.
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
    use super::{Directive, MAX_LINE, directives};

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
    fn a_null_byte_ends_the_directive() {
        let expected = [plugin("a.so", &["b"]), plugin("d.so", &[])];
        assert_eq!(all("optional a.so b\0c\noptional d.so"), expected);
    }

    #[test]
    fn a_line_that_is_too_long_is_read_as_two() {
        let start = "optional a.so ";
        let fits = "x".repeat(MAX_LINE - start.len());
        assert_eq!(all(&format!("{start}{fits}\n")), [plugin("a.so", &[&fits])]);
        let expected = [plugin("a.so", &[&fits]), plugin("b.so", &[])];
        assert_eq!(all(&format!("{start}{fits}optional b.so")), expected);
    }

    #[test]
    fn lines_that_slurm_ignores() {
        for text in ["", "\n", "include", "optional", "Optional a.so", "# optional a.so", "a.so"] {
            assert_eq!(all(text), [], "{text}");
        }
        assert_eq!(all("include a b"), [Directive::Include("a".to_owned())]);
    }
}
