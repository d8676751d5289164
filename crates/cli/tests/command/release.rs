//! `packaging/release-check`: each fault that it looks for, planted in a copy of the project.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A repository with one commit that contains the files of this project, and programs for `PATH`.
struct Copy {
    directory: TempDir,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn git(directory: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "safe.directory=*"]);
    let output = command.args(words).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

impl Copy {
    fn new() -> Self {
        let copy = Self { directory: TempDir::new().unwrap() };
        fs::create_dir(copy.path("")).unwrap();
        for file in
            git(&source(), &["ls-files", "--cached", "--others", "--exclude-standard"]).lines()
        {
            // Large files that the check does not read are left out.
            if !file.starts_with("crates/cli/tests/") && source().join(file).exists() {
                copy.write(file, fs::read(source().join(file)).unwrap());
                let permissions = fs::metadata(source().join(file)).unwrap().permissions();
                fs::set_permissions(copy.path(file), permissions).unwrap();
            }
        }
        let log = copy.path("CHANGELOG.md");
        let text = fs::read_to_string(&log).unwrap();
        // Between two releases, the changelog has a section for unreleased changes.
        let text = match text.split_once("## [Unreleased]") {
            Some((before, after)) => format!("{before}## [{VERSION}] - 2026-01-31{after}"),
            None => text,
        };
        fs::write(&log, text).unwrap();
        // This machine may lack Graphviz, so a script that stands in for it prints the project's
        // own diagrams.
        let drawn = copy.directory.path().join("drawn");
        fs::create_dir(&drawn).unwrap();
        for diagram in ["decision", "parts"] {
            let name = format!("{diagram}.svg");
            fs::copy(copy.path("docs/diagrams").join(&name), drawn.join(&name)).unwrap();
        }
        let script =
            "#!/bin/sh\nname=${2##*/}\ncat \"$(dirname \"$0\")/../drawn/${name%.dot}.svg\"\n";
        copy.program("dot", script);
        copy.program(
            "sifcache",
            &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_sifcache")),
        );
        git(&copy.path(""), &["init", "--quiet"]);
        git(&copy.path(""), &["add", "--all", "--force"]);
        git(&copy.path(""), &["commit", "--quiet", "--message", "x"]);
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("project").join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.directory.path().join("bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the check, and returns whether it succeeds and its messages without the prefix.
    fn check(&self, tag: &[&str]) -> (bool, Vec<String>) {
        let bin = self.directory.path().join("bin");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(self.path("packaging/release-check"));
        command.args(tag).env("PATH", path).env("SIFCACHE_COMMAND", bin.join("sifcache"));
        command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory");
        command.env("GIT_CONFIG_VALUE_0", "*").env("SOURCE_DATE_EPOCH", "0").stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let lines = text.lines().map(|line| line.replace("release-check: ", ""));
        (output.status.success(), lines.collect())
    }

    /// Asserts that the check fails with a message that contains each of these parts, and that it
    /// reports no other fault.
    #[track_caller]
    fn fails(&self, parts: &[&str], tag: &[&str]) {
        let (good, said) = self.check(tag);
        assert!(!good && said.len() == parts.len() + 1, "{parts:?}: {said:#?}");
        for part in parts {
            let part = part.replace("VERSION", VERSION);
            assert!(said.iter().any(|line| line.contains(&part)), "{part}: {said:#?}");
        }
    }

    /// Plants these faults, which are in different files, and asserts that the message of each is
    /// printed.
    fn plant(&self, faults: &[&Fault]) {
        for Fault(name, from, to, _) in faults {
            let text = fs::read_to_string(self.path(name)).unwrap();
            let [from, to] = [from, to].map(|text| text.replace("VERSION", VERSION));
            assert!(text.contains(&from), "{name} does not contain {from}");
            let empty = from.is_empty();
            self.write(name, if empty { String::new() } else { text.replacen(&from, &to, 1) });
        }
        git(&self.path(""), &["commit", "--quiet", "--all", "--message", "faults"]);
        let parts: Vec<&str> = faults.iter().map(|fault| fault.3).collect();
        self.fails(&parts, &[]);
        git(&self.path(""), &["revert", "--no-edit", "HEAD"]);
    }
}

/// A file, a text in it, the text that replaces it, and a part of the message. If the text is
/// empty, the whole file is emptied.
struct Fault(&'static str, &'static str, &'static str, &'static str);

const FAULTS: [Fault; 16] = [
    Fault(
        "crates/core/Cargo.toml",
        "version.workspace = true",
        "version = \"9.9.9\"",
        "crates/core/Cargo.toml: has a version of its own",
    ),
    Fault(
        "crates/cli/Cargo.toml",
        "license.workspace = true",
        "license = \"MIT\"",
        "crates/cli/Cargo.toml: has a license of its own",
    ),
    Fault(
        "Cargo.lock",
        "name = \"sifcache-core\"\nversion = \"VERSION\"",
        "name = \"sifcache-core\"\nversion = \"0.0.9\"",
        "Cargo.lock: sifcache-core is '0.0.9', not VERSION",
    ),
    Fault(
        "fuzz/Cargo.lock",
        "name = \"sifcache-core\"\nversion = \"VERSION\"",
        "name = \"sifcache-core\"\nversion = \"0.0.9\"",
        "fuzz/Cargo.lock: sifcache-core is '0.0.9', not VERSION",
    ),
    Fault(
        "CHANGELOG.md",
        "## [VERSION]",
        "## [0.0.9]\n\n## [VERSION]",
        "CHANGELOG.md: the first heading is '## [0.0.9]', not '## [VERSION] - YEAR-MONTH-DAY'",
    ),
    Fault(
        "CHANGELOG.md",
        "## [VERSION] - ",
        "## [VERSION] - 2026-02-30\n\n## [0.0.9] - ",
        "CHANGELOG.md: 2026-02-30 is not a date",
    ),
    Fault(
        "CHANGELOG.md",
        "# Changelog\n",
        "# Changelog\n\n[unreleased]: x\n",
        "CHANGELOG.md:3: says unreleased",
    ),
    Fault(
        "docs/admin.md",
        "sifcache_VERSION-1",
        "sifcache_0.0.9-1",
        ":sifcache_0.0.9: not VERSION",
    ),
    Fault(
        "packaging/common.sh",
        "version=$(",
        "version=0.0.9 other=$(",
        "packaging/common.sh: takes the version '0.0.9', not VERSION",
    ),
    Fault(
        "packaging/deb",
        "build sifcache \"$version-$revision\"",
        "build sifcache \"${version%.*}-$revision\"",
        "packaging/deb: the version is not that of Cargo.toml",
    ),
    Fault(
        "packaging/rpm",
        "our_version $version",
        "our_version 0.0.9",
        ": a version that is written out",
    ),
    Fault(
        "packaging/sifcache.spec",
        "Version: %{our_version}\n",
        "Version: %{version}\n",
        "packaging/sifcache.spec: the version is not that of Cargo.toml",
    ),
    Fault("Makefile", " LICENSE-MIT", " ", "Makefile: does not install LICENSE-MIT"),
    Fault("LICENSE-APACHE", "", "", "LICENSE-APACHE: missing"),
    Fault("packaging/copyright", "", "", "packaging/copyright: missing"),
    Fault(
        "docs/diagrams/parts.svg",
        "</svg>",
        "<!-- by hand --></svg>",
        "docs/diagrams/parts.svg: not what Graphviz draws: run make diagrams",
    ),
];

/// Scripts that replace the command, each with a part of the expected message.
const COMMANDS: [(&str, &str); 4] = [
    (
        "[ $1 != --version ] || exec echo sifcache 0.0.9",
        "--version: 'sifcache 0.0.9', not 'sifcache VERSION'",
    ),
    (
        "[ $1 != manpages ] || { COMMAND \"$@\"; exec sed -i /^.TH/s/VERSION/0.0.9/ \"$2/sifcache-gc.1\"; }",
        "sifcache-gc.1: the man page is not of VERSION",
    ),
    (
        "[ $1 != manpages ] || { COMMAND \"$@\"; exec rm \"$2/sifcache-gc.1\"; }",
        "sifcache-gc.1: there is no such man page",
    ),
    (
        "[ \"$*\" != 'completions fish' ] || { COMMAND \"$@\" | sed s/gc/gk/g; exit; }",
        "completions for fish: gc is missing",
    ),
];

#[test]
fn every_fault_is_found() {
    if !source().join(".git").exists() {
        eprintln!("skipped: needs the repository");
        return;
    }
    let copy = Copy::new();
    assert_eq!(copy.check(&[]), (true, Vec::new()));
    // Each round plants at most one fault in each file.
    let mut left: Vec<&Fault> = FAULTS.iter().collect();
    while !left.is_empty() {
        let mut files = BTreeSet::new();
        let (now, later): (Vec<&Fault>, Vec<&Fault>) =
            left.into_iter().partition(|fault| files.insert(fault.0));
        copy.plant(&now);
        left = later;
    }
    let cargo = copy.path("Cargo.toml");
    let text = fs::read_to_string(&cargo).unwrap();
    let (said, wrong) = (format!("version = \"{VERSION}\""), "version = \"1\"");
    copy.write("Cargo.toml", text.replacen(&said, wrong, 1));
    assert_eq!(
        copy.check(&[]),
        (false, vec!["Cargo.toml: the version is '1', not three numbers".to_owned()])
    );
    copy.write("Cargo.toml", text);
    let command = env!("CARGO_BIN_EXE_sifcache");
    let good = format!("exec {command} \"$@\"\n");
    for (fault, message) in COMMANDS {
        let fault = fault.replace("COMMAND", command).replace("VERSION", VERSION);
        copy.program("sifcache", &format!("#!/bin/sh\n{fault}\n{good}"));
        copy.fails(&[message], &[]);
    }
    copy.program("sifcache", &format!("#!/bin/sh\n{good}"));
    copy.write("notes.txt", "");
    copy.fails(&["notes.txt: not committed"], &[]);
    fs::remove_file(copy.path("notes.txt")).unwrap();
    let tag = format!("v{VERSION}");
    copy.fails(&["the tag is v0.0.9, not vVERSION"], &["v0.0.9"]);
    git(&copy.path(""), &["tag", &tag, "HEAD~1"]);
    copy.fails(&["the tag vVERSION is on another commit"], &[&tag]);
    git(&copy.path(""), &["tag", "--force", &tag]);
    assert_eq!(copy.check(&[&tag]), (true, Vec::new()));
}
