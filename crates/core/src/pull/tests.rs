use super::{NotPull, Pull, find};
use crate::command_line::{ByFlags, Level};

const RUNTIMES: [&str; 2] = ["singularity", "apptainer"];

fn parse_with(line: &str, variables: &[(&str, &str)]) -> Result<Pull, NotPull> {
    // `''` stands for an empty argument.
    let argv: Vec<&str> = line.split(' ').map(|arg| if arg == "''" { "" } else { arg }).collect();
    let environment = |name: &str| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_bytes().to_vec())
    };
    find(&argv, &RUNTIMES.map(str::to_owned), &environment)
}

/// The pull in short: the target as `DIR/FILE`, with `?` for the default name, and `!` for `force`;
/// `-` for an image that is not from a registry.
fn target(line: &str, variables: &[(&str, &str)]) -> Result<String, NotPull> {
    let pull = parse_with(line, variables)?;
    let argv: Vec<&str> = line.split(' ').collect();
    if !argv[pull.image_index].starts_with("docker://") {
        return Ok("-".to_owned());
    }
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let dir = pull.dir.map(|dir| format!("{}/", text(dir))).unwrap_or_default();
    let file = pull.file.map_or("?".to_owned(), text);
    Ok(format!("{dir}{file}{}", if pull.force { "!" } else { "" }))
}

#[test]
fn pulls_of_engines() {
    for (line, expected) in [
        ("singularity pull docker://a", "?"),
        ("singularity pull --name /x/a:1.sif docker://a:1", "/x/a:1.sif"),
        ("apptainer pull --name 0123.simg docker://a:1", "0123.simg"),
        ("singularity pull --force --name /x/a.sif docker://a", "/x/a.sif!"),
        ("singularity pull --name a.sif --force docker://a", "a.sif!"),
        ("singularity pull /x/docker___a_1.sif docker://a:1", "/x/docker___a_1.sif"),
        ("singularity pull --force a.sif docker://a", "a.sif!"),
        ("singularity --quiet pull --name a.sif docker://a", "a.sif"),
        ("singularity pull --dir d docker://a", "d/?"),
        ("singularity pull --dir d --name f docker://a", "d/f"),
        ("singularity pull --dir d /f docker://a", "d//f"),
    ] {
        assert_eq!(target(line, &[]).as_deref(), Ok(expected), "{line}");
    }
}

/// Targets of command lines with `URI` as the image. `-` stands for a line that is not a pull.
const LINES: &[(&str, &str)] = &[
    // The program and the options before the subcommand.
    ("/usr/bin/apptainer pull URI", "?"),
    ("apptainer -d -s pull URI", "?"),
    ("apptainer -d --nocolor -v=0 pull URI", "?"),
    ("apptainer -c file pull URI", "-"),
    ("apptainer --config=file pull URI", "-"),
    ("apptainer --build-config pull URI", "-"),
    ("singularity -t file pull URI", "-"),
    ("apptainer -dc file pull URI", "-"),
    ("apptainer -F pull URI", "-"),
    ("apptainer pull -q URI", "-"),
    ("apptainer -- pull URI", "-"),
    ("apptainer --help pull URI", "-"),
    ("apptainer -q=maybe pull URI", "-"),
    ("apptainer PULL URI", "-"),
    ("apptainer pul URI", "-"),
    ("apptainer run URI", "-"),
    ("apptainer key pull URI", "-"),
    ("apptainer", "-"),
    ("true pull URI", "-"),
    // The arguments.
    ("apptainer pull", "-"),
    ("apptainer pull --", "-"),
    ("apptainer pull f", "-"),
    ("apptainer pull f URI", "f"),
    ("apptainer pull f URI x", "-"),
    ("apptainer pull URI -F", "-"),
    ("apptainer pull f URI -F", "-"),
    ("apptainer pull '' URI", "-"),
    ("apptainer pull - URI", "-"), // The file is called `-`.
    ("apptainer pull -- URI", "?"),
    ("apptainer pull -- -F URI", "-F"),
    ("apptainer pull -- -- URI", "--"),
    ("apptainer pull -F -- f URI", "f!"),
    ("apptainer pull docker://f URI", "docker://f"),
    // The name.
    ("apptainer pull --name f URI", "f"),
    ("apptainer pull --name=f URI", "f"),
    ("apptainer pull --name=a=b URI", "a=b"),
    ("apptainer pull --name f g URI", "f"),
    ("apptainer pull --name f --name g URI", "g"),
    ("apptainer pull --name f --name= URI", "?"),
    ("apptainer pull --name= g URI", "g"),
    ("apptainer pull --name '' g URI", "g"),
    ("apptainer pull --name -F URI", "-F"),
    ("apptainer pull --name -- URI", "--"),
    ("apptainer pull --name --help URI", "--help"),
    ("apptainer pull --name docker://f URI", "docker://f"),
    ("apptainer pull --name URI", "-"),
    ("apptainer pull --name", "-"),
    ("apptainer pull --nam f URI", "-"),
    ("apptainer pull -name f URI", "-"),
    // The directory.
    ("apptainer pull --dir d URI", "d/?"),
    ("apptainer pull --dir=d f URI", "d/f"),
    ("apptainer pull --dir d --dir e f URI", "e/f"),
    ("apptainer pull --dir= f URI", "f"),
    ("apptainer pull --dir d --name '' URI", "d/?"),
    ("apptainer pull --dir d '' URI", "-"),
    // `--force`.
    ("apptainer pull -F URI", "?!"),
    ("apptainer pull -FF URI", "?!"),
    ("apptainer pull -F=false f URI", "f"),
    ("apptainer pull -F=no f URI", "-"),
    ("apptainer pull -F= f URI", "-"),
    ("apptainer pull -f f URI", "-"),
    ("apptainer pull --force=1 f URI", "f!"),
    ("apptainer pull --force --force=0 f URI", "f"),
    ("apptainer pull --force=0 -F f URI", "f!"),
    ("apptainer pull --force true URI", "true!"),
    ("apptainer pull -Ff URI", "-"),
    // Help.
    ("apptainer pull -h f URI", "-"),
    ("apptainer pull -Fh f URI", "-"),
    ("apptainer pull --help URI", "-"),
    ("apptainer pull --help=false f URI", "f"),
    // Options that do not change the image.
    ("apptainer pull --tmpdir /t f URI", "f"),
    ("apptainer pull --library URI f URI", "f"),
    ("apptainer pull --docker-host=x f URI", "f"),
    ("apptainer pull --allow-unauthenticated f URI", "f"),
    // Options that do, and others.
    ("apptainer pull --arch amd64 f URI", "-"),
    ("apptainer pull --arch-variant v8 f URI", "-"),
    ("apptainer pull --platform linux/amd64 f URI", "-"),
    ("apptainer pull --no-https f URI", "-"),
    ("apptainer pull --nohttps f URI", "-"),
    ("apptainer pull --docker-login f URI", "-"),
    ("apptainer pull --docker-username u --docker-password p f URI", "-"),
    ("apptainer pull --authfile a f URI", "-"),
    ("apptainer pull --disable-cache f URI", "-"),
    ("apptainer pull --disable-cache=false f URI", "-"),
    ("apptainer pull --no-cleanup f URI", "-"),
    ("apptainer pull --sandbox f URI", "-"),
    ("apptainer pull --reproducible f URI", "-"),
    ("singularity pull --oci f URI", "-"),
    ("singularity pull --no-oci f URI", "-"),
    ("singularity pull --keep-layers f URI", "-"),
    ("singularity pull --with-cosign f URI", "-"),
    ("apptainer pull -U f URI", "-"),
    ("apptainer pull --allow-unsigned=false f URI", "-"),
    ("apptainer pull --bind /a f URI", "-"),
    ("apptainer pull --nv f URI", "-"),
];

#[test]
fn targets() {
    for (line, expected) in LINES {
        let line = line.replace("URI", "docker://a");
        let found = target(&line, &[]);
        assert_eq!(found.as_deref().unwrap_or("-"), *expected, "{line}: {found:?}");
    }
}

#[test]
fn reasons_to_pass() {
    for (line, why) in [
        ("true pull docker://a", NotPull::NotRuntime),
        ("apptainer build f docker://a", NotPull::OtherSubcommand),
        ("apptainer pull", NotPull::Arguments),
        ("apptainer pull -h docker://a", NotPull::Help),
        ("apptainer -q pull -F --nv docker://a", NotPull::UnknownFlag(4)),
        ("apptainer -q pull -F --name", NotPull::BadValue(4)),
        ("apptainer -q pull -F '' docker://a", NotPull::BadValue(4)),
        ("apptainer -q pull -F --arch arm64 docker://a", NotPull::Altering(4)),
        ("apptainer -q -c f pull --arch arm64 docker://a", NotPull::Altering(2)),
    ] {
        assert_eq!(parse_with(line, &[]), Err(why), "{line}");
    }
    assert_eq!(find::<&str>(&[], &[], &|_| None), Err(NotPull::Empty));
}

/// The variables of a job.
type Variables = [(&'static str, &'static str)];

/// Command lines, variables, and the target.
const VARIABLES: &[(&str, &Variables, &str)] = &[
    ("apptainer pull docker://a", &[("APPTAINER_PULL_NAME", "f")], "f"),
    ("apptainer pull g docker://a", &[("APPTAINER_PULL_NAME", "f")], "f"),
    ("apptainer pull --name g docker://a", &[("APPTAINER_PULL_NAME", "f")], "g"),
    ("apptainer pull --name= docker://a", &[("APPTAINER_PULL_NAME", "f")], "?"),
    ("apptainer pull f docker://a", &[("APPTAINER_PULLFOLDER", " d ")], "d/f"),
    ("apptainer pull f docker://a", &[("APPTAINER_PULLFOLDER", "\u{a0}\t")], "f"),
    ("apptainer pull f docker://a", &[("SINGULARITY_PULLDIR", "d")], "d/f"),
    ("singularity pull f docker://a", &[("SINGULARITY_PULLFOLDER", "d")], "d/f"),
    ("singularity pull --dir e f docker://a", &[("SINGULARITY_PULLFOLDER", "d")], "e/f"),
    ("apptainer pull f docker://a", &[("APPTAINER_FORCE", "1")], "f!"),
    ("apptainer pull -F=0 f docker://a", &[("APPTAINER_FORCE", "1")], "f"),
    ("apptainer pull f docker://a", &[("APPTAINER_FORCE", "yes")], "-"),
    ("apptainer pull -F f docker://a", &[("APPTAINER_FORCE", "yes")], "f!"),
    // The first variable that has a value counts.
    (
        "apptainer pull f docker://a",
        &[("APPTAINER_PULLFOLDER", "e"), ("APPTAINER_PULLDIR", "d")],
        "d/f",
    ),
    (
        "apptainer pull f docker://a",
        &[("APPTAINER_PULLFOLDER", "e"), ("SINGULARITY_PULLDIR", "d")],
        "e/f",
    ),
    (
        "apptainer pull f docker://a",
        &[("APPTAINER_PULLDIR", ""), ("SINGULARITY_PULLDIR", "d")],
        "f",
    ),
    (
        "apptainer pull f docker://a",
        &[("APPTAINER_PULLDIR", ""), ("SINGULARITY_PULLFOLDER", "d")],
        "d/f",
    ),
    // Apptainer can be installed as `singularity`.
    ("singularity pull f docker://a", &[("APPTAINER_PULLDIR", "d")], "-"),
    (
        "singularity pull f docker://a",
        &[("APPTAINER_PULLDIR", "d"), ("SINGULARITY_PULLDIR", "d")],
        "d/f",
    ),
    (
        "singularity pull f docker://a",
        &[("APPTAINER_PULLDIR", "d"), ("SINGULARITY_PULLDIR", "e")],
        "-",
    ),
    (
        "apptainer pull f docker://a",
        &[("APPTAINER_PULLDIR", "d"), ("SINGULARITY_PULLDIR", "e")],
        "d/f",
    ),
    // Variables that do not change the image.
    ("apptainer pull f docker://a", &[("APPTAINER_LIBRARY", "x"), ("DOCKER_HOST", "x")], "f"),
    ("apptainer pull f docker://a", &[("APPTAINER_CACHEDIR", "x"), ("NAME", "x")], "f"),
    ("apptainer pull f docker://a", &[("APPTAINER_DISABLE_CACHE", "false")], "f"),
    ("apptainer pull f docker://a", &[("APPTAINER_AUTHFILE", " ")], "f"),
    // Variables that do.
    ("apptainer pull f docker://a", &[("APPTAINER_DISABLE_CACHE", "true")], "-"),
    ("apptainer pull f docker://a", &[("SINGULARITY_DISABLE_CACHE", "no")], "-"),
    ("singularity pull f docker://a", &[("APPTAINER_DISABLE_CACHE", "1")], "-"),
    ("apptainer pull f docker://a", &[("APPTAINER_AUTHFILE", "0")], "-"),
    ("apptainer pull f docker://a", &[("DOCKER_PASSWORD", "f")], "-"),
    ("apptainer pull f docker://a", &[("SINGULARITY_NAME", "x")], "-"),
    ("apptainer pull f docker://a", &[("SINGULARITY_OCI", "1")], "-"),
    ("apptainer pull f docker://a", &[("APPTAINER_CONFIG_FILE", "x")], "-"),
    ("apptainer pull f docker://a", &[("APPTAINER_SANDBOX", "1")], "-"),
];

#[test]
fn variables_set_flags() {
    for (line, variables, expected) in VARIABLES {
        let found = target(line, variables);
        assert_eq!(found.as_deref().unwrap_or("-"), *expected, "{line} {variables:?}: {found:?}");
    }
}

#[test]
fn a_variable_that_is_not_utf8() {
    let environment = |name: &str| (name == "APPTAINER_PULLDIR").then(|| b" \xff ".to_vec());
    let pull = find(&["apptainer", "pull", "x"], &["apptainer".to_owned()], &environment).unwrap();
    assert_eq!(pull.dir.as_deref(), Some(b"\xff".as_slice()));
}

#[test]
fn verbosity() {
    use Level::{Debug, Normal, Quiet, Silent, Verbose};
    for (options, variables, expected) in [
        ("", &[] as &[(&str, &str)], Normal),
        ("-q ", &[], Quiet),
        ("-s ", &[], Silent),
        ("-v ", &[], Verbose),
        ("-d ", &[], Debug),
        ("-sq ", &[], Quiet),
        ("-qv ", &[], Verbose),
        ("-qsvd ", &[], Debug),
        ("-q --quiet=false ", &[], Normal),
        ("--silent -q=0 ", &[], Silent),
        ("", &[("APPTAINER_QUIET", "1")], Quiet),
        ("", &[("SINGULARITY_SILENT", "1")], Silent),
        ("-q=0 ", &[("APPTAINER_QUIET", "1")], Normal),
        ("-s ", &[("APPTAINER_QUIET", "1")], Quiet),
        ("", &[("APPTAINER_MESSAGELEVEL", "5")], Debug),
        ("", &[("APPTAINER_MESSAGELEVEL", "4")], Verbose),
        ("", &[("APPTAINER_MESSAGELEVEL", "-3")], Normal),
        ("", &[("APPTAINER_MESSAGELEVEL", "x")], Normal),
        ("-q ", &[("APPTAINER_MESSAGELEVEL", "5")], Quiet),
    ] {
        let pull = parse_with(&format!("apptainer {options}pull docker://a"), variables).unwrap();
        let verbosity = pull.verbosity;
        assert_eq!((verbosity.level, verbosity.color), (expected, true), "{options}");
        let by_flags = match options {
            "-q " | "-sq " => Quiet,
            "-s " | "--silent -q=0 " => Silent,
            "-v " | "-qv " => Verbose,
            "-d " | "-qsvd " => Debug,
            _ => Normal,
        };
        assert_eq!(verbosity.by_flags, ByFlags { level: by_flags, color: true }, "{options}");
    }
    let invalid = parse_with("apptainer -d pull docker://a", &[("APPTAINER_QUIET", "2")]);
    assert!(matches!(invalid, Err(NotPull::AlteringVariable(_))), "{invalid:?}");
}

#[test]
fn colors() {
    for (line, variables) in [
        ("apptainer --nocolor pull docker://a", &[] as &[(&str, &str)]),
        ("apptainer pull docker://a", &[("APPTAINER_NOCOLOR", "1")]),
    ] {
        let verbosity = parse_with(line, variables).unwrap().verbosity;
        assert!(!verbosity.color, "{line}");
        assert_eq!(verbosity.by_flags.color, !line.contains("--nocolor"), "{line}");
    }
}
