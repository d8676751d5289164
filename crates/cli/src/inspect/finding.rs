//! Findings: problems and notes, as one text line or one JSON object each.

use super::fix::Fix;
use crate::cache::squashfs::Damage;
use crate::cache::store::architecture::{self, Architecture};
use sifcache_core::image::State;
use sifcache_core::sif;
use sifcache_core::trust::{UntrustedReason, Writer};
use std::path::{Path, PathBuf};

// Problems. In addition, core defines tokens for refused candidates.
pub(crate) const UNREADABLE_FOR_USERS: &str = "unreadable-for-users";
pub(crate) const NO_REFERENCE: &str = "no-reference";
pub(crate) const MISNAMED: &str = "misnamed";
pub(crate) const TWO_FILES: &str = "two-files";
pub(crate) const SHADOWED: &str = "shadowed";
pub(crate) const DIGEST_MISMATCH: &str = "digest-mismatch";
pub(crate) const INTERRUPTED: &str = "interrupted";
pub(crate) const RECORD_WITHOUT_IMAGE: &str = "record-without-image";
pub(crate) const BAD_SIGNATURE: &str = "bad-signature";
pub(crate) const DAMAGED: &str = "damaged-file-system";
pub(crate) const NO_ANSWER: &str = "no-answer";
pub(crate) const ABSENT: &str = "absent";
pub(crate) const NOT_A_DIRECTORY: &str = "not-a-directory";
pub(crate) const BAD_DECLARATION: &str = "bad-architecture";
pub(crate) const VIEW_OUTDATED: &str = "view-outdated";
pub(crate) const VIEW_NAME_TAKEN: &str = "view-name-taken";
pub(crate) const VIEW_NOT_READ: &str = "view-not-read";
// Notes.
pub(crate) const VIEW_SHARED_NAME: &str = "view-shared-name";
pub(crate) const STRAY: &str = "stray";
pub(crate) const GROUP_ONLY: &str = "group-only";
pub(crate) const LINK_LOOP: &str = "link-loop";
pub(crate) const OTHER_ROOT: &str = "other-root";
pub(crate) const IN_PROGRESS: &str = "in-progress";
pub(crate) const KEPT: &str = "kept";
pub(crate) const UNKNOWN_SIGNER: &str = "unknown-signer";
pub(crate) const NOT_VERIFIED: &str = "not-verified";

/// One finding.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// A stable identifier: docs/verify.md.
    pub(crate) token: &'static str,
    /// Whether it affects jobs, now or in the future.
    pub(crate) is_problem: bool,
    /// The subject of the finding.
    pub(crate) path: PathBuf,
    /// What is wrong with it.
    pub(crate) what: String,
    /// What to do; empty if nothing needs to be done.
    pub(crate) advice: String,
    /// The change that `--fix` makes.
    pub(crate) fix: Option<Fix>,
    /// For a directory: the files that jobs do not find because of it.
    pub(crate) affected: Vec<PathBuf>,
}

impl Finding {
    /// A problem, which sets the exit status to 1.
    pub(crate) fn problem(
        token: &'static str,
        path: &Path,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            token,
            is_problem: true,
            path: path.to_owned(),
            what: what.into(),
            advice: advice.into(),
            fix: None,
            affected: Vec::new(),
        }
    }

    /// A note, which does not affect the exit status.
    pub(crate) fn note(
        token: &'static str,
        path: &Path,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { is_problem: false, ..Self::problem(token, path, what, advice) }
    }

    /// A candidate that core refused.
    pub(crate) fn refused(path: &Path, state: &State) -> Self {
        Self::problem(state.token(), path, state.to_string(), advice(state))
    }

    /// An image whose root file system cannot be read completely.
    pub(crate) fn damaged(path: &Path, damage: &Damage) -> Self {
        let what = damage.to_string();
        match damage {
            Damage::Unsupported(_) => Self::note(NOT_VERIFIED, path, what, "start it once"),
            Damage::Io(_) => {
                let token = State::Failed(0).token();
                Self::problem(token, path, what, "check the disk and the kernel log")
            }
            _ => Self::problem(DAMAGED, path, what, "pull or copy the image again"),
        }
    }

    /// An image whose architecture differs from that of the root.
    pub(crate) fn wrong_architecture(
        path: &Path,
        actual: &'static str,
        wanted: Architecture,
        root: &Path,
    ) -> Self {
        let state = State::WrongArchitecture(actual);
        let declaration = architecture::path(root);
        let what = match wanted == sif::host_architecture() && !declaration.exists() {
            true => state.to_string(),
            false => architecture::describe(&state, wanted),
        };
        let mut advice = format!("pull it with --arch {wanted}");
        if actual != sif::UNKNOWN_ARCHITECTURE {
            advice += &format!(
                ", or keep it in an image root that declares {actual} in .sifcache/architecture"
            );
        }
        Self::problem(state.token(), path, what, advice)
    }

    /// A path component that an ordinary user could write to.
    pub(crate) fn untrusted(reason: &UntrustedReason) -> Self {
        let (what, advice) = match reason.by {
            Writer::Owner(uid) => {
                (format!("belongs to the ordinary user {uid}"), "chown it to root")
            }
            Writer::Unmapped(uid) => (
                format!("belongs to {uid}, the ID of owners that this user namespace does not map"),
                "run this outside of the user namespace",
            ),
            Writer::Group(gid) => {
                (format!("can be written by the group {gid} or by an ACL"), "chmod g-w")
            }
            Writer::Others => ("can be written by everybody".to_owned(), "chmod go-w"),
        };
        let token = State::Untrusted(reason.clone()).token();
        Self::problem(token, &reason.path, what, advice)
    }

    /// The same finding with a fix.
    pub(crate) fn with_fix(self, fix: Option<Fix>) -> Self {
        Self { fix, ..self }
    }

    /// The text after the path.
    pub(crate) fn message(&self) -> String {
        match self.affected.len() {
            0 => self.what.clone(),
            1 => format!("{}, so jobs do not get 1 file", self.what),
            count => format!("{}, so jobs do not get {count} files", self.what),
        }
    }
}

/// Advice for a refused file.
fn advice(state: &State) -> String {
    match state {
        State::Truncated { .. } => "wait until the copy is complete, or copy it again".into(),
        State::Empty | State::NotSif => {
            "put the image there again, or remove the file from the image root".into()
        }
        State::UnknownVersion => "pull it with a runtime whose images this host can start".into(),
        State::Encrypted => {
            "pull or build it without encryption; each start requires the key".into()
        }
        State::OciSif => "pull it without --oci".into(),
        State::NoRootFileSystem => {
            "pull the image again; keep data and overlays outside the image root".into()
        }
        State::BadTable => "pull the image again".into(),
        State::UnknownFileSystem(_) => "pull the image again, or build it from a sandbox".into(),
        State::DanglingLink => "remove the link, or restore its target".into(),
        State::NotAFile("directory") => "build a SIF file from it, or move it elsewhere".into(),
        State::NotAFile(_) => "move it out of the image root".into(),
        State::Unreadable => "verify it as root, or make it readable by all users".into(),
        _ => "check the file system and the kernel log".into(),
    }
}
