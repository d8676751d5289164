//! Slurm's host lists, such as `n[1-3]`.

use super::slurm;
use crate::error::Failure;
use std::collections::BTreeSet;

/// Node names without domains.
pub(crate) type Nodes = BTreeSet<String>;

/// Folds `n1,n2,n3` into `n[1-3]`, sorted, by calling Slurm.
///
/// # Errors
/// scontrol is unavailable or fails.
pub(crate) fn fold(nodes: &Nodes) -> Result<String, Failure> {
    let all = nodes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    Ok(slurm::output("scontrol", &["show", "hostlistsorted", &all])?.trim().to_owned())
}

/// Expands `n[1-3]` into `n1,n2,n3`.
///
/// # Errors
/// scontrol is unavailable or fails.
pub(crate) fn expand(list: &str) -> Result<Nodes, Failure> {
    let text = slurm::output("scontrol", &["show", "hostnames", list])?;
    Ok(text.lines().map(str::to_owned).collect())
}
