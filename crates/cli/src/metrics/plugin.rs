//! The plugin on this host.

use crate::system::library::{self, DIRECTORIES, VERSION};
use sifcache_plugstack as plugstack;
use std::fs;
use std::path::{Path, PathBuf};

/// The Slurm release for which the plugin in this plugstack.conf was built; by default, in Slurm's
/// own. `None` if there is no plugin that could be loaded.
pub(crate) fn release(file: Option<&Path>) -> Option<String> {
    let file = file.map_or_else(|| plugstack::locate().ok(), |file| Some(file.to_owned()))?;
    let entries = plugstack::all(&file).ok()?;
    let plugin = &plugstack::ours(&entries)?.plugin;
    let found = match plugin.starts_with('/') {
        true => Some(PathBuf::from(plugin)),
        false => {
            directories(&file).into_iter().map(|one| one.join(plugin)).find(|one| one.exists())
        }
    };
    let number = library::number(&found?, VERSION).ok()??;
    Some(format!("{}.{:02}", number >> 16, number >> 8 & 0xff))
}

/// Slurm's `PluginDir`, from slurm.conf beside plugstack.conf, else the usual directories. Slurm
/// itself is not queried, because it may not answer.
fn directories(plugstack: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(plugstack.with_file_name("slurm.conf")).unwrap_or_default();
    match plugstack::setting(&text, "PluginDir") {
        Some(value) => value.split(':').map(PathBuf::from).collect(),
        None => DIRECTORIES.map(PathBuf::from).to_vec(),
    }
}
