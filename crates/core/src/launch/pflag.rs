//! The rules by which pflag reads flags, with `SetInterspersed(false)`: the first
//! token that is neither a flag nor the value of one ends them.

use super::NotLaunch;
use crate::flags::{self, Flag};

/// What the flags of one command said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// How many tokens were flags, their values, and the `--` that ends them.
    pub(super) used: usize,
    /// Whether help was asked for and not taken back.
    pub(super) help: bool,
    /// The last `--oci`.
    pub(super) oci: Option<bool>,
}

/// Reads the flags at the start of `tokens`, for the command with the bit `command`.
pub(super) fn parse<A: AsRef<[u8]>>(tokens: &[A], command: u8) -> Result<Parsed, NotLaunch> {
    let mut parsed = Parsed::default();
    loop {
        let here = parsed.used;
        let taken = match tokens.get(here).map(AsRef::as_ref) {
            Some(b"--") => {
                parsed.used += 1;
                return Ok(parsed);
            }
            Some([b'-', b'-', name @ ..]) => parsed.long(name, command),
            Some([b'-', letters @ ..]) if !letters.is_empty() => parsed.group(letters, command),
            _ => return Ok(parsed),
        };
        parsed.used += 1;
        match taken.map_err(|e| e.shift(here))? {
            Takes::Nothing => {}
            Takes::Next if parsed.used < tokens.len() => parsed.used += 1,
            Takes::Next => return Err(NotLaunch::BadValue(here)),
        }
    }
}

/// Whether a flag takes the token after it.
enum Takes {
    Nothing,
    Next,
}

const UNKNOWN: NotLaunch = NotLaunch::UnknownFlag(0);
const BAD_VALUE: NotLaunch = NotLaunch::BadValue(0);

impl Parsed {
    /// `--name` or `--name=value`
    fn long(&mut self, text: &[u8], command: u8) -> Result<Takes, NotLaunch> {
        let (name, value) = split_value(text);
        match (flags::by_name(command, name), name) {
            (Some(flag), _) => match (flag.takes_value, value) {
                (true, Some(_)) => Ok(Takes::Nothing),
                (true, None) => Ok(Takes::Next),
                (false, value) => self.boolean(flag.long, value),
            },
            (None, b"help") => self.ask_help(value, command),
            (None, b"version") if command == flags::GLOBAL => Err(NotLaunch::Help),
            (None, _) => Err(UNKNOWN),
        }
    }

    /// `-a`, `-abc`, `-avalue`, `-a=value`
    fn group(&mut self, letters: &[u8], command: u8) -> Result<Takes, NotLaunch> {
        let mut rest = letters;
        while let [letter, more @ ..] = rest {
            // A `=` belongs to the letter before it only if something follows it.
            let value = more.strip_prefix(b"=").filter(|value| !value.is_empty());
            match flags::by_letter(command, *letter) {
                Some(flag) if flag.takes_value => {
                    return Ok(if more.is_empty() { Takes::Next } else { Takes::Nothing });
                }
                None if *letter != b'h' => return Err(UNKNOWN),
                known => {
                    match known {
                        Some(Flag { long, .. }) => self.boolean(long, value)?,
                        None => self.ask_help(value, command)?,
                    };
                    rest = if value.is_some() { &[] } else { more };
                }
            }
        }
        Ok(Takes::Nothing)
    }

    fn boolean(&mut self, name: &str, value: Option<&[u8]>) -> Result<Takes, NotLaunch> {
        let on = value.map_or(Some(true), parse_bool).ok_or(BAD_VALUE)?;
        // `--no-oci` needs no note: the runtimes refuse it together with OCI mode.
        if name == "oci" {
            self.oci = Some(on);
        }
        Ok(Takes::Nothing)
    }

    /// Before the subcommand even `--help=false` asks for help.
    fn ask_help(&mut self, value: Option<&[u8]>, command: u8) -> Result<Takes, NotLaunch> {
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

/// The words that Go's `strconv.ParseBool` knows.
pub(crate) fn parse_bool(value: &[u8]) -> Option<bool> {
    match value {
        b"1" | b"t" | b"T" | b"true" | b"TRUE" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"false" | b"FALSE" | b"False" => Some(false),
        _ => None,
    }
}
