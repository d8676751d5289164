//! A second implementation of `docs/launch-grammar.md`. Like cobra and pflag, it works token by
//! token, and it looks up the flags in `runtime-flags.tsv`. It shares no code with the plugin.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Maps each flag with its command, such as `exec --bind` or `exec -B`, to whether it takes a
/// value.
static FLAGS: LazyLock<HashMap<String, bool>> = LazyLock::new(|| {
    let mut flags = HashMap::new();
    for row in include_str!("../../../crates/core/runtime-flags.tsv").lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        for command in cells[5].split(',') {
            for spelling in cells[1..3].iter().filter(|spelling| **spelling != "-") {
                flags.insert(format!("{command} {spelling}"), cells[3] == "yes");
            }
        }
    }
    flags
});

/// The meaning of a command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Launch { image: usize, oci: Option<bool> },
    Other,
}

/// Parses a command line of `singularity` or `apptainer`.
pub(crate) fn read(words: &[&[u8]]) -> Meaning {
    launch(words).unwrap_or(Meaning::Other)
}

fn launch(words: &[&[u8]]) -> Option<Meaning> {
    let name = words.first()?.rsplit(|byte| *byte == b'/').next()?;
    if !matches!(name, b"singularity" | b"apptainer") {
        return None;
    }
    let globals = traverse(&words[1..]);
    let (before, rest) = words[1..].split_at(globals);
    // pflag would stop there, too, but nobody writes such a command line. In case of doubt, the
    // command passes.
    if before.contains(&b"--".as_slice()) || flags("global", before)?.used != globals {
        return None;
    }
    let (command, length, least) = match rest {
        [b"run", ..] => ("run", 1, 1),
        [b"exec", ..] => ("exec", 1, 2),
        [b"shell", ..] => ("shell", 1, 1),
        [b"test", ..] => ("test", 1, 1),
        [b"instance", b"start", ..] => ("instance start", 2, 2),
        [b"instance", b"run", ..] => ("instance run", 2, 2),
        _ => return None,
    };
    let flags = flags(command, &rest[length..])?;
    let image = 1 + globals + length + flags.used;
    let enough = words.len() >= image + least;
    (enough && !flags.help).then_some(Meaning::Launch { image, oci: flags.oci })
}

/// The number of words that cobra's `Traverse` counts as flags and their values.
fn traverse(words: &[&[u8]]) -> usize {
    let is_boolean = |flag: &str| FLAGS.get(&format!("global {flag}")) == Some(&false);
    let mut in_flag = false;
    for (index, word) in words.iter().enumerate() {
        let text = String::from_utf8_lossy(word);
        if text.starts_with("--") && !text.contains('=') {
            in_flag = !is_boolean(&text);
        } else if word.len() == 2 && text.starts_with('-') && text != "-=" && !is_boolean(&text) {
            in_flag = true;
        } else if in_flag {
            in_flag = false;
        } else if !text.starts_with('-') || word.len() < 2 {
            return index;
        }
    }
    words.len()
}

/// The flags at the start of some words.
#[derive(Default)]
struct Flags {
    used: usize,
    help: bool,
    oci: Option<bool>,
}

/// pflag's `parseArgs`. `None` if it stops with an error, or to print help.
fn flags(command: &str, words: &[&[u8]]) -> Option<Flags> {
    let mut flags = Flags::default();
    while let Some(word) = words.get(flags.used) {
        if !word.starts_with(b"-") || *word == b"-" {
            break;
        }
        flags.used += 1;
        if *word == b"--" {
            break;
        }
        let takes_next = match word.strip_prefix(b"--") {
            Some(long) => flags.long(command, long)?,
            None => flags.shorts(command, &word[1..])?,
        };
        if takes_next {
            words.get(flags.used)?;
            flags.used += 1;
        }
    }
    Some(flags)
}

impl Flags {
    /// Parses a long flag. Returns whether it takes the next word as its value.
    fn long(&mut self, command: &str, text: &[u8]) -> Option<bool> {
        let (name, value) = match text.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&text[..equals], Some(&text[equals + 1..])),
            None => (text, None),
        };
        self.flag(command, &format!("--{}", String::from_utf8_lossy(name)), value)
    }

    fn shorts(&mut self, command: &str, letters: &[u8]) -> Option<bool> {
        let (letter, rest) = letters.split_first()?;
        let spelling = format!("-{}", char::from(*letter));
        let takes_value = FLAGS.get(&format!("{command} {spelling}")) == Some(&true);
        let attached = match rest {
            [b'=', value @ ..] if !value.is_empty() => Some(value),
            [] => None,
            _ if takes_value => Some(rest),
            _ => None,
        };
        let takes_next = self.flag(command, &spelling, attached)?;
        match attached.is_some() || rest.is_empty() {
            true => Some(takes_next),
            false => self.shorts(command, rest),
        }
    }

    fn flag(&mut self, command: &str, spelling: &str, value: Option<&[u8]>) -> Option<bool> {
        match FLAGS.get(&format!("{command} {spelling}")) {
            Some(true) => Some(value.is_none()),
            Some(false) => {
                let on = boolean(value)?;
                self.oci = if spelling == "--oci" { Some(on) } else { self.oci };
                Some(false)
            }
            None if command != "global" && matches!(spelling, "-h" | "--help") => {
                self.help = boolean(value)?;
                Some(false)
            }
            None => None,
        }
    }
}

/// Go's `ParseBool`; a flag without a value is true.
fn boolean(value: Option<&[u8]>) -> Option<bool> {
    match value {
        None | Some(b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True") => Some(true),
        Some(b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False") => Some(false),
        Some(_) => None,
    }
}
