//! The settings of the site: the arguments of the plugin's line in plugstack.conf.
//!
//! ```text
//! optional spank_sifcache.so image_root=/local/sif:/shared/sif on_miss=warn
//! ```
//!
//! Parsing is strict: an unknown key, an invalid value or a duplicate key is an error that names
//! it. For an unknown key or an invalid value, the error also lists the valid ones. The plugin is
//! then inactive.

mod compression;
mod facility;
mod filler;
mod key;
mod on_miss;

pub use compression::{Algorithm, Compression};
pub use facility::{facilities, facility_code};
pub use filler::Filler;
pub use key::Key;
pub use on_miss::{DEFAULT_WAIT, OnMiss};

use crate::layout::{ForeignRoot, Layout};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The image roots of sifcache's own layout in lookup order: absolute paths. Commands change
    /// images only there.
    pub image_roots: Vec<PathBuf>,
    /// The image roots that other tools fill, in lookup order. The site has at least one root of
    /// either kind.
    pub foreign_roots: Vec<ForeignRoot>,
    /// How a miss is handled, after the wait if there is one.
    pub on_miss: OnMiss,
    /// How long a command waits for a missing image to be added; `None` if it does not wait.
    pub wait: Option<Duration>,
    /// How launches inside a job script are handled.
    pub nested: Nested,
    /// The file names of the container runtimes.
    pub runtimes: Vec<String>,
    /// Whether images that ordinary users could have written are used.
    pub untrusted: Untrusted,
    /// How long a launch waits for an image root that does not answer; `None` means no limit.
    pub lookup_timeout: Option<Duration>,
    /// The destination of the log line for each hit and miss.
    pub syslog: Syslog,
    /// How a `pull` of an image in the cache is answered, and whether a `build` uses the image.
    pub pull: Pull,
    /// How the command compresses the images that it builds itself. The plugin ignores it.
    pub compression: Compression,
    /// The listener of `sifcache fill`, to which jobs send misses and `sifcache request` sends
    /// requests. `None` means that both are only logged to syslog.
    pub filler: Option<Filler>,
}

/// How launches inside a job script are handled: the values of `nested=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nested {
    /// The directories of the shims are in front of the job's `PATH`.
    Path,
    /// The interposer is in the job's `LD_PRELOAD`.
    Preload,
    /// Launches inside a job script are not handled, only the task's own command is.
    Off,
}

/// Whether untrusted images are used: the values of `untrusted=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrusted {
    /// An image that an ordinary user could have written is not used.
    Refuse,
    /// An image is used no matter who could have written it.
    Accept,
}

/// The destination of log lines: the values of `syslog=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syslog {
    /// Log lines go to this facility, spelt as in syslog.conf(5).
    Facility(&'static str),
    /// No log lines are sent.
    Off,
}

/// How a `pull` of an image in the cache is answered: the values of `pull=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// The image is copied to the file that the runtime would write.
    Copy,
    /// The file that the runtime would write is a symbolic link to the image's name by digest.
    Link,
    /// The runtime pulls the image from its registry, also for a `build`.
    Off,
}

/// The default of `syslog=`.
const DEFAULT_FACILITY: &str = "daemon";

/// The default of `runtimes=`.
const RUNTIMES: [&str; 2] = ["singularity", "apptainer"];

/// The default of `lookup_timeout=`. It is half of Slurm's default `UnkillableStepTimeout`: a task that
/// cannot be killed within that time drains its node.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time of any setting, in seconds: a day.
const MAX_SECONDS: u64 = 86_400;

/// Why the plugin's line is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// An argument is not UTF-8, or has control characters or U+FFFD; the value is the argument,
    /// escaped.
    NotText(String),
    /// An argument is not `KEY=VALUE`; the value is the argument.
    NoValue(String),
    /// A key does not exist.
    UnknownKey(String),
    /// A value is invalid for the key.
    BadValue(Key, String),
    /// A key is given more than once, possibly under different names.
    Twice(Key),
    /// The required `image_root` is missing.
    NoImageRoot,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = || {
            let spellings = |key: &Key| [&[key.name()], key.aliases()].concat();
            Key::ALL.iter().flat_map(spellings).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::NotText(text) => write!(f, "'{text}' is not printable UTF-8 text"),
            Self::NoValue(text) => write!(f, "'{text}' is not KEY=VALUE; valid keys: {}", keys()),
            Self::UnknownKey(key) => write!(f, "unknown key '{key}'; valid keys: {}", keys()),
            Self::BadValue(key, value) => {
                write!(f, "invalid value '{value}' for {key}; valid values: {}", key.values())
            }
            Self::Twice(key) => write!(f, "{key} is given more than once"),
            Self::NoImageRoot => f.write_str("the required image_root=DIR[:DIR...] is missing"),
        }
    }
}

impl std::error::Error for Error {}

impl Settings {
    /// Settings with these image roots and the defaults of all other settings.
    #[must_use]
    pub fn with_roots(image_roots: Vec<PathBuf>) -> Self {
        Self {
            image_roots,
            foreign_roots: Vec::new(),
            on_miss: OnMiss::Pull,
            wait: None,
            nested: Nested::Path,
            runtimes: RUNTIMES.iter().map(|name| (*name).to_owned()).collect(),
            untrusted: Untrusted::Refuse,
            lookup_timeout: Some(LOOKUP_TIMEOUT),
            syslog: Syslog::Facility(DEFAULT_FACILITY),
            pull: Pull::Copy,
            compression: Compression::DEFAULT,
            filler: None,
        }
    }

    /// Parses the arguments that follow the plugin's name in plugstack.conf, one per element.
    ///
    /// # Errors
    /// An argument is invalid, or `image_root` is missing. The error is about the first invalid
    /// argument.
    pub fn parse<A: AsRef<[u8]>>(arguments: &[A]) -> Result<Self, Error> {
        let mut settings = Self::with_roots(Vec::new());
        let mut seen: Vec<Key> = Vec::new();
        for argument in arguments.iter().map(AsRef::as_ref) {
            let Some(argument) = without_line_end(argument) else { continue };
            let text = text(argument)?;
            let (key, value) =
                text.split_once('=').ok_or_else(|| Error::NoValue(text.to_owned()))?;
            let key = Key::named(key).ok_or_else(|| Error::UnknownKey(key.to_owned()))?;
            if seen.contains(&key) {
                return Err(Error::Twice(key));
            }
            seen.push(key);
            settings.set(key, value)?;
        }
        if settings.search_path().next().is_none() {
            return Err(Error::NoImageRoot);
        }
        Ok(settings)
    }

    fn set(&mut self, key: Key, value: &str) -> Result<(), Error> {
        let valid = match key {
            Key::ImageRoot => self.set_roots(value),
            Key::OnMiss => on_miss::parse(value).map(|v| (self.on_miss, self.wait) = v),
            Key::Nested => nested(value).map(|v| self.nested = v),
            Key::Runtimes => runtimes(value).map(|v| self.runtimes = v),
            Key::Untrusted => untrusted(value).map(|v| self.untrusted = v),
            Key::LookupTimeout => lookup_timeout(value).map(|v| self.lookup_timeout = v),
            Key::Syslog => syslog(value).map(|v| self.syslog = v),
            Key::Pull => pull(value).map(|v| self.pull = v),
            Key::Compression => Compression::parse(value).map(|v| self.compression = v),
            Key::Filler => filler(value).map(|v| self.filler = v),
        };
        valid.ok_or_else(|| Error::BadValue(key, value.to_owned()))
    }

    /// Parses `[LAYOUT=]DIR[:[LAYOUT=]DIR…]`. Each directory must be absolute, without `.` or `..`.
    fn set_roots(&mut self, value: &str) -> Option<()> {
        for text in split_roots(value) {
            match Layout::split(&text) {
                None => self.image_roots.push(root(&text)?),
                Some((layout, path)) => {
                    let own_before = self.image_roots.len();
                    self.foreign_roots.push(ForeignRoot { path: root(path)?, layout, own_before });
                }
            }
        }
        Some(())
    }

    /// The settings with only those image roots for which `keep` is true, in the same order. `keep` is
    /// called once for each root.
    #[must_use]
    pub fn with_roots_that(&self, keep: impl Fn(&Path) -> bool) -> Self {
        let mut kept = self.clone();
        let is_kept: Vec<bool> = self.image_roots.iter().map(|root| keep(root)).collect();
        let mut each = is_kept.iter();
        kept.image_roots.retain(|_| each.next() == Some(&true));
        kept.foreign_roots.retain(|root| keep(&root.path));
        for foreign in &mut kept.foreign_roots {
            let before = is_kept.iter().take(foreign.own_before);
            foreign.own_before = before.filter(|is_kept| **is_kept).count();
        }
        kept
    }

    /// All image roots in lookup order. The layout is `None` for sifcache's own.
    pub fn search_path(&self) -> impl Iterator<Item = (&Path, Option<Layout>)> {
        let foreign_at = |position: usize, is_last: bool| {
            self.foreign_roots.iter().filter(move |root| {
                root.own_before == position || is_last && root.own_before > position
            })
        };
        let own = self.image_roots.iter().map(Some).chain([None]);
        own.enumerate().flat_map(move |(position, own)| {
            let foreign = foreign_at(position, own.is_none());
            let foreign = foreign.map(|root| (root.path.as_path(), Some(root.layout)));
            foreign.chain(own.map(|root| (root.as_path(), None)))
        })
    }
}

/// Removes the carriage return that Slurm leaves at the end of a line with CRLF. `None` if nothing
/// else is left.
fn without_line_end(argument: &[u8]) -> Option<&[u8]> {
    match argument.strip_suffix(b"\r") {
        Some(b"") => None,
        Some(argument) => Some(argument),
        None => Some(argument),
    }
}

/// The argument as text. U+FFFD is refused: it indicates invalid bytes that were replaced in an
/// earlier decoding step.
fn text(bytes: &[u8]) -> Result<&str, Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(|c: char| c.is_control() || c == '\u{fffd}') => Ok(text),
        _ => Err(Error::NotText(bytes.escape_ascii().to_string())),
    }
}

/// Splits `[LAYOUT=]DIR[:[LAYOUT=]DIR…]`. A colon after a backslash is part of the path.
#[must_use]
pub fn split_roots(value: &str) -> Vec<String> {
    // Most sites have one root.
    if !value.contains(':') {
        return vec![value.to_owned()];
    }
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

/// Escapes one directory so that [`split_roots`] returns it unchanged.
#[must_use]
pub fn escape_root(directory: &str) -> String {
    directory.replace(':', "\\:")
}

fn root(directory: &str) -> Option<PathBuf> {
    let plain = |component: &str| component != "." && component != "..";
    let good = directory.starts_with('/') && directory.split('/').all(plain);
    // Collecting the components removes duplicate and trailing slashes.
    good.then(|| PathBuf::from(directory).components().collect())
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

fn lookup_timeout(value: &str) -> Option<Option<Duration>> {
    if value == "off" {
        return Some(None);
    }
    seconds(value).map(Some)
}

/// A time in seconds, at most [`MAX_SECONDS`].
fn seconds(value: &str) -> Option<Duration> {
    // Rust's `parse` would also accept `+30`.
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = value.parse().ok()?;
    (digits && (1..=MAX_SECONDS).contains(&seconds)).then(|| Duration::from_secs(seconds))
}

fn syslog(value: &str) -> Option<Syslog> {
    match value {
        "off" => Some(Syslog::Off),
        _ => facilities().find(|facility| *facility == value).map(Syslog::Facility),
    }
}

fn filler(value: &str) -> Option<Option<Filler>> {
    match value {
        "off" => Some(None),
        _ => Filler::parse(value).map(Some),
    }
}

fn pull(value: &str) -> Option<Pull> {
    match value {
        "copy" => Some(Pull::Copy),
        "link" => Some(Pull::Link),
        "off" => Some(Pull::Off),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
