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

/// The result of a pull.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pull<'a> {
    pub(crate) image: usize,
    pub(crate) file: Option<&'a [u8]>,
    pub(crate) dir: Option<&'a [u8]>,
    pub(crate) force: bool,
}

/// Parses a command line of `singularity` or `apptainer`.
pub(crate) fn read(words: &[&[u8]]) -> Meaning {
    launch(words).unwrap_or(Meaning::Other)
}

/// Parses a pull whose result only depends on the image, without variables in the environment.
pub(crate) fn pull<'a>(words: &[&'a [u8]]) -> Option<Pull<'a>> {
    let (globals, rest) = subcommand(words)?;
    let configuration = |word: &&[u8]| {
        let text = String::from_utf8_lossy(word);
        let long = text.starts_with("--config") || text.starts_with("--build-config");
        long || text.starts_with("--tokenfile")
    };
    // A group of letters ends at a `=` or with the first letter that takes a value.
    let letters = words[1..=globals].iter().any(|word| {
        let group = word.split(|byte| *byte == b'=').next().unwrap_or_default();
        !group.starts_with(b"--") && group.iter().any(|letter| matches!(letter, b'c' | b't'))
    });
    let [b"pull", arguments @ ..] = rest else { return None };
    let flags = flags("pull", arguments)?;
    let before = &words[1..=globals];
    if flags.help || flags.altering || letters || before.iter().any(configuration) {
        return None;
    }
    let not_empty = |value: &&[u8]| !value.is_empty();
    let argument = match arguments[flags.used..] {
        [_] => None,
        [file, _] => Some(file),
        _ => return None,
    };
    let file = flags.name.filter(not_empty).or(argument);
    if file == Some(b"") {
        return None;
    }
    let dir = flags.dir.filter(not_empty);
    Some(Pull { image: words.len() - 1, file, dir, force: flags.force })
}

fn launch(words: &[&[u8]]) -> Option<Meaning> {
    let (globals, rest) = subcommand(words)?;
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

/// The number of global flags and values, and the words from the subcommand on.
fn subcommand<'w, 'a>(words: &'w [&'a [u8]]) -> Option<(usize, &'w [&'a [u8]])> {
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
    Some((globals, rest))
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
struct Flags<'a> {
    used: usize,
    help: bool,
    oci: Option<bool>,
    name: Option<&'a [u8]>,
    dir: Option<&'a [u8]>,
    force: bool,
    /// Whether a flag may change the image that is pulled.
    altering: bool,
}

/// The flags that do not change the image that is pulled.
const HARMLESS: [&str; 9] = [
    "--allow-unauthenticated",
    "--dir",
    "--docker-host",
    "--force",
    "--help",
    "--library",
    "--name",
    "--tmpdir",
    "-F",
];

/// pflag's `parseArgs`. `None` if it stops with an error, or to print help.
fn flags<'a>(command: &str, words: &[&'a [u8]]) -> Option<Flags<'a>> {
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
            let value = words.get(flags.used)?;
            flags.value(&String::from_utf8_lossy(word), value);
            flags.used += 1;
        }
    }
    Some(flags)
}

impl<'a> Flags<'a> {
    /// Parses a long flag. Returns whether it takes the next word as its value.
    fn long(&mut self, command: &str, text: &'a [u8]) -> Option<bool> {
        let (name, value) = match text.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&text[..equals], Some(&text[equals + 1..])),
            None => (text, None),
        };
        self.flag(command, &format!("--{}", String::from_utf8_lossy(name)), value)
    }

    fn shorts(&mut self, command: &str, letters: &'a [u8]) -> Option<bool> {
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

    /// Records the value of a flag. The name and the directory have no letters.
    fn value(&mut self, spelling: &str, value: &'a [u8]) {
        match spelling {
            "--name" => self.name = Some(value),
            "--dir" => self.dir = Some(value),
            _ => {}
        }
    }

    fn flag(&mut self, command: &str, spelling: &str, value: Option<&'a [u8]>) -> Option<bool> {
        self.altering |= !HARMLESS.contains(&spelling) && spelling != "-h";
        match FLAGS.get(&format!("{command} {spelling}")) {
            Some(true) => {
                if let Some(value) = value {
                    self.value(spelling, value);
                }
                Some(value.is_none())
            }
            Some(false) => {
                let on = boolean(value)?;
                self.force = if matches!(spelling, "--force" | "-F") { on } else { self.force };
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
