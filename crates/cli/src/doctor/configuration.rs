//! The runtime's own configuration, as far as it would refuse what we put in place of a
//! reference.
//!
//! Sources: `apptainerconf/parser.go` and `prepare_linux.go` of Apptainer, the same of
//! SingularityCE: a directive may stand several times and each line may list several values,
//! parted by commas. The limits hold for every start that reads the file, set-uid or not;
//! without set-uid a user can get around them, but a launch as jobs make it does not.

use super::finding::Finding;
use super::host::Host;
use super::runtimes::{self, Runtime};
use crate::output::plain;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The checks.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let (found, _) = runtimes::find(host);
    let mut files: Vec<PathBuf> = Vec::new();
    let mut findings = Vec::new();
    for runtime in &found {
        match runtime.built_of_family("CONF_FILE").map(PathBuf::from) {
            Some(file) if files.contains(&file) => {}
            Some(file) => {
                findings.extend(one(host, runtime, &file));
                files.push(file);
            }
            None => {
                let name = plain(&runtime.path);
                let why = format!("{name} buildcfg does not say where its configuration is");
                findings.push(Finding::skipped("file", why));
            }
        }
    }
    if found.is_empty() {
        findings.push(Finding::skipped("file", "no runtime in PATH"));
    }
    findings
}

fn one(host: &Host, runtime: &Runtime, file: &Path) -> Vec<Finding> {
    let Some(text) = host.read(file) else {
        return vec![Finding::skipped("file", format!("{}: cannot be read", plain(file)))];
    };
    let mut findings = Vec::new();
    findings.extend(sif(file, &text));
    findings.extend(oci(file, &text));
    for root in host.site.settings.iter().flat_map(|settings| &settings.image_roots) {
        // Whether it is there is another check's.
        let Ok(real) = fs::canonicalize(host.path(root)) else { continue };
        findings.extend(paths(host, file, &text, root, &real));
        findings.extend(owners(host, file, &text, root, &real));
    }
    findings.extend(execution_control(host, runtime));
    if findings.is_empty() {
        let what = format!("{}: refuses no image for where it is or whose it is", plain(file));
        findings.push(Finding::ok("file", what));
    }
    findings
}

/// All values of a directive.
fn values<'a>(text: &'a str, directive: &'a str) -> impl Iterator<Item = &'a str> {
    let of = move |line: &'a str| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == directive).then_some(value)
    };
    text.lines()
        .filter_map(of)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|v| !v.is_empty())
}

/// Whether a directive has this value; the first one counts.
pub(crate) fn is(text: &str, directive: &str, value: &str) -> bool {
    values(text, directive).next() == Some(value)
}

fn sif(file: &Path, text: &str) -> Option<Finding> {
    let directive = "allow container sif";
    is(text, directive, "no").then(|| {
        let what = format!("{}: '{directive} = no' refuses every image", plain(file));
        Finding::fail("sif", what).advice(format!("set '{directive} = yes' there"))
    })
}

/// SingularityCE's; the plugin sees OCI mode only where the job asks for it.
fn oci(file: &Path, text: &str) -> Option<Finding> {
    is(text, "oci mode", "yes").then(|| {
        let what = format!(
            "{}: 'oci mode = yes', where a SIF runs under other rules than what a pull makes",
            plain(file)
        );
        Finding::warn("oci", what).advice(
            "set 'oci mode = no' there, or take the plugin's line out: jobs that ask for OCI mode \
             themselves are left alone, this setting cannot be seen from their command",
        )
    })
}

/// The runtime goes through the list in its order, and gives up at one that is not there.
fn paths(host: &Host, file: &Path, text: &str, root: &Path, real: &Path) -> Option<Finding> {
    let directive = "limit container paths";
    let mut limits = values(text, directive).peekable();
    limits.peek()?;
    for limit in limits {
        let Ok(limited) = fs::canonicalize(host.path(limit)) else {
            let what = format!("{}: '{directive}' has {limit}, which is not there", plain(file));
            return Some(
                Finding::fail("paths", format!("{what}: images under {} are refused", plain(root)))
                    .advice(format!("make {limit}, or take it out there")),
            );
        };
        if real.starts_with(limited) {
            return None;
        }
    }
    let root = plain(root);
    let what = format!("{}: '{directive}' refuses images under {root}", plain(file));
    Some(Finding::fail("paths", what).advice(format!("add there: {directive} = {root}")))
}

/// Images may belong to others than their root does, so this is only likely.
fn owners(host: &Host, file: &Path, text: &str, root: &Path, real: &Path) -> Vec<Finding> {
    let Ok(metadata) = fs::metadata(real) else { return Vec::new() };
    let limits = [
        ("limit container owners", "passwd", metadata.uid()),
        ("limit container groups", "group", metadata.gid()),
    ];
    let refused = |(directive, database, id): (&'static str, &str, u32)| {
        let names: Vec<&str> = values(text, directive).collect();
        let allowed =
            names.is_empty() || names.iter().any(|name| number(host, database, name) == Some(id));
        (!allowed).then(|| {
            let what = format!(
                "{}: '{directive} = {}' refuses images that belong to {id}, as {} does",
                plain(file),
                names.join(", "),
                plain(root)
            );
            Finding::warn("owners", what).advice("add the owner of the images there, by name")
        })
    };
    limits.into_iter().filter_map(refused).collect()
}

/// The number of a user or a group.
fn number(host: &Host, database: &str, name: &str) -> Option<u32> {
    let answer = host.ask("getent", &[database, name]).ok()?;
    answer.stdout.split(':').nth(2)?.parse().ok()
}

/// With an active list only images that are signed as it says are started.
fn execution_control(host: &Host, runtime: &Runtime) -> Option<Finding> {
    let directory = runtime.built_of_family("CONFDIR")?;
    let file = Path::new(directory).join("ecl.toml");
    let text = host.read(&file)?;
    let active = text
        .lines()
        .take_while(|line| !line.trim_start().starts_with('['))
        .filter_map(|line| line.split('#').next()?.split_once('='))
        .any(|(key, value)| key.trim() == "activated" && value.trim() == "true");
    active.then(|| {
        let what = format!("{}: activated, so unsigned images may be refused", plain(&file));
        Finding::warn("ecl", what)
            .advice("sign the images as it wants them, or have no group for the image roots in it")
    })
}

#[cfg(test)]
mod tests {
    use super::{is, values};

    #[test]
    fn directives() {
        let text = "# limit container paths = /no\n\
                    limit container paths = /a, /b\n \tlimit container paths=/c\n\
                    limit container paths =\nallow container sif = no\nallow container sif = yes";
        assert_eq!(values(text, "limit container paths").collect::<Vec<_>>(), ["/a", "/b", "/c"]);
        assert!(is(text, "allow container sif", "no"));
        assert!(!is(text, "oci mode", "yes"));
    }
}
