//! The keys of the plugin's line in plugstack.conf.

use crate::listed::listed;
use std::fmt;

listed! {
    /// A key that a site can set, in the order in which messages list them. Every `match` on it is
    /// exhaustive: the code does not compile until a new key has a name, a description of its
    /// values and a field in the settings.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Key {
        /// `image_root`, see [`Settings::image_roots`](super::Settings::image_roots).
        ImageRoot,
        /// `on_miss`, see [`OnMiss`](super::OnMiss).
        OnMiss,
        /// `nested`, see [`Nested`](super::Nested).
        Nested,
        /// `runtimes`, see [`Settings::runtimes`](super::Settings::runtimes).
        Runtimes,
        /// `untrusted`, see [`Untrusted`](super::Untrusted).
        Untrusted,
        /// `lookup_timeout`, see [`Settings::lookup_timeout`](super::Settings::lookup_timeout).
        LookupTimeout,
        /// `syslog`, see [`Syslog`](super::Syslog).
        Syslog,
        /// `pull`, see [`Pull`](super::Pull).
        Pull,
        /// `compression`, see [`Compression`](super::Compression).
        Compression,
        /// `filler`, see [`Settings::filler`](super::Settings::filler).
        Filler,
    }
}

impl Key {
    /// The name in plugstack.conf.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImageRoot => "image_root",
            Self::OnMiss => "on_miss",
            Self::Nested => "nested",
            Self::Runtimes => "runtimes",
            Self::Untrusted => "untrusted",
            Self::LookupTimeout => "lookup_timeout",
            Self::Syslog => "syslog",
            Self::Pull => "pull",
            Self::Compression => "compression",
            Self::Filler => "filler",
        }
    }

    /// Other spellings with the same meaning.
    #[must_use]
    pub const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::ImageRoot => &["singularity_image_root", "apptainer_image_root"],
            Self::LookupTimeout => &["patience"],
            Self::OnMiss
            | Self::Nested
            | Self::Runtimes
            | Self::Untrusted
            | Self::Syslog
            | Self::Pull
            | Self::Compression
            | Self::Filler => &[],
        }
    }

    /// The valid values, as messages list them.
    #[must_use]
    pub const fn values(self) -> &'static str {
        match self {
            Self::ImageRoot => {
                "[LAYOUT=]DIR[:[LAYOUT=]DIR...], absolute; LAYOUT is galaxy, nextflow, pulls or \
                 shpc; a ':' within a path is written '\\:'"
            }
            Self::OnMiss => {
                "pull, warn, fail, wait[:SECONDS][:pull|:warn|:fail] with 1 to 86400 seconds"
            }
            Self::Nested => "path, preload, off",
            Self::Runtimes => "NAME[,NAME...], file names without a slash",
            Self::Untrusted => "refuse, accept",
            Self::LookupTimeout => "seconds from 1 to 86400, off",
            Self::Syslog => {
                "daemon, user, auth, authpriv, cron, ftp, lpr, mail, news, uucp, \
                 local0 to local7, off"
            }
            Self::Pull => "copy, link, off",
            Self::Compression => "gzip, zstd, gzip:1 to gzip:9, zstd:1 to zstd:19",
            Self::Filler => "HOST, HOST:PORT, [IPV6]:PORT, off",
        }
    }

    /// The key with this name or alias.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |key: &Self| key.name() == name || key.aliases().contains(&name);
        Self::ALL.iter().copied().find(is_it)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn every_spelling_names_exactly_one_key() {
        for key in Key::ALL {
            for spelling in [&[key.name()], key.aliases()].concat() {
                assert_eq!(Key::named(spelling), Some(*key), "{spelling}");
            }
        }
        assert_eq!(Key::named("patience"), Some(Key::LookupTimeout));
        assert_eq!(Key::named("Image_root"), None);
    }
}
