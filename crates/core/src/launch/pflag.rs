//! Parses flags by the rules of pflag with `SetInterspersed(false)`: the first token that is
//! neither a flag nor the value of one ends the flags.

use super::NotLaunch;
use crate::flags::{self, Flag};

/// The parsed flags of one command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The number of tokens that are flags, their values, or the `--` that ends the flags.
    pub(super) used: usize,
    /// Whether help is requested; the last help flag counts.
    pub(super) help: bool,
    /// The value of the last `--oci`.
    pub(super) oci: Option<bool>,
}

/// Parses the flags at the start of `tokens`. `command` is one of the constants in
/// [`flags`].
pub(super) fn parse<A: AsRef<[u8]>>(tokens: &[A], command: u8) -> Result<Parsed, NotLaunch> {
    let mut parsed = Parsed::default();
    loop {
        let index = parsed.used;
        let takes = match tokens.get(index).map(AsRef::as_ref) {
            Some(b"--") => {
                parsed.used += 1;
                return Ok(parsed);
            }
            Some([b'-', b'-', name @ ..]) => parsed.long(name, command),
            Some([b'-', letters @ ..]) if !letters.is_empty() => parsed.group(letters, command),
            _ => return Ok(parsed),
        };
        parsed.used += 1;
        match takes.map_err(|e| e.shift(index))? {
            Takes::Nothing => {}
            Takes::Next if parsed.used < tokens.len() => parsed.used += 1,
            Takes::Next => return Err(NotLaunch::BadValue(index)),
        }
    }
}

/// Whether a flag takes the next token as its value.
enum Takes {
    Nothing,
    Next,
}

const UNKNOWN: NotLaunch = NotLaunch::UnknownFlag(0);
const BAD_VALUE: NotLaunch = NotLaunch::BadValue(0);

impl Parsed {
    /// Parses `--name` or `--name=value`; `text` is the part after the `--`.
    fn long(&mut self, text: &[u8], command: u8) -> Result<Takes, NotLaunch> {
        let (name, value) = split_value(text);
        match (flags::by_name(command, name), name) {
            (Some(flag), _) => match (flag.takes_value, value) {
                (true, Some(_)) => Ok(Takes::Nothing),
                (true, None) => Ok(Takes::Next),
                (false, value) => self.boolean(flag.long, value),
            },
            (None, b"help") => self.request_help(value, command),
            (None, b"version") if command == flags::GLOBAL => Err(NotLaunch::Help),
            (None, _) => Err(UNKNOWN),
        }
    }

    /// Parses `-a`, `-abc`, `-avalue` or `-a=value`; `letters` is the part after the `-`.
    fn group(&mut self, letters: &[u8], command: u8) -> Result<Takes, NotLaunch> {
        let mut rest = letters;
        while let [letter, more @ ..] = rest {
            // A `=` introduces a value only if something follows it.
            let value = more.strip_prefix(b"=").filter(|value| !value.is_empty());
            match flags::by_letter(command, *letter) {
                Some(flag) if flag.takes_value => {
                    return Ok(if more.is_empty() { Takes::Next } else { Takes::Nothing });
                }
                None if *letter != b'h' => return Err(UNKNOWN),
                known => {
                    match known {
                        Some(Flag { long, .. }) => self.boolean(long, value)?,
                        None => self.request_help(value, command)?,
                    };
                    rest = if value.is_some() { &[] } else { more };
                }
            }
        }
        Ok(Takes::Nothing)
    }

    fn boolean(&mut self, name: &str, value: Option<&[u8]>) -> Result<Takes, NotLaunch> {
        let on = value.map_or(Some(true), parse_bool).ok_or(BAD_VALUE)?;
        // `--no-oci` can be ignored: the runtimes refuse it together with OCI mode.
        if name == "oci" {
            self.oci = Some(on);
        }
        Ok(Takes::Nothing)
    }

    /// Records a request for help. Before the subcommand, even `--help=false` requests help.
    fn request_help(&mut self, value: Option<&[u8]>, command: u8) -> Result<Takes, NotLaunch> {
        if command == flags::GLOBAL {
            return Err(NotLaunch::Help);
        }
        self.help = value.map_or(Some(true), parse_bool).ok_or(BAD_VALUE)?;
        Ok(Takes::Nothing)
    }
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
