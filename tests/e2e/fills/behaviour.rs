//! Images that both engines converted: do the commands of the runtime behave the same?

use super::convert::{Fills, User};
use crate::kit::Site;
use image_fixture::archive::Entry;
use image_fixture::compression::Compression;
use image_fixture::image::{Blobs, Dialect, Layer};
use serde_json::{Value, json};
use std::fs;

/// The programs of the userland.
const APPLETS: [&str; 6] = ["sh", "echo", "env", "cat", "id", "pwd"];

/// Commands, in which IMAGE is the image.
const COMMANDS: [&str; 8] = [
    "exec IMAGE env",
    "exec --pwd /tmp IMAGE sh -c 'pwd; id -u; cat /.singularity.d/runscript'",
    "run IMAGE",
    "run IMAGE one 'two words' \"it's\" '$HOME'",
    "shell IMAGE -c 'echo in a shell'",
    "test IMAGE",
    "inspect --all IMAGE",
    "inspect --runscript --environment --deffile IMAGE",
];

fn userland(site: &Site) -> Layer {
    let busybox = fs::read(site.at("ctl", "/usr/bin/busybox")).unwrap();
    let mut entries = vec![
        Entry::directory("bin"),
        Entry::file("bin/busybox", busybox).mode(0o755),
        Entry::directory("tmp").mode(0o1777),
        Entry::file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ];
    entries.extend(APPLETS.map(|applet| Entry::symlink(format!("bin/{applet}"), "busybox")));
    Layer::new(entries, Compression::Gzip { members: 1 })
}

/// With an entrypoint and arguments; with a command only.
fn configurations() -> [Value; 2] {
    let environment = ["PATH=/bin", "A=b c", "Q=it's \"$HOME\" `id`", "EMPTY=", "N=line\nbreak"];
    [
        json!({
            "Env": environment,
            "Entrypoint": ["sh", "-c", "echo $0 \"$@\"; pwd", "name"],
            "Cmd": ["two words", "it's", "$HOME"],
            "WorkingDir": "/tmp", "User": "1000", "Labels": {"a.b": "c \"d\"", "e": ""},
        }),
        json!({"Cmd": ["echo", "a  b", "\\", "$(id)"]}),
    ]
}

#[test]
#[ignore = "needs a testbed: make test"]
fn commands_behave_as_with_the_image_of_the_runtime() {
    let site = Site::new("");
    let fills = Fills::new(&site);
    let userland = userland(&site);
    let names = ["entrypoint", "command"].map(str::to_owned);
    for (config, name) in configurations().iter().zip(&names) {
        let mut blobs = Blobs::new(Dialect::Docker);
        let named = blobs.image(std::slice::from_ref(&userland), config, "amd64").unwrap();
        fills.serve(name, &blobs, &named);
    }
    for user in [User::Root, User::Alice] {
        let runtime = fills.convert(user, "runtime", &names);
        let native = fills.convert(user, "native", &names);
        for name in &names {
            let [expected, found] =
                [&runtime, &native].map(|all| outputs(&site, all[name].as_ref().unwrap()));
            let lines = expected.iter().zip(&found).filter(|(one, other)| one != other);
            let lines: Vec<_> = lines.take(5).collect();
            assert!(lines.is_empty() && expected.len() == found.len(), "{name}: {lines:#?}");
        }
    }
}

/// The exit statuses and the output of the commands as alice, without the date of the build.
fn outputs(site: &Site, image: &str) -> Vec<String> {
    let lines: String = COMMANDS
        .iter()
        .map(|command| {
            let command = command.replace("IMAGE", "/tmp/fill.sif");
            format!("apptainer --silent {command} </dev/null 2>&1; echo \"status $?\"\n")
        })
        .collect();
    // Under one name, because programs see the path of the image.
    let copy = format!("install -m 644 {image} /tmp/fill.sif");
    let output = site.exec(&[], &["sh", "-c", &copy], "");
    assert_eq!(output.status, 0, "{output:#?}");
    let output = site.exec(&["--user", "alice"], &["sh", "-s"], &lines);
    let differs = |line: &&str| line.contains("build-date") || line.starts_with("PPID=");
    output.stdout.lines().filter(|line| !differs(line)).map(str::to_owned).collect()
}
