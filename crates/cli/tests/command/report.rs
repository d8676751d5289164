//! `sifcache report` as a program: the figures of logs and image roots, compared with those of other
//! subcommands and with independent counts; the commands that it prints, followed; its files.

mod figures;
mod fixes;
mod outputs;
mod tags;
mod top;

use crate::tree::{Tree, mode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::process::{Command, Output, Stdio};

/// A time, a whole number of days and hours before now.
fn ago(days: i64, hours: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24 * days + hours)
}

/// Runs the command with these words, in which TOP is the top directory.
fn run(tree: &Tree, words: &str) -> Output {
    let words: Vec<String> =
        words.split(' ').map(|word| word.replace("TOP/", &tree.text(""))).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(words).current_dir(tree.path("")).env_clear().env("TZ", "UTC");
    command.env("PATH", format!("{}:/usr/bin:/bin", tree.text("bin")));
    command.env("SLURM_CONF", tree.path("none")).env("HOME", tree.path(""));
    command.stdin(Stdio::null()).output().unwrap()
}

/// The object that `--json` prints.
fn report(tree: &Tree, words: &str) -> Value {
    let output = run(tree, &format!("report --json {words}"));
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn script(tree: &Tree, name: &str, text: &str) {
    mode(&tree.file(format!("bin/{name}"), format!("#!/bin/sh\n{text}\n").as_bytes()), 0o755);
}

/// A line of the plugin.
fn line(time: Timestamp, host: &str, fields: &str) -> String {
    format!("{time} {host} sifcache: event={fields}\n")
}

/// The fields of a hit of the image `name` in the image root.
fn hit(tree: &Tree, job: u32, uid: u32, more: &str, name: &str) -> String {
    let image = tree.text(&format!("root/{name}"));
    format!("hit job={job} step=0 node=0 {more} uid={uid} reference=docker.io/{name} image={image}")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}
