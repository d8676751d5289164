//! Finds plugstack.conf, which belongs to slurm.conf.

use crate::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The directories in which Slurm's configuration can be: the defaults of Slurm and of
/// distributions, and the directory of `configless` nodes.
const DIRECTORIES: [&str; 6] = [
    "/etc/slurm",
    "/run/slurm/conf",
    "/usr/local/etc",
    "/usr/local/etc/slurm",
    "/opt/slurm/etc",
    "/etc/slurm-llnl",
];

/// Finds plugstack.conf: next to slurm.conf, or at the path that slurm.conf sets. `SLURM_CONF` and
/// then the usual directories are searched for slurm.conf.
///
/// # Errors
/// [`Error::NotFound`] if no plugstack.conf exists.
pub fn locate() -> Result<PathBuf, Error> {
    let named = env::var_os("SLURM_CONF").map(PathBuf::from);
    let usual = DIRECTORIES.map(|directory| Path::new(directory).join("slurm.conf"));
    beside(named.into_iter().chain(usual))
}

/// The first plugstack.conf that exists, among those that belong to these slurm.conf files. Files
/// that belong to an existing slurm.conf come first: on a `configless` node, a package may have
/// left a plugstack.conf in /etc/slurm, which Slurm does not read. If no slurm.conf exists, such a
/// plugstack.conf is the best guess.
///
/// The search ends at the first result, so the files after it are not examined: each launch outside of
/// jobs makes this search.
fn beside(slurm_confs: impl IntoIterator<Item = PathBuf>) -> Result<PathBuf, Error> {
    let (mut missing, mut tried) = (Vec::new(), Vec::new());
    let mut plugstack_of = |slurm_conf: &Path| {
        let text = fs::read_to_string(slurm_conf).unwrap_or_default();
        let path = setting(&text, "PlugStackConfig")
            .map_or_else(|| slurm_conf.with_file_name("plugstack.conf"), PathBuf::from);
        let found = path.is_file().then(|| path.clone());
        tried.push(path);
        found
    };
    for slurm_conf in slurm_confs {
        if !slurm_conf.is_file() {
            missing.push(slurm_conf);
        } else if let Some(found) = plugstack_of(&slurm_conf) {
            return Ok(found);
        }
    }
    let found = missing.iter().find_map(|slurm_conf| plugstack_of(slurm_conf));
    found.ok_or(Error::NotFound(tried))
}

/// The value of `key` in the text of slurm.conf, without quotes. Keys are case-insensitive.
#[must_use]
pub fn setting(slurm_conf: &str, key: &str) -> Option<String> {
    slurm_conf.lines().find_map(|line| {
        let line = line.split('#').next()?;
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case(key).then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{beside, setting};
    use crate::Error;
    use std::fs;
    use tempfile::TempDir;

    #[test]
    fn plugstack_conf_belongs_to_an_existing_slurm_conf() {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["etc", "run"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("plugstack.conf"), "").unwrap();
        }
        let all = [path("none/slurm.conf"), path("etc/slurm.conf"), path("run/slurm.conf")];
        assert_eq!(beside(all.clone()).unwrap(), path("etc/plugstack.conf"));
        fs::write(path("run/slurm.conf"), "# fetched from the controller\n").unwrap();
        assert_eq!(beside(all.clone()).unwrap(), path("run/plugstack.conf"));
        fs::write(path("etc/slurm.conf"), "").unwrap();
        assert_eq!(beside(all.clone()).unwrap(), path("etc/plugstack.conf"));
        let named = format!("PlugStackConfig={}\n", path("run/plugstack.conf").display());
        fs::write(path("etc/slurm.conf"), named).unwrap();
        assert_eq!(beside(all.clone()).unwrap(), path("run/plugstack.conf"));
        let only = std::iter::once_with(|| panic!("a file after the result is examined"));
        assert_eq!(beside(all.into_iter().chain(only)).unwrap(), path("run/plugstack.conf"));
        let none = beside([path("none/slurm.conf")]);
        assert!(
            matches!(none, Err(Error::NotFound(tried)) if tried == [path("none/plugstack.conf")])
        );
    }

    #[test]
    fn settings_of_slurm_conf() {
        let text = "ClusterName=x\n# PlugStackConfig=/no\nplugstackconfig = \"/a/b\" # c\n";
        assert_eq!(setting(text, "PlugStackConfig").as_deref(), Some("/a/b"));
        assert_eq!(setting("ClusterName=x", "PlugStackConfig"), None);
    }
}
