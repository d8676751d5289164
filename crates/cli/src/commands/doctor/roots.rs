//! Checks the image roots: whether they exist, whether jobs would trust them, whether users can
//! read them, and whether there is enough space.

use super::finding::Finding;
use super::host::{Host, remedy};
use super::{fuse, layouts, mounts, nested_roots, trial, views};
use crate::cache::store;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use rustix::fs::{StatVfs, StatVfsMountFlags, getxattr, statvfs};
use sifcache_core::image::{Root, State};
use sifcache_core::layout::Layout;
use sifcache_core::settings::{Settings, Untrusted};
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// With less free space than this, in bytes, the pull of a typical image may fail.
const MIN_FREE_BYTES: u64 = 10 << 30;
/// With less free space than this, in percent, a file system is nearly full.
const MIN_FREE_PERCENT: u64 = 5;

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let Some(settings) = &host.site.settings else {
        return vec![Finding::skipped("there", "without settings there are no image roots")];
    };
    settings.search_path().flat_map(|(root, layout)| one(host, settings, root, layout)).collect()
}

fn one(host: &Host, settings: &Settings, root: &Path, layout: Option<Layout>) -> Vec<Finding> {
    let path = host.path(root);
    // This comes before the permissions: nobody should change those of a file, which may be a device.
    if fs::metadata(&path).is_ok_and(|found| !found.is_dir()) {
        return vec![no_directory(root)];
    }
    let state = Root::enter(&path, settings.untrusted).problem();
    if let Some(state @ (State::Absent | State::DanglingLink)) = state {
        return vec![absent(host, settings, root, &state)];
    }
    let mut findings = Vec::new();
    match state {
        Some(state) => findings.push(refused(root, &state)),
        None => findings.push(usable(host, settings, root)),
    }
    if fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
        findings.extend(readable(host, root));
        findings.extend(nested_roots::check(host, settings, root));
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        let kind = mounts::kind(&host.read("/proc/self/mountinfo").unwrap_or_default(), &real);
        let kind = kind.as_deref().unwrap_or("unknown");
        findings.extend(fuse::check(host, &escape_for_terminal(root), kind));
        match layout {
            // The command writes nothing there.
            Some(layout) => findings.push(layouts::check(&path, root, layout)),
            None => {
                findings.extend(space(root, &real, kind));
                findings.extend(own_state(host, root));
                findings.extend(views::check(host, root, settings.untrusted));
            }
        }
    }
    findings
}

/// A node-local root is only needed on nodes that run jobs. If there are several roots, some of
/// them may exist only on some nodes.
fn absent(host: &Host, settings: &Settings, root: &Path, state: &State) -> Finding {
    let message = format!("{}: {state}", escape_for_terminal(root));
    let others = settings.search_path().any(|(other, _)| host.path(other).is_dir());
    let finding = match (others, host.is_compute_node()) {
        (false, _) => Finding::fail("there", message),
        (true, true) => Finding::warn("there", message),
        (true, false) => return Finding::note("there", format!("{message}; jobs do not run here")),
    };
    finding.advice(format!("mount it here, or: mkdir -p {}", escape_for_terminal(root)))
}

fn no_directory(root: &Path) -> Finding {
    let name = escape_for_terminal(root);
    Finding::fail("there", format!("{name}: not a directory"))
        .advice(format!("move it away, then: mkdir -p {name}"))
}

fn refused(root: &Path, state: &State) -> Finding {
    let message = format!("{}: {state}, so its images are ignored", escape_for_terminal(root));
    let finding = Finding::fail("trusted", message);
    match state {
        State::Untrusted(reason) => finding.advice(format!(
            "{}; or untrusted=accept, if every account that can write there is trusted",
            remedy(reason)
        )),
        State::Unreadable => finding.advice("chmod o+rx it and every directory above"),
        _ => finding.advice("make it a directory that every node can reach"),
    }
}

fn usable(host: &Host, settings: &Settings, root: &Path) -> Finding {
    let path = host.path(root);
    let name = escape_for_terminal(root);
    if settings.untrusted == Untrusted::Refuse {
        return Finding::ok(
            "trusted",
            format!("{name}: exists, and only the system can write there"),
        );
    }
    match Root::enter(&path, Untrusted::Refuse).problem() {
        Some(state) => Finding::note("trusted", format!("{name}: {state}")).advice(
            "with untrusted=accept, every account that can write there controls what jobs run",
        ),
        None => Finding::note("trusted", format!("{name}: untrusted=accept is not needed for it")),
    }
}

/// Jobs access the root as their users. The superuser can read everything, so this check uses the
/// modes.
fn readable(host: &Host, root: &Path) -> Vec<Finding> {
    let real = fs::canonicalize(host.path(root)).unwrap_or_else(|_| host.path(root));
    let closed = |path: &&Path| {
        let wanted = if *path == real { 0o005 } else { 0o001 };
        fs::metadata(path).is_ok_and(|metadata| metadata.mode() & wanted != wanted)
    };
    let inside = real.ancestors().take_while(|path| path.starts_with(&host.prefix));
    let findings: Vec<Finding> = inside.filter(closed).map(|path| unreadable(root, path)).collect();
    match findings.is_empty() {
        true => vec![Finding::ok(
            "readable",
            format!("{}: users can read it", escape_for_terminal(root)),
        )],
        false => findings,
    }
}

fn unreadable(root: &Path, path: &Path) -> Finding {
    let (root, name) = (escape_for_terminal(root), escape_for_terminal(path));
    let metadata = fs::metadata(path);
    let mode = metadata.as_ref().map_or(0, |m| m.permissions().mode() & 0o7777);
    let message = format!("{root}: {name} has mode {mode:04o}");
    let group = |metadata: &Metadata| metadata.mode() & 0o010 != 0;
    if has_acl(path) {
        Finding::note(
            "readable",
            format!("{message} and an ACL: only the users and groups in the ACL find images"),
        )
    } else if metadata.is_ok_and(|m| group(&m)) {
        Finding::note("readable", format!("{message}: only members of its group find images"))
    } else {
        let message = format!("{message}: users find no images");
        Finding::fail("readable", message).advice(format!("chmod o+rx {name}"))
    }
}

fn has_acl(path: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    getxattr(path, "system.posix_acl_access", &mut nothing).is_ok_and(|length| length > 0)
}

fn space(root: &Path, real: &Path, kind: &str) -> Vec<Finding> {
    let name = escape_for_terminal(root);
    let Ok(stat) = statvfs(real) else {
        return vec![Finding::skipped(
            "space",
            format!("{name}: its file system does not report its free space"),
        )];
    };
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let message = format!("{name}: {kind}, mounted read-only here, which is enough for jobs");
        return vec![Finding::ok("space", message)];
    }
    let free = store::free(real).unwrap_or_default();
    room(&name, kind, &stat, free)
}

/// Checks the free space (`free`, in bytes) and the free inodes.
fn room(name: &str, kind: &str, stat: &StatVfs, free: u64) -> Vec<Finding> {
    let advice = "`sifcache gc` can free space; without free space, `sifcache add` fails";
    let size = stat.f_blocks.saturating_mul(stat.f_frsize);
    // A file system that does not report its space has a size of 0 here.
    let percent = free.saturating_mul(100).checked_div(size);
    let message = format!("{name}: {kind}, {} of {} free", format::size(free), format::size(size));
    let bytes = match percent {
        None => {
            Finding::note("space", format!("{name}: {kind}, which does not report its free space"))
        }
        Some(percent) if percent < MIN_FREE_PERCENT || free < MIN_FREE_BYTES => {
            Finding::warn("space", message).advice(advice)
        }
        Some(_) => Finding::ok("space", message),
    };
    let names = stat.f_ffree.saturating_mul(100).checked_div(stat.f_files);
    let few = names.filter(|percent| *percent < MIN_FREE_PERCENT).map(|percent| {
        let message = format!("{name}: {percent} % of its inodes are free");
        Finding::warn("inodes", message).advice("remove files with `sifcache gc`, or add inodes")
    });
    [Some(bytes), few].into_iter().flatten().collect()
}

/// Checks the command's own directory, which does not exist if the site has never used the command.
fn own_state(host: &Host, root: &Path) -> Vec<Finding> {
    let state: PathBuf = root.join(store::STATE);
    let name = escape_for_terminal(&state);
    let path = host.path(&state);
    let mut findings = Vec::new();
    if path.symlink_metadata().is_ok() && !path.is_dir() {
        let message = format!("{name}: not a directory, so the command cannot write");
        return vec![Finding::fail("state", message).advice(format!("move it away: {name}"))];
    }
    let parts = store::PARTS.iter().map(|part| state.join(part));
    let mut all = [state.clone()].into_iter().chain(parts).filter(|part| host.path(part).is_dir());
    if let Some(reason) = all.find_map(|part| host.writer(&part)) {
        let message = format!(
            "{reason}: every account that can write there can replace an image during its pull"
        );
        findings.push(Finding::fail("state", message).advice(remedy(&reason)));
    }
    findings.push(trial::check(host, root));
    findings
}
