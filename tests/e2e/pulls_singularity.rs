//! Pulls that the shim answers as `singularity`.
//!
//! Command lines run through the real runtime with a registry, and through the shim without one.
//! Exit status, messages and the resulting files must be the same. Apptainer also installs itself
//! under this name, and is the runtime unless there is a [`singularity`].

use crate::kit::generated::{assert_same, run};
use crate::kit::singularity::singularity;
use crate::kit::{IMAGE, SHARED, Site, with_hub};
use crate::pulls::RUN;
use std::fs;

const APPTAINER: &str = "/usr/bin/singularity";
const SHIM: &str = "/usr/libexec/sifcache/bin/singularity";

/// Variables that the runtimes read or ignore, and the arguments of a pull before the image.
const LINES: [(&str, &str); 59] = [
    ("", "pull"),
    ("", "pull --name new"),
    ("", "pull directory/../new"),
    ("", "pull --name new ignored"),
    ("", "pull --dir=./directory// new"),
    ("", "pull --dir to-directory new"),
    ("", "pull --dir directory $PWD/new"),
    ("", "pull file"),
    ("", "pull -F file"),
    ("", "pull --force readonly"),
    ("", "pull -F link"),
    ("", "pull dangling"),
    ("", "pull directory"),
    ("", "pull --tmpdir /nowhere --library x --docker-host tcp://x new"),
    ("", "-q pull new"),
    ("", "-s pull new"),
    ("", "--nocolor pull new"),
    // The copy fails.
    ("", "pull -F directory"),
    ("", "pull -F to-directory"),
    ("", "pull nowhere/new"),
    ("", "pull ./nowhere/new"),
    ("", "pull nowhere//x/../new"),
    ("", "pull --dir nowhere new"),
    ("", "pull --dir nowhere/.. new"),
    ("", "pull -F --dir file new"),
    ("", "pull -F file/new"),
    ("", "pull locked/new"),
    ("", "pull --dir locked"),
    ("", "pull $(printf %0240d 0)"),
    ("", "pull $(printf %0256d 0)"),
    ("", "pull -F $(printf %0256d 0)"),
    ("", "pull -F /dev/null"),
    ("", "pull /proc/new"),
    ("", "-q pull nowhere/new"),
    ("", "-s pull nowhere/new"),
    // Go quotes some characters in another way than Rust.
    ("", r#"pull "nowhere/a b'c""#),
    ("", r#"pull $'nowhere/\xff"\\'"#),
    ("", r"pull $'nowhere/\n\t\r\a\b\v\f\x01\x7f'"),
    ("", r"pull $'nowhere/\u00e4 e\u0301 \U1f600'"),
    ("", r"pull $'nowhere/\u0085\u00a0\u00ad\u200b\u2028\ufeff\ue000\U000e0001'"),
    // Only Apptainer reads these.
    ("SINGULARITY_QUIET=1", "pull"),
    ("SINGULARITY_SILENT=1", "pull"),
    ("SINGULARITY_QUIET=1", "pull nowhere/new"),
    ("SINGULARITY_SILENT=1", "-q pull"),
    ("SINGULARITY_NOCOLOR=1", "pull"),
    // Both runtimes read these.
    ("SINGULARITY_DEBUG=0", "pull"),
    ("SINGULARITY_PULLDIR=directory SINGULARITY_PULLFOLDER=locked", "pull"),
    ("SINGULARITY_PULLFOLDER=", "pull"),
    ("SINGULARITY_PULLDIR=' directory '", "pull"),
    ("SINGULARITY_PULL_NAME=by-variable", "pull"),
    ("SINGULARITY_PULL_NAME=by-variable", "pull --name= new"),
    ("SINGULARITY_FORCE=true", "pull file"),
    ("SINGULARITY_FORCE=0", "pull file"),
    ("SINGULARITY_FORCE=1", "pull --force=false file"),
    ("SINGULARITY_TMPDIR=/nowhere", "pull"),
    ("SINGULARITY_LIBRARY=x SINGULARITY_DOCKER_HOST=tcp://x", "pull"),
    ("SINGULARITY_WITH_COSIGN=0 SINGULARITY_DOCKER_LOGIN=0 SINGULARITY_NO_HTTPS=0", "pull"),
    ("SINGULARITY_NOHTTPS=0 SINGULARITY_DISABLE_CACHE=false SINGULARITY_NO_CLEANUP=0", "pull"),
    ("SINGULARITY_SANDBOX=0 SINGULARITY_TMPDIR=/tmp", "pull"),
];

/// The script that runs the lines. The path of the image in the message of SingularityCE about a
/// copy is that of the runtime's own cache, or that of the image root.
fn script(runtime: &str) -> String {
    let directory = runtime.rsplit_once('/').unwrap().0;
    let run = RUN.replace("s/^/err: /", "s/(from \"[^\"]*\"/(from IMAGE/; s/^/err: /");
    assert_ne!(run, RUN);
    // The shim starts the first `singularity` of PATH.
    format!("PATH={directory}:$PATH\n{run}")
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_result_is_that_of_the_runtime() {
    let site = Site::new("");
    let runtime = singularity().unwrap_or(APPTAINER);
    let uri = format!("docker://{IMAGE}");
    let lines: Vec<String> = LINES
        .map(|(variables, words)| format!("022 {variables} PROGRAM {words} {uri}"))
        .into_iter()
        .collect();
    let script = script(runtime);
    let expected = with_hub(|| {
        let made = site.alice(&[runtime, "pull", "--force", "/home/alice/made.sif", &uri]);
        assert_eq!(made.status, 0, "{made:#?}");
        let path = site.at("ctl", SHARED).join(IMAGE);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(site.at("ctl", "/home/alice/made.sif"), path).unwrap();
        run(&site, &script, &lines, runtime)
    });
    assert_same(&lines, &expected, &run(&site, &script, &lines, SHIM));
    let named = expected.iter().filter(|result| result.contains("(from IMAGE to \"")).count();
    assert_eq!(named > 20, runtime != APPTAINER, "{named}");
}
