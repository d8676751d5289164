//! The settings of the site: the arguments of the plugin's line in plugstack.conf.
//!
//! ```text
//! optional spank_sifcache.so image_root=/local/sif:/shared/sif on_miss=warn
//! ```
//!
//! Strict: an unknown key, a bad value or a key given twice is an error that names
//! it and lists what is valid. There are no settings in effect then.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What the site has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The image roots in the order of look-up; absolute, at least one.
    pub image_roots: Vec<PathBuf>,
    /// What happens where a launch has no image.
    pub on_miss: OnMiss,
    /// How launches inside a job script are covered.
    pub nested: Nested,
    /// The names of the programs that count as a runtime.
    pub runtimes: Vec<String>,
    /// Whether images that ordinary users could have written are used.
    pub untrusted: Untrusted,
    /// How long an image root is waited for, before a launch goes on without it; none is for
    /// ever.
    pub patience: Option<Duration>,
    /// Where the line for each hit and miss goes.
    pub syslog: Syslog,
}

/// `on_miss=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMiss {
    /// Leave the command alone: the runtime pulls.
    Pull,
    /// The same, and tell the user.
    Warn,
    /// End the task with a message.
    Fail,
}

/// `nested=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nested {
    /// Shims in front of the job's `PATH`.
    Path,
    /// An interposer in the job's `LD_PRELOAD`.
    Preload,
    /// Only the task's own command is looked at.
    Off,
}

/// `untrusted=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrusted {
    /// An image that an ordinary user could have written is no image.
    Refuse,
    /// It is one.
    Accept,
}

/// `syslog=`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syslog {
    /// The facility, spelt as in syslog.conf(5).
    Facility(&'static str),
    /// No syslog.
    Off,
}

/// The facilities that a site may choose, as syslog.conf(5) spells them.
pub const FACILITIES: [&str; 18] = [
    "daemon", "user", "auth", "authpriv", "cron", "ftp", "lpr", "mail", "news", "uucp", "local0",
    "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The programs that count as a runtime if the site says nothing else.
const RUNTIMES: [&str; 2] = ["singularity", "apptainer"];

/// How long an image root is waited for if the site says nothing else. A user who watches
/// will wait that long, and no time limit of Slurm's is shorter than twice that.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most that a site can set, in seconds: a day.
const MOST_PATIENCE: u64 = 86_400;

/// Every key with its values, for messages.
pub const KEYS: [(&str, &str); 9] = [
    ("image_root", "DIR[:DIR...], absolute; a ':' within a path is written '\\:'"),
    ("singularity_image_root", "the same as image_root"),
    ("apptainer_image_root", "the same as image_root"),
    ("on_miss", "pull, warn, fail"),
    ("nested", "path, preload, off"),
    ("runtimes", "NAME[,NAME...], file names without a slash"),
    ("untrusted", "refuse, accept"),
    ("patience", "seconds from 1 to 86400, off"),
    (
        "syslog",
        "daemon, user, auth, authpriv, cron, ftp, lpr, mail, news, uucp, local0 to local7, off",
    ),
];

/// What is wrong with the plugin's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// An argument with control characters, or that is not UTF-8; escaped.
    NotText(String),
    /// An argument that is no `key=value`.
    NoValue(String),
    /// A key that does not exist.
    UnknownKey(String),
    /// A value that the key cannot take, and what it can.
    BadValue(&'static str, String, &'static str),
    /// A key that was given before.
    Twice(&'static str),
    /// No `image_root`.
    NoImageRoot,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = || KEYS.map(|(key, _)| key).join(", ");
        match self {
            Self::NotText(text) => write!(f, "'{text}' is not text"),
            Self::NoValue(text) => write!(f, "'{text}' is not KEY=VALUE; valid keys: {}", keys()),
            Self::UnknownKey(key) => write!(f, "unknown key '{key}'; valid keys: {}", keys()),
            Self::BadValue(key, value, valid) => {
                write!(f, "bad value '{value}' for {key}; valid: {valid}")
            }
            Self::Twice(key) => write!(f, "{key} is given twice"),
            Self::NoImageRoot => f.write_str("image_root=DIR[:DIR...] is required and missing"),
        }
    }
}

impl std::error::Error for Error {}

impl Settings {
    /// Settings with these image roots and the default for all else.
    #[must_use]
    pub fn with_roots(image_roots: Vec<PathBuf>) -> Self {
        Self {
            image_roots,
            on_miss: OnMiss::Pull,
            nested: Nested::Path,
            runtimes: RUNTIMES.map(str::to_owned).to_vec(),
            untrusted: Untrusted::Refuse,
            patience: Some(PATIENCE),
            syslog: Syslog::Facility(FACILITIES[0]),
        }
    }

    /// Reads the arguments that follow the plugin's name in plugstack.conf.
    ///
    /// # Errors
    /// The first argument that is wrong.
    pub fn parse<A: AsRef<[u8]>>(arguments: &[A]) -> Result<Self, Error> {
        let mut settings = Self::with_roots(Vec::new());
        let mut seen: Vec<&'static str> = Vec::new();
        for argument in arguments.iter().map(AsRef::as_ref) {
            let Some(argument) = without_line_end(argument) else { continue };
            let text = text(argument)?;
            let (key, value) =
                text.split_once('=').ok_or_else(|| Error::NoValue(text.to_owned()))?;
            let key = canonical_key(key)?;
            if seen.contains(&key) {
                return Err(Error::Twice(key));
            }
            seen.push(key);
            settings.set(key, value)?;
        }
        if settings.image_roots.is_empty() {
            return Err(Error::NoImageRoot);
        }
        Ok(settings)
    }

    fn set(&mut self, key: &'static str, value: &str) -> Result<(), Error> {
        let known = match key {
            "on_miss" => on_miss(value).map(|v| self.on_miss = v),
            "nested" => nested(value).map(|v| self.nested = v),
            "runtimes" => runtimes(value).map(|v| self.runtimes = v),
            "untrusted" => untrusted(value).map(|v| self.untrusted = v),
            "patience" => patience(value).map(|v| self.patience = v),
            "syslog" => syslog(value).map(|v| self.syslog = v),
            _ => roots(value).map(|v| self.image_roots = v),
        };
        let valid = || KEYS.iter().find(|(k, _)| *k == key).map_or("", |(_, valid)| *valid);
        known.ok_or_else(|| Error::BadValue(key, value.to_owned(), valid()))
    }
}

/// The argument without the carriage return that Slurm leaves at the end of a line of a file
/// with the line ends of Windows; nothing if there is nothing else.
fn without_line_end(argument: &[u8]) -> Option<&[u8]> {
    match argument.strip_suffix(b"\r") {
        Some(b"") => None,
        Some(argument) => Some(argument),
        None => Some(argument),
    }
}

/// The argument as text. U+FFFD stands where somebody has taken bytes for text that
/// were none, so it counts as such.
fn text(bytes: &[u8]) -> Result<&str, Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control() || c == '\u{fffd}') => Ok(text),
        _ => Err(Error::NotText(bytes.escape_ascii().to_string())),
    }
}

fn canonical_key(key: &str) -> Result<&'static str, Error> {
    match key {
        "singularity_image_root" | "apptainer_image_root" => Ok("image_root"),
        _ => KEYS
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(known, _)| *known)
            .ok_or_else(|| Error::UnknownKey(key.to_owned())),
    }
}

/// `DIR[:DIR…]`, each absolute and without `.` or `..`.
fn roots(value: &str) -> Option<Vec<PathBuf>> {
    split_roots(value).iter().map(|directory| root(directory)).collect()
}

/// Splits `DIR[:DIR…]`. A colon with a backslash before it is one of the path's own.
#[must_use]
pub fn split_roots(value: &str) -> Vec<String> {
    let mut roots = vec![String::new()];
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let is_escape = character == '\\' && characters.peek() == Some(&':');
        match (character, roots.last_mut()) {
            (':', _) => roots.push(String::new()),
            (_, Some(last)) => last.push(if is_escape { ':' } else { character }),
            (_, None) => {}
        }
        if is_escape {
            characters.next();
        }
    }
    roots
}

/// The opposite of [`split_roots`], for one directory.
#[must_use]
pub fn escape_root(directory: &str) -> String {
    directory.replace(':', "\\:")
}

fn root(directory: &str) -> Option<PathBuf> {
    let plain = |component: &str| component != "." && component != "..";
    let good = directory.starts_with('/') && directory.split('/').all(plain);
    // Collected from its components, so that no slash is doubled or at the end.
    good.then(|| PathBuf::from(directory).components().collect())
}

fn on_miss(value: &str) -> Option<OnMiss> {
    match value {
        "pull" => Some(OnMiss::Pull),
        "warn" => Some(OnMiss::Warn),
        "fail" => Some(OnMiss::Fail),
        _ => None,
    }
}

fn nested(value: &str) -> Option<Nested> {
    match value {
        "path" => Some(Nested::Path),
        "preload" => Some(Nested::Preload),
        "off" => Some(Nested::Off),
        _ => None,
    }
}

fn runtimes(value: &str) -> Option<Vec<String>> {
    let good = |name: &str| !name.is_empty() && !name.contains('/');
    value.split(',').map(|name| good(name).then(|| name.to_owned())).collect()
}

fn untrusted(value: &str) -> Option<Untrusted> {
    match value {
        "refuse" => Some(Untrusted::Refuse),
        "accept" => Some(Untrusted::Accept),
        _ => None,
    }
}

fn patience(value: &str) -> Option<Option<Duration>> {
    if value == "off" {
        return Some(None);
    }
    // Not what only Rust's numbers can be: `+30`.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds =
        value.parse().ok().filter(|seconds| digits && (1..=MOST_PATIENCE).contains(seconds));
    seconds.map(|seconds| Some(Duration::from_secs(seconds)))
}

fn syslog(value: &str) -> Option<Syslog> {
    let facility = FACILITIES.iter().find(|facility| **facility == value);
    match value {
        "off" => Some(Syslog::Off),
        _ => facility.map(|facility| Syslog::Facility(facility)),
    }
}

#[cfg(test)]
mod tests;
