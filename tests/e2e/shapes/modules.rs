//! A module system, with a modulefile that prepends another runtime to PATH.

use super::{LAUNCH, shape};
use crate::kit::{Output, Site};
use std::fs;

/// A job that loads the module of a runtime; `line` is added to the modulefile.
fn load(site: &Site, line: &str) -> Output {
    let directory = site.at("ctl", "/shared/modules/apptainer");
    fs::create_dir_all(&directory).unwrap();
    let text = format!("#%Module1.0\nprepend-path PATH /shared/apptainer/bin\n{line}\n");
    fs::write(directory.join("1.4"), text).unwrap();
    let bin = site.at("ctl", "/shared/apptainer/bin");
    fs::create_dir_all(&bin).unwrap();
    // For a search in PATH, this is a different runtime.
    let other = "#!/bin/sh\necho other >&2\nexec /usr/bin/apptainer \"$@\"\n";
    crate::kit::program(&bin.join("apptainer"), other);
    let script = format!(
        "#!/bin/bash -l\nmodule use /shared/modules\nmodule load apptainer/1.4\n\
         test $(command -v apptainer) != /usr/bin/apptainer || exit\n{LAUNCH}\n"
    );
    let output = site.sbatch(&[], &script);
    assert_eq!(output.stdout.matches("other\n").count(), 1, "{output:#?}");
    output
}

#[test]
#[ignore = "needs a testbed: make test"]
fn without_and_with_the_line() {
    shape("a modulefile that prepends another runtime to `PATH`", 1, |site| load(site, ""));
    shape("the same modulefile with sifcache's line", 1, |site| {
        let option = site.option_for_duplicates();
        load(site, &format!("prepend-path {option} PATH /usr/libexec/sifcache/bin-apptainer"))
    });
}
