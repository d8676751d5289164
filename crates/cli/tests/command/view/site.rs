//! The test kit: an image root with a view, and the command.

use crate::tree::{Tree, mode};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use walkdir::WalkDir;

/// All engines, as the value of `--for`.
pub(crate) const ALL: &str = "nextflow,cwltool,miniwdl,snakemake,shpc";

/// The result of the command.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// An image root and the directory `view`.
pub(crate) struct Site {
    pub(crate) tree: Tree,
    roots: String,
}

impl Site {
    /// One root, which holds `o/good:1`. Returns `None` unless the test runs as root.
    pub(crate) fn new() -> Option<Self> {
        Self::with_roots(&["root"])
    }

    /// Several roots; the last one holds `o/good:1`.
    pub(crate) fn with_roots(names: &[&'static str]) -> Option<Self> {
        let tree = Tree::with_roots(names)?;
        let roots: Vec<String> = names.iter().map(|root| tree.text(root)).collect();
        Some(Self { tree, roots: roots.join(":") })
    }

    /// The same site with a view for these engines.
    pub(crate) fn with_view(engines: &str) -> Option<Self> {
        let site = Self::new()?;
        site.create(engines);
        Some(site)
    }

    /// Creates or changes the view.
    #[track_caller]
    pub(crate) fn create(&self, engines: &str) -> Output {
        let output = self.run(&["view", &self.tree.text("view"), "--for", engines]);
        assert_eq!(output.status, Some(0), "{output:?}");
        output
    }

    /// Runs a subcommand on the roots.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.run_on(&self.roots, words)
    }

    /// Runs a subcommand on these roots.
    pub(crate) fn run_on(&self, roots: &str, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.arg(words[0]).args(["--root", roots]).args(&words[1..]);
        let path = format!("{}:/usr/bin:/bin", self.tree.text("bin"));
        command.env("PATH", path).env("HOME", self.tree.path("")).stdin(Stdio::null());
        let output = command.output().unwrap();
        Output {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a subcommand that succeeds without a warning.
    #[track_caller]
    pub(crate) fn good(&self, words: &[&str]) -> Output {
        let output = self.run(words);
        // Lines without the program's name show progress.
        let warns = output.stderr.lines().any(|line| line.starts_with("sifcache: "));
        assert_eq!((output.status, warns), (Some(0), false), "{words:?} {output:?}");
        output
    }

    /// The JSON object that a subcommand prints.
    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let output = self.run(&[words, &["--json"]].concat());
        let object = serde_json::from_str(&output.stdout);
        assert!(object.is_ok(), "{words:?} {output:?}");
        object.unwrap()
    }

    /// Imports image number `which` under a name.
    #[track_caller]
    pub(crate) fn import(&self, which: u8, reference: &str) -> Output {
        let file = self.tree.image(format!("{which}.sif"), which);
        let output = self.run(&["import", "--force", file.to_str().unwrap(), reference]);
        assert_eq!(output.status, Some(0), "{output:?}");
        output
    }

    /// The path of an entry of the view.
    pub(crate) fn entry(&self, name: &str) -> PathBuf {
        self.tree.path("view").join(name)
    }

    /// All entries of the view that are not directories, sorted.
    pub(crate) fn entries(&self) -> Vec<String> {
        let view = self.tree.path("view");
        let walk = WalkDir::new(&view).sort_by_file_name().into_iter().flatten();
        let files = walk.filter(|entry| !entry.file_type().is_dir());
        let name = |path: &Path| path.strip_prefix(&view).unwrap().to_str().unwrap().to_owned();
        files.map(|entry| name(entry.path())).collect()
    }

    /// The target of a link of the view, relative to the top directory of the test.
    #[track_caller]
    pub(crate) fn target(&self, name: &str) -> String {
        let target = fs::read_link(self.entry(name));
        assert!(target.is_ok(), "{name}: {target:?}, {:?}", self.entries());
        let target = target.unwrap();
        target.strip_prefix(self.tree.path("")).unwrap().to_str().unwrap().to_owned()
    }

    /// A runtime that pulls image number `which`.
    pub(crate) fn runtime(&self, which: u8) {
        self.tree.image("pulled.sif", which);
        let image = self.tree.text("pulled.sif");
        let text = format!(
            "#!/bin/sh\n[ $1 = pull ] || exec echo apptainer version 1\n\
             for file; do case $file in *.sif) /bin/cp {image} \"$file\"; esac; done\n"
        );
        mode(&self.tree.file("bin/apptainer", text.as_bytes()), 0o755);
    }
}
