//! Compares `launch` with the real Apptainer, over generated command lines.
//!
//! Every word that could be taken for the image is a unique path that does not exist,
//! `/nonexistent-N`. Apptainer's error message names the path that it used. If Apptainer used such
//! a path, `sifcache explain` must name the same path or report a pass.

use crate::kit::Site;
use crate::kit::generated::Random;
use serde_json::Value;

const LINES: usize = 300;

/// Flags of Apptainer 1.4.5 that take no value and have no effect before Apptainer opens the image,
/// and then some that take a value.
const BOOLEANS: [&str; 16] = [
    "--nv",
    "--rocm",
    "--contain",
    "-c",
    "--containall",
    "-C",
    "--cleanenv",
    "-e",
    "--ipc",
    "-i",
    "--no-home",
    "--no-init",
    "--compat",
    "--writable-tmpfs",
    "--no-privs",
    "--pid",
];
const VALUES: [&str; 14] = [
    "--bind",
    "-B",
    "--home",
    "-H",
    "--overlay",
    "-o",
    "--scratch",
    "-S",
    "--workdir",
    "-W",
    "--env-file",
    "--app",
    "--hostname",
    "--dns",
];
/// Words that are hard to parse: flags of other commands, flags of docker, and words that end the
/// flags.
const TEMPTING: [&str; 14] = [
    "--",
    "-",
    "--help=false",
    "-h=false",
    "-ce",
    "-cBe",
    "-ceB",
    "-BB",
    "--nv=true",
    "--nv=F",
    "-e=1",
    "--bind=",
    "-B=",
    "--pid=maybe",
];
const GLOBALS: [&str; 8] = ["-d", "--debug", "-s", "-q", "--nocolor", "-v", "-sq", "--quiet=true"];
const WRONG: [&str; 6] = ["--gpus", "-it", "--rm", "--config", "-B", "--shell"];

/// Generates one command line. Each path in it contains a different number, so all paths are
/// unique.
fn line(random: &mut Random) -> Vec<String> {
    let mut number = 0;
    let mut path = || {
        number += 1;
        format!("/nonexistent-{number}")
    };
    let mut words =
        vec![random.one_of(&["apptainer", "/usr/bin/apptainer", "singularity"]).to_owned()];
    for _ in 0..random.below(3) {
        words.push(random.one_of(&GLOBALS).to_owned());
    }
    let subcommands = ["run", "exec", "exec", "shell", "test", "instance start", "instance run"];
    words.extend(random.one_of(&subcommands).split(' ').map(str::to_owned));
    for _ in 0..random.below(5) {
        match random.below(10) {
            0..=3 => words.push(random.one_of(&BOOLEANS).to_owned()),
            4..=6 => words.extend([random.one_of(&VALUES).to_owned(), path()]),
            7 => words.push(format!("{}={}", random.one_of(&VALUES), path())),
            8 => words.push(random.one_of(&TEMPTING).to_owned()),
            _ if random.below(4) == 0 => words.push(random.one_of(&WRONG).to_owned()),
            _ => {}
        }
    }
    for _ in 0..random.below(4) {
        words.push(path());
    }
    words
}

/// The path of the image in an error message of Apptainer, if the message contains one.
fn image_in(error: &str) -> Option<&str> {
    let (_, rest) = error.split_once("could not open image ")?;
    rest.split(':').next()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn agrees_with_apptainer_or_passes() {
    let site = Site::new("");
    let mut random = Random(0x5eed_cafe_f00d_0001);
    let lines: Vec<Vec<String>> = (0..LINES).map(|_| line(&mut random)).collect();

    let json: String =
        lines.iter().map(|l| format!("{}\n", serde_json::to_string(l).unwrap())).collect();
    let alice = ["--user", "alice"];
    let ours = site.exec(&alice, &["sifcache", "explain", "--stdin"], &json);
    assert_eq!(ours.status, 0, "{ours:#?}");
    let ours: Vec<Value> = ours.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(ours.len(), LINES);

    // One command line per input line; a unit separator terminates each word.
    let script = r#"while IFS= read -r line; do
        IFS=$'\x1f' read -r -a words <<<"$line"
        timeout 20 "${words[@]}" </dev/null 2>&1 | grep -a -m1 'could not open image' || echo none
    done"#;
    let input: String = lines.iter().map(|l| format!("{}\n", l.join("\u{1f}"))).collect();
    let theirs = site.exec(&alice, &["bash", "-c", script], &input);
    let theirs: Vec<&str> = theirs.stdout.lines().collect();
    assert_eq!(theirs.len(), LINES);

    let (mut agreed, mut passed) = (0, 0);
    for ((line, ours), theirs) in lines.iter().zip(&ours).zip(&theirs) {
        let Some(expected) = image_in(theirs) else { continue };
        match ours["image"].as_str() {
            // Apptainer looks up a relative image in the current directory.
            Some(image) if image == expected || expected == format!("/home/alice/{image}") => {
                agreed += 1
            }
            Some(image) => panic!("{line:?}: sifcache uses {image}, Apptainer {expected}"),
            None => passed += 1,
        }
    }
    println!("{agreed} agreed, {passed} passed, {} not started", LINES - agreed - passed);
    // Guards against an empty test: enough lines must agree, and passes must be rare.
    assert!(agreed > LINES / 3 && passed < LINES / 50, "{agreed} agreed, {passed} passed");
}
