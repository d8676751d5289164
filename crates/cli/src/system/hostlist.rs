//! Slurm's lists of nodes, such as `n[1-3]`.

use super::slurm;
use crate::error::Failure;
use std::collections::BTreeSet;

/// Names of nodes, without domains.
pub(crate) type Nodes = BTreeSet<String>;

/// `n[1-3]` of `n1,n2,n3`: sorted and folded by Slurm itself.
pub(crate) fn fold(nodes: &Nodes) -> Result<String, Failure> {
    let all = nodes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    Ok(slurm::ask("scontrol", &["show", "hostlistsorted", &all])?.trim().to_owned())
}

/// `n1,n2,n3` of `n[1-3]`.
pub(crate) fn expand(list: &str) -> Result<Nodes, Failure> {
    let text = slurm::ask("scontrol", &["show", "hostnames", list])?;
    Ok(text.lines().map(str::to_owned).collect())
}
