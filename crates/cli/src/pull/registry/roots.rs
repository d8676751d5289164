//! The certificates that this host trusts, found as Go's `crypto/x509`, and therefore every
//! runtime, finds them on Linux.
//!
//! They are read from the first readable file of a list, and from every file in certain
//! directories. `SSL_CERT_FILE` replaces the list of files, and `SSL_CERT_DIR`, a colon-separated
//! list, replaces the directories. Each variable affects only its own list. Unreadable files are
//! skipped.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const FILES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// Returns the value of an environment variable.
type Get<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Where the certificates of this host are.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    /// `SSL_CERT_FILE`
    file: Option<OsString>,
    /// `SSL_CERT_DIR`
    directory: Option<OsString>,
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

/// The state of each source: its inode, size and time of the last change; `None` if it does not exist.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<(u64, u64, i64, i64)>>);

/// The trusted certificates of this host.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// The certificates, without duplicates.
    pub(super) certificates: HashSet<CertificateDer<'static>>,
    /// The source of the certificates, for messages.
    pub(super) origin: String,
}

impl Sources {
    /// The sources in the environment of this process.
    pub(super) fn from_environment() -> Self {
        Self::gather(&|name| env::var_os(name), &FILES, &DIRECTORIES)
    }

    /// These files and directories.
    #[cfg(test)]
    pub(super) fn of(files: &[PathBuf], directories: &[PathBuf]) -> Self {
        Self { files: files.to_vec(), directories: directories.to_vec(), ..Self::default() }
    }

    fn gather(get: Get<'_>, files: &[&str], directories: &[&str]) -> Self {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let (file, directory) = (get("SSL_CERT_FILE"), get("SSL_CERT_DIR"));
        let files = file.clone().map_or_else(|| paths(files), |file| vec![file.into()]);
        let directories = directory.as_ref().map_or_else(
            || paths(directories),
            |list| {
                let parts = list.as_bytes().split(|byte| *byte == b':');
                parts.map(|part| OsString::from_vec(part.to_owned()).into()).collect()
            },
        );
        Self { file, directory, files, directories }
    }

    /// The present state.
    pub(super) fn stamp(&self) -> Stamp {
        let state = |path: &PathBuf| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
        };
        Stamp(self.files.iter().chain(&self.directories).map(state).collect())
    }

    /// Reads the certificates.
    pub(super) fn read(&self) -> Roots {
        let mut roots = Roots::default();
        let found = self.files.iter().find_map(|path| Some((path, fs::read(path).ok()?)));
        if let Some((_, text)) = &found {
            roots.add(text);
        }
        self.directories.iter().for_each(|directory| roots.add_directory(directory));
        let mut places = vec![match (&found, &self.file) {
            (Some((path, _)), None) => path.display().to_string(),
            (Some((path, _)), Some(_)) => format!("SSL_CERT_FILE={}", path.display()),
            (None, Some(path)) => {
                format!("SSL_CERT_FILE={} (which cannot be read)", Path::new(path).display())
            }
            (None, None) => "no file".to_owned(),
        }];
        match &self.directory {
            Some(list) => places.push(format!("SSL_CERT_DIR={}", Path::new(list).display())),
            None => {
                let there = self.directories.iter().filter(|path| path.is_dir());
                places.extend(there.map(|path| path.display().to_string()));
            }
        }
        roots.origin = places.join(" and ");
        roots
    }
}

impl Roots {
    fn add_directory(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            // Links to a file in the same directory, named by a hash, are skipped, because that
            // file is read anyway.
            let beside = |target: PathBuf| !target.as_os_str().as_bytes().contains(&b'/');
            if !fs::read_link(&path).is_ok_and(beside) {
                fs::read(&path).into_iter().for_each(|text| self.add(&text));
            }
        }
    }

    /// Adds the certificates in a PEM file, and skips everything else.
    fn add(&mut self, text: &[u8]) {
        self.certificates.extend(CertificateDer::pem_slice_iter(text).flatten());
    }
}

fn paths(list: &[&str]) -> Vec<PathBuf> {
    list.iter().map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::Sources;
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// The environment, the expected number of certificates, and a part of the expected origin.
    type Row<'a> = (&'a [(&'a str, &'a str)], usize, &'a str);

    /// A PEM block. Its content is arbitrary, because `Roots` does not parse it.
    fn pem(byte: char) -> String {
        format!("x\n-----BEGIN CERTIFICATE-----\n{0}{0}{0}{0}\n-----END CERTIFICATE-----\n", byte)
    }

    #[test]
    fn each_variable_replaces_its_own_list() {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        for name in ["d", "d1", "d2"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("file"), pem('f') + &pem('g')).unwrap();
        fs::write(at("later"), pem('l')).unwrap();
        fs::write(at("d/any-name"), pem('d')).unwrap();
        fs::write(at("d/none"), "-----BEGIN CERTIFICATE-----\n?\n-----END").unwrap();
        symlink("any-name", at("d/0.0")).unwrap();
        symlink(at("later"), at("d1/elsewhere")).unwrap();
        symlink("nowhere", at("d1/dangling")).unwrap();
        fs::write(at("d2/two"), pem('2')).unwrap();
        let (none, file, later) = (at("none"), at("file"), at("later"));
        let (d, d1, d2) = (at("d"), at("d1"), at("d2"));
        let list = format!("{d1}:{none}:{d2}");
        let table: [Row<'_>; 8] = [
            (&[], 3, "/file and /"),
            (&[("SSL_CERT_FILE", ""), ("SSL_CERT_DIR", "")], 3, "/file and"),
            (&[("SSL_CERT_FILE", &later)], 2, "SSL_CERT_FILE=/"),
            (&[("SSL_CERT_FILE", &none)], 1, "(which cannot be read)"),
            (&[("SSL_CERT_DIR", &d2)], 3, "SSL_CERT_DIR=/"),
            (&[("SSL_CERT_DIR", &list)], 4, ":"),
            (&[("SSL_CERT_DIR", &none)], 2, ""),
            (&[("SSL_CERT_DIR", &d2), ("SSL_CERT_FILE", &later)], 2, ""),
        ];
        for (environment, count, origin) in table {
            let get = |name: &str| {
                environment.iter().find(|(known, _)| *known == name).map(|(_, v)| OsString::from(v))
            };
            let roots = Sources::gather(&get, &[&none, &file, &later], &[&d, &none]).read();
            assert_eq!(roots.certificates.len(), count, "{environment:?}");
            assert!(roots.origin.contains(origin), "{}", roots.origin);
        }
    }
}
