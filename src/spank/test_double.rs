//! A test double of Slurm, for testing hooks without Slurm.

use super::{Context, Spank};
use crate::job::{Error, Job, Step};
use crate::spank::installed::Component;
use crate::spank::runtimes::Located;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Slurm's state as a hook sees it, and the changes that the hook made.
pub(crate) struct Double {
    context: Context,
    arguments: Vec<String>,
    /// Whether the hook is called for a line of the plugin that is not its first line in
    /// plugstack.conf.
    pub(crate) is_second_line: bool,
    pub(crate) command: Vec<Vec<u8>>,
    pub(crate) option: Option<String>,
    pub(crate) step: Step,
    pub(crate) refuses_replacement: bool,
    variables: RefCell<BTreeMap<String, String>>,
    pub(crate) registered: Cell<bool>,
    pub(crate) replaced: RefCell<Option<(usize, PathBuf)>>,
    pub(crate) stderr: RefCell<String>,
    pub(crate) ended: Cell<Option<i32>>,
    pub(crate) missing: Option<String>,
    pub(crate) in_container: bool,
    pub(crate) command_line: Vec<Vec<u8>>,
    pub(crate) cannot_prepend: bool,
    /// The maximum number of bytes by which argv and environment may grow.
    pub(crate) room: usize,
    pub(crate) prepended: RefCell<Vec<String>>,
    /// The runtimes of the node: name, directory, inode number.
    pub(crate) runtimes: Vec<(&'static str, &'static str, u64)>,
    pub(crate) searched_system: Cell<bool>,
    pub(crate) looked_up: Cell<bool>,
}

impl Double {
    pub(crate) fn new(context: Context, arguments: &[&str]) -> Self {
        Self {
            context,
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            is_second_line: false,
            command: Vec::new(),
            option: None,
            step: Step { id: Some((0, 0)), tasks: 1, ..Step::default() },
            refuses_replacement: false,
            variables: RefCell::default(),
            registered: Cell::new(false),
            replaced: RefCell::new(None),
            stderr: RefCell::default(),
            ended: Cell::new(None),
            missing: None,
            in_container: false,
            command_line: Vec::new(),
            cannot_prepend: false,
            room: usize::MAX,
            prepended: RefCell::default(),
            runtimes: vec![("apptainer", "/bin", 1), ("singularity", "/bin", 2)],
            searched_system: Cell::new(false),
            looked_up: Cell::new(false),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.variables.borrow().get(name).cloned()
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        self.variables.borrow_mut().insert(name.to_owned(), value.to_owned());
    }
}

impl Spank for Double {
    fn context(&self) -> Context {
        self.context
    }

    fn arguments(&self) -> Vec<&[u8]> {
        self.arguments.iter().map(|argument| argument.as_bytes()).collect()
    }

    fn is_first_line(&self) -> bool {
        !self.is_second_line
    }

    fn register_option(&self) -> Result<(), Error> {
        self.registered.set(true);
        Ok(())
    }

    fn option(&self) -> Option<Vec<u8>> {
        self.option.as_ref().map(|value| value.as_bytes().to_vec())
    }

    fn fits_in_exec_limit(&self, bytes: usize) -> bool {
        bytes <= self.room
    }

    fn set_variable(&self, name: &str, value: &[u8]) -> Result<(), Error> {
        self.set(name, &String::from_utf8_lossy(value));
        Ok(())
    }

    fn unset_variable(&self, name: &str) -> Result<(), Error> {
        self.variables.borrow_mut().remove(name);
        Ok(())
    }

    fn prepend(&self, words: &[&[u8]]) -> Result<(), Error> {
        if self.cannot_prepend {
            return Err(Error::InvalidArgument("an old Slurm"));
        }
        let text = |word: &&[u8]| String::from_utf8_lossy(word).into_owned();
        self.prepended.replace(words.iter().map(text).collect());
        Ok(())
    }

    fn is_in_container(&self) -> bool {
        self.in_container
    }

    fn command_line(&self) -> Vec<Vec<u8>> {
        self.command_line.clone()
    }

    fn is_installed(&self, _part: Component) -> bool {
        self.missing.is_none()
    }

    fn missing(&self, _part: Component) -> Option<String> {
        self.missing.clone()
    }

    fn look_up_symbols(&self) {
        self.looked_up.set(true);
    }

    fn search_system_directories(&self, _names: &[String]) {
        self.searched_system.set(true);
    }

    fn runtimes(&self, names: &[String], path: &[u8]) -> Vec<Located> {
        let path = String::from_utf8_lossy(path);
        let located = |(number, name): (usize, &String)| {
            let found = self.runtimes.iter().find(|(one, directory, _)| {
                one == name && path.split(':').any(|entry| entry == *directory)
            });
            found.map(|(_, directory, inode)| (number, directory.as_bytes().to_vec(), (1, *inode)))
        };
        names.iter().enumerate().filter_map(located).collect()
    }
}

impl Job for Double {
    fn command(&self) -> Vec<&[u8]> {
        self.command.iter().map(Vec::as_slice).collect()
    }

    fn replace(&self, index: usize, path: &Path) -> Result<(), Error> {
        if self.refuses_replacement {
            return Err(Error::InvalidArgument("refused"));
        }
        self.replaced.replace(Some((index, path.to_owned())));
        Ok(())
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name).map(String::into_bytes)
    }

    fn step(&self) -> Step {
        self.step
    }

    fn write_stderr(&self, text: &str) {
        self.stderr.borrow_mut().push_str(text);
    }

    fn end(&self, status: i32) {
        self.ended.set(Some(status));
    }
}
