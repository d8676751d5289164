//! What Slurm's accounting shows about a step, who can write it, and at which cost: the tables of
//! `docs/accounting.md`. If a release of Slurm gains a field in which a hit could be recorded, these
//! tests fail.

mod cluster;
mod join;
mod page;

use crate::kit::{IMAGE, SHARED, Site, sif};
use cluster::Cluster;
use page::Page;
use std::fs;

/// The fields of a job that hold a text.
const OF_JOBS: [&str; 6] =
    ["Comment", "Extra", "SystemComment", "AdminComment", "WCKey", "JobName"];

/// In a step on a node: tries to write all fields of the job, then those of the step.
const WRITE: &str = "\
for field in Comment Extra SystemComment AdminComment WCKey JobName; do \
  scontrol update JobId=$SLURM_JOB_ID $field=written; \
done
for field in Name JobName Comment Container SubmitLine; do \
  scontrol update StepId=$SLURM_JOB_ID.$SLURM_STEP_ID $field=written; \
done";

/// Facts about Slurm that are the same in all releases with accounting, plus a table for each one.
#[test]
#[ignore = "needs a testbed: make test"]
fn no_field_of_a_step_can_hold_a_hit() {
    let _site = Site::new("");
    let cluster = Cluster::up();
    let page = Page::new(cluster::release());
    fields_of_jobs(&cluster, &page);
    fields_of_steps(&cluster, &page);
    after_a_hit(&cluster, &page);
    join::as_documented(&cluster);
}

/// The job's owner and root try to write each field from a step; root tries it again after the end
/// of the job, in the database.
fn fields_of_jobs(cluster: &Cluster, page: &Page) {
    let before = cluster.updates();
    let [owner, root] = ["alice", "root"].map(|user| cluster.job(user, &["bash", "-c", WRITE]));
    // Each attempt that Slurm does not refuse before it is sent costs slurmctld a message.
    assert!(cluster.updates() >= before + 8, "{} messages", cluster.updates() - before);
    for field in OF_JOBS {
        let shown = |job: &str| cluster.sacct(job, field);
        let cell = |row: &Option<String>| match row.as_deref() {
            None => "no such field",
            Some("written") => "writes",
            Some(_) => "refused",
        };
        let by_owner = cluster.sacct(&owner, field);
        let by_root = shown(&root);
        let modify = format!("{field}=later");
        let words = ["sacctmgr", "-i", "modify", "job", "where", &format!("jobid={root}"), "set"];
        cluster.exec("root", &[&words[..], &[&modify]].concat());
        let later = match shown(&root).as_deref() {
            None => "no such field",
            Some("later") => "writes",
            Some(_) => "refused",
        };
        // Even where the job's row has a text, the row of its step has none of them.
        let of_step = cluster.sacct(&format!("{root}.0"), field).unwrap_or_default();
        assert!(!["written", "later"].contains(&of_step.as_str()), "{field}: {of_step}");
        page.compare(&format!("`{field}`"), &[cell(&by_owner), cell(&by_root), later]);
    }
    for field in ["JobName", "Comment", "Container", "SubmitLine"] {
        let of_step = cluster.sacct(&format!("{owner}.0"), field).unwrap_or_default();
        assert_ne!(of_step, "written", "{field} of a step can be written");
    }
}

/// A plugin sets all variables of which a field could be made; srun's own options; trackable
/// resources.
fn fields_of_steps(cluster: &Cluster, page: &Page) {
    let fields =
        [("JobName", "JOB_NAME"), ("Container", "CONTAINER"), ("SubmitLine", "SUBMIT_LINE")];
    let written = |name: &str| format!("SLURM_{name}=written SLURM_STEP_{name}=written ");
    let words: String = fields.iter().map(|(_, name)| written(name)).collect();
    cluster.plugstack(&format!("required writer.so {words} SLURM_COMMENT=written\n"));
    let job = cluster.job("alice", &["true"]);
    let seen = cluster.exec("alice", &["srun", "printenv", "SLURM_JOB_NAME", "SLURM_CONTAINER"]);
    assert_eq!(seen.stdout, "written\nwritten\n", "the plugin does not run: {seen:#?}");
    cluster.plugstack("");
    for (field, name) in fields {
        let shown = cluster.sacct(&format!("{job}.0"), field);
        let cell = if shown.as_deref() == Some("written") { "written" } else { "unchanged" };
        page.compare(&format!("a plugin sets `SLURM_{name}`: `{field}`"), &[cell]);
    }

    let job = cluster.job("alice", &["--container=o/i:1", "true"]);
    let shown = cluster.sacct(&format!("{job}.0"), "Container").unwrap_or_default();
    page.compare("`srun --container=o/i:1 true`: `Container`", &[&code(&shown)]);

    let output = cluster.exec("alice", &["srun", "--tres-per-task=image:1", "true"]);
    let cell = if output.status == 0 { "accepted" } else { "refused" };
    page.compare("`srun --tres-per-task=image:1 true`", &[cell]);

    let sleep = cluster.job("alice", &["sleep", "2"]);
    let usage = cluster.sacct(&format!("{sleep}.0"), "TRESUsageInTot").unwrap_or_default();
    let names: Vec<&str> = usage.split(',').filter_map(|one| one.split('=').next()).collect();
    page.compare("names in `TRESUsageInTot`", &[&code(&names.join(" "))]);
}

fn code(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") }
}

/// `SubmitLine` shows the command that the user typed, and nothing of the file that the node started.
fn after_a_hit(cluster: &Cluster, page: &Page) {
    let image = cluster.root("ctl").join("shared/sif/o/i:1");
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::copy(sif(IMAGE), image).unwrap();
    cluster.plugstack(&format!("optional spank_sifcache.so image_root={SHARED} nested=path\n"));
    let launch = ["apptainer", "exec", "docker://o/i:1", "cat", "/etc/image-name"];
    let job = cluster.job("alice", &launch);
    let line = cluster.sacct(&format!("{job}.0"), "SubmitLine").unwrap_or_default();
    assert!(line.ends_with(&launch.join(" ")), "{line}");
    let all = cluster.sacct(&format!("{job}.0"), "ALL").unwrap_or_default();
    assert!(all.contains("docker://o/i:1") && !all.contains(SHARED), "{all}");
    page.compare("`SubmitLine` of a hit", &["`srun … docker://o/i:1 …`"]);
}
