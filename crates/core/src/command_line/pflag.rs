//! Parses flags by the rules of pflag with `SetInterspersed(false)`: the first token that is
//! neither a flag nor the value of one ends the flags.

use super::NotServed;
use crate::flags::{self, Flag};

/// The parsed flags of one command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The number of tokens that are flags, their values, or the `--` that ends the flags.
    pub(crate) used: usize,
    /// Whether help is requested; the last help flag counts.
    pub(crate) help: bool,
}

/// The value of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given<'a> {
    /// The value of a boolean flag.
    Bool(bool),
    /// The value of any other flag.
    Text(&'a [u8]),
}

/// Receives each flag with its value and the index of its token, in the order of the tokens.
pub(crate) type Set<'a, 'b> = dyn FnMut(&'static Flag, Given<'a>, usize) + 'b;

/// Parses the flags at the start of `tokens`. `command` is one of the constants in
/// [`flags`].
pub(crate) fn parse<'a, A: AsRef<[u8]>>(
    tokens: &'a [A],
    command: u16,
    set: &mut Set<'a, '_>,
) -> Result<Parsed, NotServed> {
    let mut parsed = Parsed::default();
    loop {
        let here = parsed.used;
        let set = &mut |flag: &'static Flag, given: Given<'a>| set(flag, given, here);
        let taken = match tokens.get(here).map(AsRef::as_ref) {
            Some(b"--") => {
                parsed.used += 1;
                return Ok(parsed);
            }
            Some([b'-', b'-', name @ ..]) => parsed.long(name, command, set),
            Some([b'-', letters @ ..]) if !letters.is_empty() => {
                parsed.group(letters, command, set)
            }
            _ => return Ok(parsed),
        };
        parsed.used += 1;
        match taken.map_err(|e| e.shift(here))? {
            Takes::Nothing => {}
            Takes::Next(flag) => {
                let value = tokens.get(parsed.used).ok_or(NotServed::BadValue(here))?;
                set(flag, Given::Text(value.as_ref()));
                parsed.used += 1;
            }
        }
    }
}

/// Whether a flag takes the next token as its value.
enum Takes {
    Nothing,
    Next(&'static Flag),
}

const UNKNOWN: NotServed = NotServed::UnknownFlag(0);
const BAD_VALUE: NotServed = NotServed::BadValue(0);

impl Parsed {
    /// Parses `--name` or `--name=value`; `text` is the part after the `--`.
    fn long<'a>(
        &mut self,
        text: &'a [u8],
        command: u16,
        set: &mut dyn FnMut(&'static Flag, Given<'a>),
    ) -> Result<Takes, NotServed> {
        let (name, value) = split_value(text);
        match (flags::by_name(command, name), name) {
            (Some(flag), _) => match (flag.takes_value, value) {
                (true, Some(value)) => {
                    set(flag, Given::Text(value));
                    Ok(Takes::Nothing)
                }
                (true, None) => Ok(Takes::Next(flag)),
                (false, value) => {
                    set(flag, Given::Bool(boolean(value)?));
                    Ok(Takes::Nothing)
                }
            },
            (None, b"help") => self.request_help(value, command),
            (None, b"version") if command == flags::GLOBAL => Err(NotServed::Help),
            (None, _) => Err(UNKNOWN),
        }
    }

    /// Parses `-a`, `-abc`, `-avalue` or `-a=value`; `letters` is the part after the `-`.
    fn group<'a>(
        &mut self,
        letters: &'a [u8],
        command: u16,
        set: &mut dyn FnMut(&'static Flag, Given<'a>),
    ) -> Result<Takes, NotServed> {
        let mut rest = letters;
        while let [letter, more @ ..] = rest {
            // An `=` introduces a value only if something follows it.
            let value = more.strip_prefix(b"=").filter(|value| !value.is_empty());
            match flags::by_letter(command, *letter) {
                Some(flag) if flag.takes_value => {
                    if more.is_empty() {
                        return Ok(Takes::Next(flag));
                    }
                    set(flag, Given::Text(value.unwrap_or(more)));
                    return Ok(Takes::Nothing);
                }
                Some(flag) => set(flag, Given::Bool(boolean(value)?)),
                None if *letter == b'h' => {
                    self.request_help(value, command)?;
                }
                None => return Err(UNKNOWN),
            }
            rest = if value.is_some() { &[] } else { more };
        }
        Ok(Takes::Nothing)
    }

    /// Records a request for help. Before the subcommand, even `--help=false` requests help.
    fn request_help(&mut self, value: Option<&[u8]>, command: u16) -> Result<Takes, NotServed> {
        if command == flags::GLOBAL {
            return Err(NotServed::Help);
        }
        self.help = boolean(value)?;
        Ok(Takes::Nothing)
    }
}

/// The value of a boolean flag; without a value it is true.
fn boolean(value: Option<&[u8]>) -> Result<bool, NotServed> {
    value.map_or(Some(true), parse_bool).ok_or(BAD_VALUE)
}

/// Splits `name=value` at the first `=`.
fn split_value(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |byte| *byte == b'=');
    (parts.next().unwrap_or_default(), parts.next())
}

/// Parses the words that Go's `strconv.ParseBool` accepts.
pub(crate) fn parse_bool(value: &[u8]) -> Option<bool> {
    match value {
        b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, parse};
    use crate::flags;

    #[test]
    fn values() {
        for (line, expected) in [
            ("-B/b", "/b"),
            ("-B=/b", "/b"),
            ("-B=", "="),
            ("-B /b", "/b"),
            ("-TB/b", "true /b"),
            ("-TB=/b", "true /b"),
            ("-TsB /b", "true true /b"),
            ("-T=0", "false"),
            ("--bind=/b", "/b"),
            ("--bind==", "="),
            ("--bind=", ""),
            ("--bind /b", "/b"),
            ("--notest=F -- -B x", "false"),
        ] {
            let tokens: Vec<&str> = line.split(' ').collect();
            let mut found: Vec<String> = Vec::new();
            parse(&tokens, flags::BUILD, &mut |_, given, _| match given {
                Given::Bool(on) => found.push(on.to_string()),
                Given::Text(text) => found.push(String::from_utf8(text.to_vec()).unwrap()),
            })
            .unwrap();
            assert_eq!(found.join(" "), expected, "{line}");
        }
    }
}
