//! The file that a pull writes: its name, its directory, and whether it exists.
//!
//! The runtime is written in Go and changes paths as `filepath.Join` and `filepath.Dir` do, without
//! a look at the file system. It uses the path as typed if there is no `--dir`, but the temporary
//! file is in the directory that `filepath.Dir` returns.

use crate::image_uri::ImageUri;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The file that a pull writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The path, as the runtime passes it to the kernel and prints it.
    pub path: PathBuf,
    /// The directory for the temporary file.
    pub directory: PathBuf,
}

impl Target {
    /// The target of a pull of `uri` into `file` and `dir`, as typed. `None` if the path does not
    /// end with a name, or if the runtimes name the file in different ways.
    #[must_use]
    pub fn new(uri: &ImageUri, file: Option<&[u8]>, dir: Option<&[u8]>) -> Option<Self> {
        let default;
        let file = match file {
            Some(file) => file,
            None => {
                default = default_name(uri)?;
                default.as_bytes()
            }
        };
        let path = match dir {
            Some(dir) => clean(&[dir, b"/", file].concat()),
            None => file.to_vec(),
        };
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if matches!(name, b"" | b"." | b"..") {
            return None;
        }
        let parent = path.get(..path.len() - name.len()).unwrap_or_default();
        let directory = clean(parent);
        let [path, directory] =
            [path, directory].map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes)));
        Some(Self { path, directory })
    }

    /// Whether the runtime treats the target as an existing file. Only the error "no such file"
    /// counts as absent: a directory, a link to an existing file, and a path with any other error
    /// exist.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(fs::metadata(&self.path), Err(error) if error.kind() == ErrorKind::NotFound)
    }

    /// Whether the target itself is a directory, which a file does not replace.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.is_dir())
    }

    /// The path of a file in the target's directory.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        // `Path::join` would leave out the `./` that the runtime prints.
        let separator = if self.directory == Path::new("/") { "" } else { "/" };
        let directory = self.directory.as_os_str().as_bytes();
        let path = [directory, separator.as_bytes(), name.as_bytes()].concat();
        PathBuf::from(OsStr::from_bytes(&path))
    }
}

/// The name of the file if none was typed: the last path element, `_`, and the tag. With a digest,
/// the runtime takes the part after the last colon for the tag. `None` for a tag with a digest,
/// which the runtimes refuse or name differently. For a URL, the last path element with its query.
fn default_name(uri: &ImageUri) -> Option<String> {
    let reference = uri.reference();
    if uri.transport().is_web() {
        return reference.typed().rsplit('/').next().map(str::to_owned);
    }
    if reference.tag().is_some() && reference.digest().is_some() {
        return None;
    }
    let last = reference.typed().rsplit('/').next()?;
    let (name, tag) = last.split_once(':').unwrap_or((last, "latest"));
    Some(format!("{name}_{tag}.sif"))
}

/// The shortest path with the same meaning if no element is a symbolic link, as `filepath.Clean`
/// returns it.
fn clean(path: &[u8]) -> Vec<u8> {
    let is_absolute = path.starts_with(b"/");
    let mut elements: Vec<&[u8]> = Vec::new();
    for element in path.split(|byte| *byte == b'/') {
        match (element, elements.last()) {
            (b"" | b".", _) => {}
            (b"..", None) if is_absolute => {}
            (b"..", Some(last)) if *last != b".." => {
                elements.pop();
            }
            _ => elements.push(element),
        }
    }
    let joined = elements.join(&b'/');
    match (is_absolute, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, clean};
    use crate::image_uri::ImageUri;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn target(uri: &str, file: Option<&str>, dir: Option<&str>) -> Option<(String, String)> {
        let uri = ImageUri::parse(uri.as_bytes()).unwrap();
        let target = Target::new(&uri, file.map(str::as_bytes), dir.map(str::as_bytes))?;
        let text = |path: std::path::PathBuf| path.into_os_string().into_string().unwrap();
        Some((text(target.path), text(target.directory)))
    }

    #[test]
    fn default_names() {
        let hex = "0f".repeat(32);
        for (uri, name) in [
            ("docker://alpine", "alpine_latest.sif".to_owned()),
            ("docker://alpine:3.20", "alpine_3.20.sif".to_owned()),
            ("docker://docker.io/library/alpine:3.20", "alpine_3.20.sif".to_owned()),
            ("docker://org/environments:cuda-11.3_x", "environments_cuda-11.3_x.sif".to_owned()),
            ("docker://localhost:5000/a/b", "b_latest.sif".to_owned()),
            (&format!("docker://o/i@sha256:{hex}"), format!("i@sha256_{hex}.sif")),
            ("oras://localhost:5000/o/i", "i_latest.sif".to_owned()),
            ("oras://ghcr.io/i:1", "i_1.sif".to_owned()),
            ("library://e/c/i:1", "i_1.sif".to_owned()),
            (&format!("library://i:sha256.{hex}"), format!("i_sha256.{hex}.sif")),
            ("https://h.io/d/i:1--0", "i:1--0".to_owned()),
            ("http://h.io/i.sif?download=1", "i.sif?download=1".to_owned()),
        ] {
            assert_eq!(target(uri, None, None), Some((name, ".".to_owned())), "{uri}");
        }
        let both = format!("docker://o/i:1@sha256:{hex}");
        assert_eq!(target(&both, None, None), None);
        assert!(target(&both, Some("x"), None).is_some());
    }

    #[test]
    fn paths_as_the_runtime_forms_them() {
        for (file, dir, path, directory) in [
            (Some("x"), None, "x", "."),
            (Some("./x"), None, "./x", "."),
            (Some("a//./x"), None, "a//./x", "a"),
            (Some("../../x.sif"), None, "../../x.sif", "../.."),
            (Some("/x"), None, "/x", "/"),
            (Some("/tmp//x"), None, "/tmp//x", "/tmp"),
            (Some("x"), Some("d"), "d/x", "d"),
            (Some("/tmp/x"), Some("d"), "d/tmp/x", "d/tmp"),
            (Some("./x"), Some("./d//"), "d/x", "d"),
            (Some("x"), Some("../d"), "../d/x", "../d"),
            (Some("x"), Some("."), "x", "."),
            (Some("x"), Some("/"), "/x", "/"),
            (Some("a/../x"), None, "a/../x", "."),
            (Some("../a/../b/x"), None, "../a/../b/x", "../b"),
            (Some("/../x"), None, "/../x", "/"),
            (Some("../../x"), Some("d"), "../x", ".."),
            (Some("../x"), Some("/d/.."), "/x", "/"),
            (Some("x/"), Some("d"), "d/x", "d"),
            (None, Some("d"), "d/i_1.sif", "d"),
        ] {
            let expected = Some((path.to_owned(), directory.to_owned()));
            assert_eq!(target("docker://o/i:1", file, dir), expected, "{file:?} {dir:?}");
        }
    }

    #[test]
    fn paths_without_a_name_have_no_target() {
        for (file, dir) in [
            ("x/", None),
            ("x/.", None),
            ("..", None),
            (".", None),
            ("..", Some("..")),
            ("..", Some("/")),
        ] {
            assert_eq!(target("docker://o/i:1", Some(file), dir), None, "{file} {dir:?}");
        }
        assert_eq!(clean(b""), b".");
    }

    #[test]
    fn what_counts_as_existing() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), "").unwrap();
        fs::create_dir(path("directory")).unwrap();
        symlink("file", path("link")).unwrap();
        symlink("directory", path("link-to-directory")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        symlink("loop", path("loop")).unwrap();
        for (name, exists, is_directory) in [
            ("file", true, false),
            ("directory", true, true),
            ("link", true, false),
            ("link-to-directory", true, false),
            ("dangling", false, false),
            ("absent", false, false),
            ("nowhere/absent", false, false),
            ("loop", true, false),
            ("file/below", true, false),
        ] {
            let target = Target { path: path(name), directory: directory.path().to_owned() };
            assert_eq!((target.exists(), target.is_directory()), (exists, is_directory), "{name}");
        }
    }

    #[test]
    fn temporary_files_are_in_the_same_directory() {
        let uri = ImageUri::parse(b"docker://o/i:1").unwrap();
        for (file, temporary) in [("x", "./t"), ("/x", "/t"), ("a/b/x", "a/b/t"), ("../x", "../t")]
        {
            let target = Target::new(&uri, Some(file.as_bytes()), None).unwrap();
            assert_eq!(target.beside("t").as_os_str(), temporary);
        }
    }
}
