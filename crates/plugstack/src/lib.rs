//! plugstack.conf as Slurm reads it, to find the plugin's own line.
//!
//! Source: `src/common/spank.c` of Slurm (`plugstack.c` before 24.11). How a line is
//! split is in [`directive`]; `include PATTERN` reads what a glob finds, relative to the
//! file's own directory.

#![forbid(unsafe_code)]

pub mod directive;

use directive::{Directive, directives};

use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

/// The file name of the plugin, wherever it is installed.
const PLUGIN: &str = "spank_sifcache.so";

/// As deep as includes may nest, so that a circle ends.
const DEEPEST: usize = 16;

/// Where Slurm's configuration is, with and without distributions' changes; the
/// one of `configless` nodes too.
const DIRECTORIES: [&str; 6] = [
    "/etc/slurm",
    "/run/slurm/conf",
    "/usr/local/etc",
    "/usr/local/etc/slurm",
    "/opt/slurm/etc",
    "/etc/slurm-llnl",
];

/// The plugin's line: the file it stands in, and its arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The file.
    pub file: PathBuf,
    /// What follows the plugin's name.
    pub arguments: Vec<String>,
}

/// The line of any plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file that it stands in.
    pub file: PathBuf,
    /// Whether jobs fail without the plugin.
    pub required: bool,
    /// The plugin: a path, or a name in Slurm's plugin directory.
    pub plugin: String,
    /// What follows the plugin's name.
    pub arguments: Vec<String>,
}

impl Entry {
    /// Whether it is the line of our plugin.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.plugin.rsplit('/').next() == Some(PLUGIN)
    }

    /// Whether Slurm passes over this line: it names a file that is not there, and need not be.
    fn is_skipped(&self) -> bool {
        !self.required && self.plugin.starts_with('/') && !Path::new(&self.plugin).exists()
    }

    /// Whether this plugin line counts as soon as it is read.
    fn counts(&self) -> bool {
        self.is_ours() && !self.is_skipped()
    }
}

/// Our line that counts, of all the lines of plugins in Slurm's order: the first whose plugin
/// Slurm loads, else the first. Slurm would call the plugin for each line; the plugin follows
/// the first that it is called for, and ignores the others.
#[must_use]
pub fn ours(entries: &[Entry]) -> Option<&Entry> {
    let of_us = || entries.iter().filter(|entry| entry.is_ours());
    of_us().find(|entry| entry.counts()).or_else(|| of_us().next())
}

/// Why there is no line.
#[derive(Debug)]
pub enum Error {
    /// No plugstack.conf where Slurm looks for it; these were tried.
    NotFound(Vec<PathBuf>),
    /// A plugstack.conf without the plugin.
    NoLine(PathBuf),
    /// No line for the plugin, in a file with the line ends of Windows.
    LineEnds(PathBuf),
    /// A file cannot be read.
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
                write!(f, "{}: no line for {PLUGIN}, here or in what it includes", path.display())
            }
            Self::LineEnds(path) => write!(
                f,
                "{}: has the line ends of Windows, which Slurm takes for a part of the file names \
                 in it: sed -i 's/\\r$//' on it",
                path.display()
            ),
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// Finds plugstack.conf: beside slurm.conf, or where that says.
///
/// # Errors
/// [`Error::NotFound`].
pub fn locate() -> Result<PathBuf, Error> {
    let named = env::var_os("SLURM_CONF").map(PathBuf::from);
    let usual = DIRECTORIES.map(|directory| Path::new(directory).join("slurm.conf"));
    beside(&named.into_iter().chain(usual).collect::<Vec<_>>())
}

/// The plugstack.conf that belongs to the first of these slurm.conf that is there. On a
/// `configless` node a package may have left a plugstack.conf in /etc/slurm, which Slurm
/// does not read; without any slurm.conf it is the best that can be found.
fn beside(slurm_confs: &[PathBuf]) -> Result<PathBuf, Error> {
    let (there, others): (Vec<_>, Vec<_>) = slurm_confs.iter().partition(|path| path.is_file());
    let mut tried = Vec::new();
    for slurm_conf in there.into_iter().chain(others) {
        let text = fs::read_to_string(slurm_conf).unwrap_or_default();
        let path = setting(&text, "PlugStackConfig")
            .map_or_else(|| slurm_conf.with_file_name("plugstack.conf"), PathBuf::from);
        if path.is_file() {
            return Ok(path);
        }
        tried.push(path);
    }
    Err(Error::NotFound(tried))
}

/// The value of `key` in slurm.conf, whose keys have no case.
#[must_use]
pub fn setting(slurm_conf: &str, key: &str) -> Option<String> {
    slurm_conf.lines().find_map(|line| {
        let line = line.split('#').next()?;
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case(key).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The plugin's line in `path` or in what it includes that counts: see [`ours`].
///
/// # Errors
/// [`Error::NoLine`], or a file that cannot be read.
pub fn line(path: &Path) -> Result<Line, Error> {
    let entries = up_to_ours(path)?;
    let ours = ours(&entries).ok_or_else(|| no_line(path))?;
    Ok(Line { file: ours.file.clone(), arguments: ours.arguments.clone() })
}

/// Why there is no line for the plugin in `path` and in what it includes: [`Error::NoLine`], or
/// that one would be there but for a carriage return at the end of a file name.
#[must_use]
pub fn no_line(path: &Path) -> Error {
    let mut files = vec![path.to_owned()];
    files.extend(up_to_ours(path).unwrap_or_default().into_iter().map(|entry| entry.file));
    let is_spoilt = |file: &&PathBuf| {
        let text = fs::read(file).unwrap_or_default();
        directives(&text).any(|directive| match directive {
            Directive::Include(pattern) => pattern.ends_with('\r'),
            Directive::Plugin { plugin, .. } => plugin
                .strip_suffix('\r')
                .is_some_and(|plugin| plugin.rsplit('/').next() == Some(PLUGIN)),
        })
    };
    match files.iter().find(is_spoilt) {
        Some(file) => Error::LineEnds(file.clone()),
        None => Error::NoLine(path.to_owned()),
    }
}

/// All lines of plugins in `path` and in what it includes, in Slurm's order. What cannot be
/// read after the plugin line that counts is left out.
///
/// # Errors
/// A file that cannot be read.
pub fn all(path: &Path) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    match search(path, 0, &|_| false, &mut entries) {
        Err(_) if entries.iter().any(Entry::counts) => Ok(entries),
        done => done.map(|_| entries),
    }
}

/// The same up to the first plugin line that counts, or all lines if none does.
fn up_to_ours(path: &Path) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    search(path, 0, &Entry::counts, &mut entries)?;
    Ok(entries)
}

/// Adds the entries of `path`; true if the last one is the `last` to be read.
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
    if depth > DEEPEST {
        return Ok(false);
    }
    // A pattern that is none finds nothing, for Slurm too.
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
    use super::{Error, all, beside, line, ours, setting};
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
        // Slurm passes over one that is not there and need not be; no job starts without one
        // that has to be.
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
    fn it_belongs_to_a_slurm_conf() {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["etc", "run"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("plugstack.conf"), "").unwrap();
        }
        let all = [path("none/slurm.conf"), path("etc/slurm.conf"), path("run/slurm.conf")];
        assert_eq!(beside(&all).unwrap(), path("etc/plugstack.conf"));
        fs::write(path("run/slurm.conf"), "# fetched from the controller\n").unwrap();
        assert_eq!(beside(&all).unwrap(), path("run/plugstack.conf"));
        fs::write(path("etc/slurm.conf"), "").unwrap();
        assert_eq!(beside(&all).unwrap(), path("etc/plugstack.conf"));
        let named = format!("PlugStackConfig={}\n", path("run/plugstack.conf").display());
        fs::write(path("etc/slurm.conf"), named).unwrap();
        assert_eq!(beside(&all).unwrap(), path("run/plugstack.conf"));
        let none = beside(&[path("none/slurm.conf")]);
        assert!(
            matches!(none, Err(Error::NotFound(tried)) if tried == [path("none/plugstack.conf")])
        );
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

    /// Slurm finds neither the file nor the plugin then.
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
            assert!(error.to_string().contains("line ends of Windows"), "{error}");
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

    /// What stands before our line has to be readable, what stands after it need not be.
    #[test]
    fn what_cannot_be_read() {
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

    #[test]
    fn settings_of_slurm_conf() {
        let text = "ClusterName=x\n# PlugStackConfig=/no\nplugstackconfig = \"/a/b\" # c\n";
        assert_eq!(setting(text, "PlugStackConfig").as_deref(), Some("/a/b"));
        assert_eq!(setting("ClusterName=x", "PlugStackConfig"), None);
    }
}
