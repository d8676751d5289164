//! docs/json.md: the keys and types in its tables match the output of the commands, and its
//! examples.

mod page;
mod report;

use crate::request::{self, Site};
use crate::tree::{Tree, mode, pulled};
use page::{Format, formats};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
/// No registry listens there.
const ELSEWHERE: &str = "127.0.0.1:1/o/i:1";

/// The section of the page whose title satisfies `is_it`.
fn section(is_it: impl Fn(&str) -> bool) -> Format {
    let mut found = formats(&page::text()).into_iter().filter(|format| is_it(&format.title));
    let format = found.next().unwrap();
    assert!(found.next().is_none(), "two sections of this title");
    format
}

fn compare(title: &str, outputs: &[Value]) {
    let found = section(|one| one == title).differences(outputs);
    assert_eq!(found, [""; 0], "docs/json.md, {title}: {outputs:#?}");
}

/// The objects that a command prints, one per line.
fn run(tree: &Tree, words: &str, input: &str) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let words: Vec<String> =
        words.split(' ').map(|word| word.replace("TOP", &tree.text(""))).collect();
    command.args(&words).current_dir(tree.path("")).env_clear().env("TZ", "UTC");
    command.env("PATH", format!("{}:/usr/bin:/bin", tree.text("bin"))).env("HOME", tree.path(""));
    command.env("SLURMD_NODENAME", "n7").env("SLURM_CONF", tree.path("none"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let objects = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let objects: Vec<Value> = objects.map(|object| object.unwrap()).collect();
    assert!(!objects.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    objects
}

fn script(tree: &Tree, name: &str, text: &str) {
    mode(&tree.file(format!("bin/{name}"), format!("#!/bin/sh\n{text}\n").as_bytes()), 0o755);
}

/// The outputs of several command lines.
fn all(tree: &Tree, lines: &[&str]) -> Vec<Value> {
    lines.iter().flat_map(|line| run(tree, line, "")).collect()
}

/// Imports an image with a digest.
fn import(tree: &Tree, more: &str) -> Vec<Value> {
    let labels = [
        ("org.label-schema.usage.apptainer.version", "1.5.3"),
        ("org.opencontainers.image.base.name", "docker.io/library/alpine:3.20"),
        ("org.opencontainers.image.base.digest", DIGEST),
    ];
    tree.file("alpine_3.20.sif", &pulled("alpine:3.20", &labels));
    run(tree, &format!("import --json --root TOP/root {more}TOP/alpine_3.20.sif"), "")
}

/// A log with a hit of the imported image, and logs that result in values of `skipped` and
/// `unread`.
fn logs(tree: &Tree) {
    let image = tree.text("root/alpine:3.20");
    let step = "step=0 node=1 tasks=2 uid=1001";
    let lines = [
        format!("event=hit job=8 {step} reference=docker.io/library/alpine:3.20 image={image}"),
        format!("event=miss job=9 {step} reference=docker.io/o/none:1 refused=/a why=truncated"),
        format!("event=miss job=9 {step} reference=docker.io/library/alpine:3.20"),
    ];
    let line = |node: &str, said: &str| format!("2026-01-03T03:04:05Z {node} sifcache: {said}\n");
    let mut log: String = lines.iter().map(|said| line("n1", said)).collect();
    log.push_str(&line("n3", &format!("{} link={image}", lines[0])));
    tree.file("log", log.as_bytes());
    tree.file("log.quiet", b"2026-01-04T03:04:05Z n1 cron: x\n2026-01-04T03:04:05Z n2 cron: x\n");
    tree.file("log.cut", b"2026-01-01T03:04:05Z n1 sifcache: event=hit job=9 ste\n");
    tree.file("log.4.lz4", b"\x04\x22\x4d\x18 and so on");
}

#[test]
fn add_import_refresh() {
    let Some(tree) = Tree::new() else { return };
    let mut outputs = import(&tree, "");
    outputs.extend(import(&tree, "--force "));
    tree.image("pulled", 2);
    let pulled = tree.text("pulled");
    let pull = format!("case $1 in --version) echo test 1 ;; *) exec cp {pulled} $2 ;; esac");
    script(&tree, "apptainer", &pull);
    outputs.extend(all(&tree, &[&format!("add --json --root TOP/root {ELSEWHERE}")]));
    script(&tree, "apptainer", "[ $1 = --version ] && echo test 1; exit 1");
    outputs.extend(all(
        &tree,
        &[
            &format!("add --json --root TOP/root --force {ELSEWHERE}"),
            "add --json --root TOP/root --dry-run o/good:1 o/none:1",
            &format!("refresh --json --root TOP/root --check alpine@{DIGEST}"),
        ],
    ));
    let mut found = section(|title| title == "add, import, refresh").differences(&outputs);
    // A conversion needs a real runtime: tests/e2e/cache/add.rs.
    let stages = [
        "stages: has no value",
        "stages.layers: is in",
        "stages.tables: is in",
        "stages.verification: is in",
        "stages.sync: is in",
    ];
    let of_stages = |difference: &String| stages.iter().any(|one| difference.starts_with(one));
    assert_eq!(found.extract_if(.., |difference| of_stages(difference)).count(), stages.len());
    assert_eq!(found, [""; 0], "{outputs:#?}");
}

#[test]
fn fill() {
    let Some(tree) = Tree::new() else { return };
    tree.image("pulled", 2);
    let pulled = tree.text("pulled");
    let pull = "[ $1 = pull ] || exit 0; case $3 in *bad*) exit 1 ;; *) exec cp PULLED $2 ;; esac";
    script(&tree, "apptainer", &pull.replace("PULLED", &pulled));
    let now = jiff::Timestamp::now();
    let line = |name: &str| {
        format!("{now} n1 sifcache: event=miss job=9 uid=1001 reference=127.0.0.1:1/{name}\n")
    };
    tree.file("log", [line("o/i:1"), line("o/bad:1"), line("no/i:1")].concat().as_bytes());
    let policy = "allow = [\"**\"]\ndeny = [\"127.0.0.1:1/no/**\"]\nunidentified = \"count\"\n";
    tree.file("fill.toml", policy.as_bytes());
    tree.file("root/.sifcache/fill/state.json", b"damaged");
    let fill = "fill --json --root TOP/root --policy TOP/fill.toml --log TOP/log --once";
    compare("fill", &all(&tree, &[&format!("{fill} --dry-run"), fill]));
}

#[test]
fn fill_check() {
    let Some(tree) = Tree::new() else { return };
    let rest = "quiet = [\"08:00-18:00\"]\nspace.max = \"2T\"\nregistries.\"q.io\".per-hour = 9\n";
    tree.file("strict.toml", format!("allow = [\"q.io/**\"]\naskers = 2\n{rest}").as_bytes());
    tree.file("open.toml", b"allow = [\"**\"]\n");
    let check = |policy: &str, rest: &str| {
        format!("fill --json --root TOP/root --policy TOP/{policy}.toml --check {rest}")
    };
    let lines = [
        check("strict", "q.io/o/i:1 --user root"),
        check("strict", "o/i:1"),
        check("open", "o/i:1"),
        check("open", "o/i:1").replace("TOP/root", "TOP/none"),
    ];
    compare("fill --check", &all(&tree, &lines.each_ref().map(|line| line.as_str())));
}

#[test]
fn list() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/Upper", 2);
    tree.file("root/NOTES", b"");
    import(&tree, "");
    logs(&tree);
    // This image root cannot be read.
    let roots = "list --json --log TOP/log --root TOP/root";
    compare("list", &all(&tree, &[roots, &format!("{roots}:TOP/log/root alpien"), &layout(&tree)]));
}

/// A search in a root that another tool fills.
fn layout(tree: &Tree) -> String {
    let depot = tree.image("galaxy/samtools:1", 3);
    format!(
        "list --json --untrusted accept --root galaxy={} samtools",
        depot.parent().unwrap().display()
    )
}

#[test]
fn remove_gc() {
    let Some(tree) = Tree::new() else { return };
    import(&tree, "");
    tree.file("root/NOTES", b"");
    logs(&tree);
    run(&tree, "hits --json --root TOP/root --log TOP/log", "");
    let outputs = all(
        &tree,
        &[
            "remove --json --root TOP/root --dry-run alpine:3.20",
            "remove --json --root TOP/root --yes alpine:3.20 TOP/root/NOTES",
            "gc --json --root TOP/root --yes --keep 0d --max-size 0",
        ],
    );
    compare("remove, gc", &outputs);
}

#[test]
fn verify() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/NOTES", b"");
    tree.image("root/o/closed:1", 2);
    mode(&tree.path("root/o/closed:1"), 0o600);
    let open = tree.directory("root/open");
    tree.link("i:1", &format!("root/open/i@{DIGEST}"));
    mode(&open, 0o777);
    let closed = tree.directory("root/closed");
    tree.image("root/closed/i:1", 3);
    mode(&closed, 0o700);
    let outputs = all(
        &tree,
        &[
            "verify --json --root TOP/root",
            "verify --json --root TOP/root --untrusted accept --fix --all",
        ],
    );
    compare("verify", &outputs);
}

#[test]
fn doctor() {
    let Some(tree) = Tree::new() else { return };
    let line = format!("optional /none/spank_sifcache.so image_root={}", tree.text("root"));
    tree.file("plugstack.conf", line.as_bytes());
    compare("doctor", &all(&tree, &["doctor --json --plugstack TOP/plugstack.conf"]));
}

#[test]
fn explain() {
    let Some(tree) = Tree::new() else { return };
    let with_digest = format!("docker://alpine@{DIGEST}");
    let lines = [
        json!(["apptainer", "run", "docker://o/good:1"]),
        json!(["apptainer", "run", with_digest]),
        json!(["hostname"]),
    ];
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut outputs = run(&tree, "explain --stdin --root TOP/root", &input);
    let words = "explain --json --root TOP/root srun env apptainer run docker://o/good:1";
    outputs.extend(run(&tree, words, ""));
    compare("explain", &outputs);
}

#[test]
fn request_and_queue() {
    let Some(site) = Site::new() else { return };
    compare("request", &request::objects(&site));
    let queue = "queue --json --root TOP/root";
    let fields = "state=pulling size=9 received=3 left=7 ahead=0 beat=1 reason=\"\"";
    let mut outputs = Vec::new();
    for write in [&request::queued as &dyn Fn(&Tree), &|tree| request::entry(tree, fields)] {
        write(&site.tree);
        outputs.extend(all(&site.tree, &[queue]));
    }
    compare("queue", &outputs);
}

#[test]
fn metrics() {
    let Some(tree) = Tree::new() else { return };
    let words = "metrics --json --root TOP/root --state TOP/metrics.json --log TOP/none";
    compare("metrics", &all(&tree, &[words]));
}

#[test]
fn misses_and_hits() {
    let Some(tree) = Tree::new() else { return };
    import(&tree, "");
    logs(&tree);
    let files = "--root TOP/root --log TOP/log TOP/log.quiet TOP/log.4.lz4";
    for command in ["misses", "hits"] {
        let more = if command == "misses" { "--all " } else { "" };
        let first = format!("{command} --json {more}{files}");
        tree.file("damaged.gz", b"");
        let more = ["", " TOP/log.cut", " TOP/missing", " TOP/damaged.gz"];
        let more = more.map(|more| format!("{first}{more}"));
        let outputs = all(&tree, &more.each_ref().map(String::as_str));
        let mut found = section(|title| title == command).differences(&outputs);
        // These differences are expected: `null` occurs only on a host whose journal is empty.
        let journal = ["from: is null in no output", "to: is null in no output"];
        found.retain(|difference| !journal.contains(&difference.as_str()));
        assert_eq!(found, [""; 0], "docs/json.md, {command}: {outputs:#?}");
    }
}

/// A Slurm with two nodes: n7 is this host, n8 is down. srun, salloc and sbcast run here.
fn slurm(tree: &Tree) {
    let run = "while [ \"$1\" != /bin/sh ]; do shift; done\nexec \"$@\"";
    script(tree, "scontrol", "echo \"$3\" | tr , '\\n'");
    script(tree, "sinfo", "echo 'n7|all*|idle'; echo 'n8|all*|down'");
    script(tree, "salloc", &format!("SLURM_JOB_ID=5\nexport SLURM_JOB_ID\n{run}"));
    script(tree, "srun", &format!("SLURM_STEP_ID=0\nexport SLURM_STEP_ID\n{run}"));
    script(tree, "sbcast", "shift; cp \"$1\" \"$2\"");
}

#[test]
fn stage() {
    let Some(tree) = Tree::with_roots(&["local", "shared"]) else { return };
    slurm(&tree);
    let start = "stage --json --root TOP/local:TOP/shared --nodes n7,n8";
    let outputs =
        all(&tree, &[&format!("{start} o/good:1"), &format!("{start} o/good:1 o/none:1")]);
    compare("stage", &outputs);
    tree.image("local/o/by-hand:1", 2);
    compare("stage --list", &all(&tree, &[&format!("{start} --list")]));
}

/// The path of a file below the image root is in the title of its section.
#[test]
fn files_below_the_root() {
    let Some(tree) = Tree::new() else { return };
    let of = |title: &str, name: &str| -> Value {
        let path = tree.path(format!("root/{}", title.replace("NAME", name)));
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()
    };
    let record = section(|title| title.ends_with("/NAME.json"));
    import(&tree, "");
    tree.image("pulled.sif", 3);
    script(
        &tree,
        "apptainer",
        "[ $1 = pull ] || exec echo apptainer version 1; /bin/cp pulled.sif \"$2\"",
    );
    let added = run(&tree, &format!("add --json --root TOP/root {ELSEWHERE}"), "");
    assert_eq!(added[0]["status"], "added", "{added:?}");
    let outputs = [of(&record.title, "alpine:3.20"), of(&record.title, ELSEWHERE)];
    assert_eq!(record.differences(&outputs), [""; 0], "{outputs:#?}");

    let usage = section(|title| title == ".sifcache/last_used.json");
    logs(&tree);
    run(&tree, "hits --json --root TOP/root --log TOP/log TOP/log.quiet", "");
    let output = [of(&usage.title, "")];
    assert_eq!(usage.differences(&output), [""; 0], "{output:#?}");

    let views = section(|title| title == ".sifcache/views.json");
    run(&tree, "view --json --root TOP/root TOP/view --for nextflow,shpc", "");
    let output = [of(&views.title, "")];
    assert_eq!(views.differences(&output), [""; 0], "{output:#?}");
}

#[test]
fn view() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/org/tool:2_1", 2);
    tree.image("root/org/tool_2:1", 3);
    tree.file("view/miniwdl/docker___o_good_1.sif", b"");
    let first = "view --json --root TOP/root TOP/view --for nextflow,miniwdl";
    compare("view", &all(&tree, &[first, "view --json --root TOP/root --dry-run"]));
    compare("view --list", &all(&tree, &["view --json --root TOP/root --list"]));
}

#[test]
fn examples_have_the_documented_keys() {
    let formats = formats(&page::text());
    assert_eq!(formats.len(), 21, "each section has a test in this file");
    for format in formats {
        let found = format.example_differences();
        assert_eq!(found, [""; 0], "docs/json.md, the example of {}", format.title);
    }
}

/// Every subcommand with `--json` has a section.
#[test]
fn every_subcommand_is_on_the_page() {
    let help = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sifcache")).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let titles: Vec<String> =
        formats(&page::text()).into_iter().map(|format| format.title).collect();
    let listed = help(&["--help"]);
    let listed = listed.split("Commands:\n").nth(1).unwrap().lines();
    let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| {
        line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty())
    });
    let mut checked = 0;
    for name in names.filter(|name| help(&[name, "--help"]).contains("--json")) {
        checked += 1;
        let has = |title: &String| title.split(", ").any(|one| one == name);
        assert!(titles.iter().any(has), "{name} has no section in docs/json.md");
    }
    assert!(checked >= 12, "{checked} subcommands with --json");
}
