//! A task whose command is a C array, as under Slurm.

use crate::argv_array::ArgvArray;
use spank_sifcache::job::{Error, Job, Step};
use std::cell::Cell;
use std::path::{Path, PathBuf};

pub(crate) struct Task {
    environment: Vec<(Vec<u8>, Vec<u8>)>,
    words: Vec<Vec<u8>>,
    argv: ArgvArray,
    ended: Cell<Option<i32>>,
}

impl Task {
    pub(crate) fn new(input: &[u8]) -> Self {
        let mut words: Vec<&[u8]> = input.split(|byte| *byte == 0).collect();
        if words.last().is_some_and(|word| word.is_empty()) {
            words.pop();
        }
        let assignments = words.iter().map_while(|word| assignment(word));
        let environment: Vec<_> = assignments.collect();
        let words = words.split_off(environment.len());
        let argv = ArgvArray::new(&words);
        let words = words.into_iter().map(<[u8]>::to_vec).collect();
        Self { environment, words, argv, ended: Cell::new(None) }
    }

    /// The original command.
    pub(crate) fn words(&self) -> Vec<&[u8]> {
        self.words.iter().map(Vec::as_slice).collect()
    }

    pub(crate) fn variable(&self, wanted: &str) -> Option<&[u8]> {
        let found = self.environment.iter().find(|(name, _)| name == wanted.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }

    pub(crate) fn take_changes(&mut self) -> Vec<(usize, PathBuf)> {
        self.argv.take_changes(&self.words)
    }

    pub(crate) fn ended(&self) -> Option<i32> {
        self.ended.get()
    }
}

/// Parses `NAME=VALUE`.
fn assignment(word: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let equals = word.iter().position(|byte| *byte == b'=')?;
    let (name, value) = word.split_at(equals);
    let is_name = name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    (is_name && !name.is_empty()).then(|| (name.to_vec(), value[1..].to_vec()))
}

impl Job for Task {
    fn command(&self) -> Vec<&[u8]> {
        self.argv.read()
    }

    fn replace(&self, index: usize, path: &Path) -> Result<(), Error> {
        self.argv.replace(index, path).map_err(Error::InvalidArgument)
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.variable(name).map(<[u8]>::to_vec)
    }

    fn step(&self) -> Step {
        Step::default()
    }

    fn write_stderr(&self, _: &str) {}

    fn end(&self, status: i32) {
        self.ended.set(Some(status));
    }
}
