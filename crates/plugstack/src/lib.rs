//! Reads plugstack.conf by the rules of Slurm, to find the line of the sifcache plugin.
//!
//! Source: `src/common/spank.c` of Slurm (`plugstack.c` before 24.11). [`directive`] splits the
//! lines. `include PATTERN` reads the files that match a glob pattern, relative to the directory of
//! the including file.

#![forbid(unsafe_code)]

pub mod directive;
mod location;

pub use location::{locate, setting};

use directive::{Directive, directives};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// The file name of the plugin, regardless of its directory.
const PLUGIN: &str = "spank_sifcache.so";

/// The maximum depth of nested includes, so that a circular include ends.
const MAX_DEPTH: usize = 16;

/// The line of the sifcache plugin.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The file that contains the line.
    pub file: PathBuf,
    /// The words after the plugin.
    pub arguments: Vec<String>,
}

/// The line of any plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file that contains the line.
    pub file: PathBuf,
    /// Whether jobs fail if the plugin cannot be loaded.
    pub required: bool,
    /// The path of the plugin, or its name in Slurm's plugin directory.
    pub plugin: String,
    /// The words after the plugin.
    pub arguments: Vec<String>,
}

impl Entry {
    /// Whether this is a line of the sifcache plugin.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.plugin.rsplit('/').next() == Some(PLUGIN)
    }

    /// Whether Slurm skips this line, because the plugin is optional and its file does not exist.
    fn is_skipped(&self) -> bool {
        !self.required && self.plugin.starts_with('/') && !Path::new(&self.plugin).exists()
    }

    /// Whether this is a line of the sifcache plugin that Slurm does not skip. The first line for
    /// which this is true is the effective line.
    fn is_effective(&self) -> bool {
        self.is_ours() && !self.is_skipped()
    }
}

/// The effective line of the sifcache plugin among `entries`, the lines of all plugins in Slurm's
/// order. This is the first of the plugin's lines that Slurm does not skip, or simply the first if
/// Slurm skips all of them. Slurm calls the plugin for each of its lines; the plugin acts on the
/// first of these calls and ignores the others.
#[must_use]
pub fn ours(entries: &[Entry]) -> Option<&Entry> {
    let lines = || entries.iter().filter(|entry| entry.is_ours());
    lines().find(|entry| entry.is_effective()).or_else(|| lines().next())
}

/// Why there is no line of the sifcache plugin.
#[derive(Debug)]
pub enum Error {
    /// There is no plugstack.conf; the value lists the paths that were tried.
    NotFound(Vec<PathBuf>),
    /// This plugstack.conf and the files that it includes have no line of the plugin.
    NoLine(PathBuf),
    /// There is no line of the plugin, and this file has Windows line ends in a place where they
    /// become part of a file name.
    LineEnds(PathBuf),
    /// This file cannot be read.
    Read(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(tried) => {
                let tried: Vec<_> = tried.iter().map(|p| p.display().to_string()).collect();
                write!(f, "no plugstack.conf found, tried {}", tried.join(", "))
            }
            Self::NoLine(path) => {
                write!(
                    f,
                    "{}: no line for {PLUGIN} in this file or in the files that it includes",
                    path.display()
                )
            }
            Self::LineEnds(path) => write!(
                f,
                "{0}: Windows line ends (CRLF), which Slurm reads as part of the file names in it; \
                 convert them with: sed -i 's/\\r$//' {0}",
                path.display()
            ),
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// The effective line of the sifcache plugin in `path` and in the files that it includes: see
/// [`ours`].
///
/// # Errors
/// [`Error::NoLine`] or [`Error::LineEnds`] if there is no such line, [`Error::Read`] if a file
/// cannot be read.
pub fn line(path: &Path) -> Result<Line, Error> {
    let entries = up_to_ours(path)?;
    let ours = ours(&entries).ok_or_else(|| no_line(path))?;
    Ok(Line { file: ours.file.clone(), arguments: ours.arguments.clone() })
}

/// Why `path` and the files that it includes have no line of the sifcache plugin:
/// [`Error::LineEnds`] if a carriage return at the end of a file name is the cause, otherwise
/// [`Error::NoLine`].
#[must_use]
pub fn no_line(path: &Path) -> Error {
    let mut files = vec![path.to_owned()];
    files.extend(up_to_ours(path).unwrap_or_default().into_iter().map(|entry| entry.file));
    let has_line_ends = |file: &&PathBuf| {
        let text = fs::read(file).unwrap_or_default();
        directives(&text).any(|directive| match directive {
            Directive::Include(pattern) => pattern.ends_with('\r'),
            Directive::Plugin { plugin, .. } => plugin
                .strip_suffix('\r')
                .is_some_and(|plugin| plugin.rsplit('/').next() == Some(PLUGIN)),
        })
    };
    match files.iter().find(has_line_ends) {
        Some(file) => Error::LineEnds(file.clone()),
        None => Error::NoLine(path.to_owned()),
    }
}

/// The lines of all plugins in `path` and in the files that it includes, in Slurm's order. If a
/// file after the effective line of the sifcache plugin cannot be read, the result ends there.
///
/// # Errors
/// [`Error::Read`] if a file before that line cannot be read.
pub fn all(path: &Path) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    match search(path, 0, &|_| false, &mut entries) {
        Err(_) if entries.iter().any(Entry::is_effective) => Ok(entries),
        done => done.map(|_| entries),
    }
}

/// The lines of all plugins up to the effective line of the sifcache plugin; all lines if Slurm
/// skips every line of the sifcache plugin.
fn up_to_ours(path: &Path) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    search(path, 0, &Entry::is_effective, &mut entries)?;
    Ok(entries)
}

/// Appends the entries in `path` and in the files that it includes, up to the first one for which
/// `last` is true. Returns whether there was such an entry.
fn search(
    path: &Path,
    depth: usize,
    last: &dyn Fn(&Entry) -> bool,
    entries: &mut Vec<Entry>,
) -> Result<bool, Error> {
    let text = fs::read(path).map_err(|error| Error::Read(path.to_owned(), error))?;
    for directive in directives(&text) {
        let done = match directive {
            Directive::Include(pattern) => include(path, &pattern, depth + 1, last, entries)?,
            Directive::Plugin { required, plugin, arguments } => {
                let entry = Entry { file: path.to_owned(), required, plugin, arguments };
                let is_last = last(&entry);
                entries.push(entry);
                is_last
            }
        };
        if done {
            return Ok(true);
        }
    }
    Ok(false)
}

fn include(
    path: &Path,
    pattern: &str,
    depth: usize,
    last: &dyn Fn(&Entry) -> bool,
    entries: &mut Vec<Entry>,
) -> Result<bool, Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let pattern = directory.join(pattern);
    if depth > MAX_DEPTH {
        return Ok(false);
    }
    // As in Slurm, an invalid pattern matches nothing.
    let Ok(paths) = glob::glob(&pattern.to_string_lossy()) else { return Ok(false) };
    for path in paths.flatten() {
        if search(&path, depth, last, entries)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::{Error, all, line, ours};
    use std::fs;
    use tempfile::TempDir;

    fn arguments(files: &[(&str, &str)]) -> Option<Vec<String>> {
        let directory = TempDir::new().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        match line(&directory.path().join("plugstack.conf")) {
            Ok(line) => Some(line.arguments),
            Err(Error::NoLine(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_line_as_slurm_reads_it() {
        let found = |text: &str| arguments(&[("plugstack.conf", text)]);
        let expected = Some(vec!["image_root=/a".to_owned(), "on_miss=warn".to_owned()]);
        assert_eq!(found("optional spank_sifcache.so image_root=/a on_miss=warn\n"), expected);
        assert_eq!(
            found("# x\n\trequired\t/usr/lib/spank_sifcache.so image_root=/a  on_miss=warn # y"),
            expected
        );
        assert_eq!(
            found(
                "optional other.so a=b\noptional spank_sifcache.so\noptional spank_sifcache.so x"
            ),
            Some(Vec::new())
        );
        // Slurm skips an optional plugin whose file does not exist. If the plugin is required, no
        // job starts.
        let [gone, here] = ["/none/spank_sifcache.so a", "spank_sifcache.so b"];
        assert_eq!(found(&format!("optional {gone}\noptional {here}")), Some(vec!["b".into()]));
        assert_eq!(found(&format!("required {gone}\noptional {here}")), Some(vec!["a".into()]));
        assert_eq!(found(&format!("optional {gone}\noptional {gone}c")), Some(vec!["a".into()]));
        for none in [
            "",
            "#optional spank_sifcache.so image_root=/a",
            "Optional spank_sifcache.so image_root=/a",
            "optional spank_sifcache.so.old image_root=/a",
            "optional",
        ] {
            assert_eq!(found(none), None, "{none}");
        }
    }

    #[test]
    fn includes() {
        let found = arguments(&[
            ("plugstack.conf", "include plugstack.conf.d/*.conf\n"),
            ("plugstack.conf.d/10-other.conf", "optional other.so"),
            ("plugstack.conf.d/20-sifcache.conf", "optional spank_sifcache.so image_root=/a"),
        ]);
        assert_eq!(found, Some(vec!["image_root=/a".to_owned()]));
        assert_eq!(arguments(&[("plugstack.conf", "include plugstack.conf")]), None);
        assert_eq!(arguments(&[("plugstack.conf", "include nowhere/*\ninclude")]), None);
    }

    /// With Windows line ends, Slurm finds neither the included file nor the plugin.
    #[test]
    fn line_ends_of_windows() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("plugstack.conf");
        let included = directory.path().join("c1");
        let found = |text: &str| {
            fs::write(&path, text).unwrap();
            line(&path)
        };
        let arguments = found("# x\r\noptional spank_sifcache.so a=b c=d\r\n").unwrap().arguments;
        assert_eq!(arguments, ["a=b", "c=d\r"]);
        for text in ["optional /x/spank_sifcache.so\r\n", "include c*\r\n"] {
            let error = found(text).unwrap_err();
            assert!(matches!(&error, Error::LineEnds(file) if *file == path), "{error}");
            assert!(error.to_string().contains("Windows line ends"), "{error}");
        }
        fs::write(&included, "required spank_sifcache.so\r\n").unwrap();
        let error = found("include c*\n").unwrap_err();
        assert!(matches!(&error, Error::LineEnds(file) if *file == included), "{error}");
        for text in ["optional other.so\r\n", "# include c*\r\n", ""] {
            assert!(matches!(found(text), Err(Error::NoLine(_))), "{text}");
        }
    }

    #[test]
    fn all_lines_in_slurms_order() {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("plugstack.conf"), "required /a/b.so x=y\ninclude c*\noptional d.so")
            .unwrap();
        fs::write(path("c1"), "optional spank_sifcache.so image_root=/a\noptional e.so").unwrap();
        let stack = path("plugstack.conf");
        let entries = all(&stack).unwrap();
        let seen: Vec<_> = entries.iter().map(|e| (e.plugin.as_str(), e.required)).collect();
        let ours_at = [("/a/b.so", true), ("spank_sifcache.so", false), ("e.so", false)];
        assert_eq!(seen, [&ours_at[..], &[("d.so", false)]].concat());
        assert_eq!(ours(&entries).unwrap().file, path("c1"));
        fs::write(path("c2"), "required spank_sifcache.so image_root=/b\n").unwrap();
        let entries = all(&stack).unwrap();
        assert_eq!((entries.len(), &ours(&entries).unwrap().file), (5, &path("c1")));
        fs::write(path("c1"), "").unwrap();
        let entries = all(&stack).unwrap();
        assert_eq!((entries.len(), &ours(&entries).unwrap().file), (3, &path("c2")));
        fs::write(path("c2"), "").unwrap();
        assert_eq!((all(&stack).unwrap().len(), ours(&all(&stack).unwrap())), (2, None));
    }

    /// A file that is included before the plugin's line must be readable; a file that is included
    /// after it need not be.
    #[test]
    fn an_unreadable_file_only_matters_before_the_line() {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("c")).unwrap();
        let stack = path("plugstack.conf");
        fs::write(&stack, "optional spank_sifcache.so a\ninclude c\n").unwrap();
        assert_eq!(
            (all(&stack).unwrap().len(), line(&stack).unwrap().arguments[0].as_str()),
            (1, "a")
        );
        fs::write(&stack, "include c\noptional spank_sifcache.so a\n").unwrap();
        assert!(all(&stack).is_err() && line(&stack).is_err());
    }
}
