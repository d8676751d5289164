use super::{Build, NotBuild, find};

fn parse_with(line: &str, variables: &[(&str, &str)]) -> Result<Build, NotBuild> {
    let argv: Vec<&str> = line.split(' ').collect();
    let environment = |name: &str| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_bytes().to_vec())
    };
    find(&argv, &["singularity".to_owned(), "apptainer".to_owned()], &environment)
}

/// Checks that the target is `F` and the source is `IMG`. Returns the kind of the target.
fn kind(line: &str, variables: &[(&str, &str)]) -> Result<&'static str, NotBuild> {
    let build = parse_with(line, variables)?;
    let argv: Vec<&str> = line.split(' ').collect();
    assert_eq!((argv[build.target_index], argv[build.image_index]), ("F", "IMG"), "{line}");
    Ok(if build.sandbox { "sandbox" } else { "" })
}

#[test]
fn builds_whose_source_can_be_replaced() {
    for (line, expected) in [
        ("singularity build F IMG", ""),
        ("apptainer build --force F IMG", ""),
        ("apptainer build -F F IMG", ""),
        ("apptainer build -F -- F IMG", ""),
        ("singularity --nocolor build --force --sandbox F IMG", "sandbox"),
        ("singularity -q build --sandbox F IMG", "sandbox"),
        ("singularity build -s F IMG", "sandbox"),
        ("singularity build -sFT F IMG", "sandbox"),
        ("singularity build --sandbox --sandbox=false F IMG", ""),
        ("singularity build --tmpdir --sandbox F IMG", ""),
        ("singularity build --library x --docker-host=y F IMG", ""),
        ("singularity build --section test --nv --rocm --nvccli --bind /a -B/b F IMG", ""),
        ("apptainer build --mount x --writable-tmpfs --userns --mksquashfs-args -all F IMG", ""),
        ("singularity build --no-oci F IMG", ""),
        ("apptainer -c file build F IMG", ""),
    ] {
        assert_eq!(kind(line, &[]), Ok(expected), "{line}");
    }
}

#[test]
fn builds_that_pass() {
    for (line, why) in [
        ("true build F IMG", NotBuild::NotRuntime),
        ("apptainer pull F IMG", NotBuild::OtherSubcommand),
        ("apptainer", NotBuild::OtherSubcommand),
        ("apptainer build", NotBuild::Arguments),
        ("apptainer build F", NotBuild::Arguments),
        ("apptainer build F IMG x", NotBuild::Arguments),
        ("apptainer build F IMG --force", NotBuild::Arguments),
        ("apptainer build --help F IMG", NotBuild::Help),
        ("apptainer build -Fh F IMG", NotBuild::Help),
        ("apptainer build -n F IMG", NotBuild::UnknownFlag(2)),
        ("apptainer build --dir x F IMG", NotBuild::UnknownFlag(2)),
        ("apptainer build --sandbox=maybe F IMG", NotBuild::BadValue(2)),
        ("apptainer build F IMG --tmpdir", NotBuild::Arguments),
        ("apptainer build --tmpdir", NotBuild::BadValue(2)),
        ("apptainer -q build --force --arch arm64 F IMG", NotBuild::Altering(4)),
        ("apptainer build -fF F IMG", NotBuild::Altering(2)),
        ("apptainer build --update --sandbox F IMG", NotBuild::Altering(2)),
        ("apptainer build -u F IMG", NotBuild::Altering(2)),
        ("apptainer build -r F IMG", NotBuild::Altering(2)),
        ("apptainer build --disable-cache=false F IMG", NotBuild::Altering(2)),
        ("apptainer build --data F IMG", NotBuild::Altering(2)),
        ("apptainer build --no-https F IMG", NotBuild::Altering(2)),
        ("apptainer build --encrypt F IMG", NotBuild::Altering(2)),
        ("apptainer build --oci F IMG", NotBuild::Altering(2)),
        ("apptainer build --force --sandbox --fix-perms F IMG", NotBuild::Altering(4)),
        ("apptainer build --no-cleanup F IMG", NotBuild::Altering(2)),
        ("apptainer build --tmpdir /a:b F IMG", NotBuild::Directory),
        ("apptainer build --sandbox /a,b/F IMG", NotBuild::Directory),
    ] {
        assert_eq!(kind(line, &[]), Err(why), "{line}");
    }
}

#[test]
fn variables_set_flags() {
    let line = "apptainer build F IMG";
    for (name, value, expected) in [
        ("APPTAINER_SANDBOX", "1", Some("sandbox")),
        ("SINGULARITY_SANDBOX", " true ", Some("sandbox")),
        ("APPTAINER_FIXPERMS", "T", None),
        ("APPTAINER_FIXPERMS", "F", Some("")),
        ("SINGULARITY_NO_CLEANUP", "1", None),
        ("APPTAINER_TMPDIR", "/a:b", None),
        ("APPTAINER_TMPDIR", "/a", Some("")),
        ("APPTAINER_SANDBOX", "yes", None),
        ("APPTAINER_BINDPATH", "/a", Some("")),
        ("SINGULARITY_UPDATE", "0", Some("")),
        ("SINGULARITY_UPDATE", "1", None),
        ("SINGULARITY_UPDATE", "x", None),
        ("SINGULARITY_DOCKER_PASSWORD", "0", None),
        ("DOCKER_USERNAME", "me", None),
        ("DOCKER_USERNAME", "", Some("")),
        ("DOCKER_HOST", "x", Some("")),
        ("UPDATE", "1", Some("")),
    ] {
        assert_eq!(kind(line, &[(name, value)]).ok(), expected, "{name}={value}");
    }
    assert_eq!(kind("apptainer build -s=0 F IMG", &[("APPTAINER_SANDBOX", "1")]), Ok(""));
}
