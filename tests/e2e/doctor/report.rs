//! `sifcache doctor` as those run it who do, and what it said.

use crate::kit::Site;
use serde_json::Value;

pub(super) const DOCTOR: [&str; 3] = ["sifcache", "doctor", "--json"];

/// Who runs it, and where.
#[derive(Debug, Clone, Copy)]
pub(super) enum As {
    RootOnCtl,
    AliceOnCtl,
    RootOnN1,
    AliceOnN1,
}

pub(super) const ALL: [As; 4] = [As::RootOnCtl, As::AliceOnCtl, As::RootOnN1, As::AliceOnN1];

/// What it said.
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
    /// What is wrong, as `LEVEL AREA: CHECK`.
    pub(super) fn wrong(&self) -> Vec<String> {
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let bad = |finding: &&Value| matches!(finding["level"].as_str(), Some("warn" | "fail"));
        let said =
            |f: &Value| format!("{} {}: {}", text(f, "level"), text(f, "area"), text(f, "check"));
        self.findings.iter().filter(bad).map(said).collect()
    }

    /// Exactly this is wrong; something that is said of it has this text.
    #[track_caller]
    pub(super) fn names(&self, wrong: &[&str], text: &str) {
        assert_eq!(self.wrong(), wrong, "{self:#?}");
        let all = |f: &Value| format!("{} | {}", f["what"], f["advice"]);
        assert!(self.findings.iter().any(|f| all(f).contains(text)), "{text}: {self:#?}");
        let fails = wrong.iter().any(|line| line.starts_with("fail"));
        assert_eq!(self.status == 0, !fails, "{self:#?}");
    }

    /// Nothing is wrong.
    #[track_caller]
    pub(super) fn is_fine(&self) {
        assert_eq!((self.status, self.wrong()), (0, Vec::new()), "{self:#?}");
    }
}
