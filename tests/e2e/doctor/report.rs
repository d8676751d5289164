//! `sifcache doctor` as run by root and alice on two hosts, and its report.

use crate::kit::Site;
use serde_json::Value;

pub(super) const DOCTOR: [&str; 3] = ["sifcache", "doctor", "--json"];

/// The user who runs it, and the host.
#[derive(Debug, Clone, Copy)]
pub(super) enum As {
    RootOnCtl,
    AliceOnCtl,
    RootOnN1,
    AliceOnN1,
}

pub(super) const ALL: [As; 4] = [As::RootOnCtl, As::AliceOnCtl, As::RootOnN1, As::AliceOnN1];

/// The report of `doctor`.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) status: i32,
    pub(super) findings: Vec<Value>,
}

pub(super) fn doctor(site: &Site, who: As) -> Report {
    let job = [&["srun", "-w", "n1"], &DOCTOR[..]].concat();
    let output = match who {
        As::RootOnCtl => site.exec(&[], &DOCTOR, ""),
        As::AliceOnCtl => site.alice(&DOCTOR),
        As::RootOnN1 => site.exec(&[], &job, ""),
        As::AliceOnN1 => site.alice(&job),
    };
    let object: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:#?}"));
    Report { status: output.status, findings: object["findings"].as_array().unwrap().clone() }
}

impl Report {
    /// The problems, as `LEVEL AREA: CHECK`.
    pub(super) fn wrong(&self) -> Vec<String> {
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let bad = |finding: &&Value| matches!(finding["level"].as_str(), Some("warn" | "fail"));
        let describe =
            |f: &Value| format!("{} {}: {}", text(f, "level"), text(f, "area"), text(f, "check"));
        self.findings.iter().filter(bad).map(describe).collect()
    }

    /// Asserts that exactly these problems are reported, and that some finding contains `text`.
    #[track_caller]
    pub(super) fn names(&self, wrong: &[&str], text: &str) {
        assert_eq!(self.wrong(), wrong, "{self:#?}");
        let all = |f: &Value| format!("{} | {}", f["message"], f["advice"]);
        assert!(self.findings.iter().any(|f| all(f).contains(text)), "{text}: {self:#?}");
        let fails = wrong.iter().any(|line| line.starts_with("fail"));
        assert_eq!(self.status == 0, !fails, "{self:#?}");
    }

    /// Asserts that no problem is reported.
    #[track_caller]
    pub(super) fn is_fine(&self) {
        assert_eq!((self.status, self.wrong()), (0, Vec::new()), "{self:#?}");
    }
}
