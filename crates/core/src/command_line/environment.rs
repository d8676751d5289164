//! Environment variables that set flags.
//!
//! Each runtime sets a flag that is not on the command line from variables. Singularity reads
//! `SINGULARITY_KEY`. Apptainer reads `APPTAINER_KEY`, and `SINGULARITY_KEY` only if the former is
//! not set, even if it is empty. The name of the program does not always tell the two apart:
//! Apptainer is also installed as `singularity`. If the runtimes would read different values, the
//! command is left unchanged.

use super::parse_bool;
use crate::name::Name;
use std::fmt;

/// Returns the value of a variable of the job.
pub type Environment<'a> = dyn Fn(&str) -> Option<Vec<u8>> + 'a;

/// A variable that sets a flag, named by the part after the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    pub(super) key: Name,
    unprefixed: bool,
    boolean: bool,
}

/// A variable that sets a boolean flag.
pub(crate) const fn key(key: &str) -> Variable {
    Variable { key: Name::new(key), unprefixed: false, boolean: true }
}

/// A variable that sets a flag with a value.
pub(crate) const fn text(key: &str) -> Variable {
    Variable { key: Name::new(key), unprefixed: false, boolean: false }
}

/// A variable that sets a flag with a value, and that some runtimes read without a prefix, too.
pub(crate) const fn unprefixed(key: &str) -> Variable {
    Variable { key: Name::new(key), unprefixed: true, boolean: false }
}

const APPTAINER: &str = "APPTAINER_";
const SINGULARITY: &str = "SINGULARITY_";

/// The variables of a job, as the runtime `program` reads them.
pub(crate) struct Variables<'a> {
    get: &'a Environment<'a>,
    is_apptainer: bool,
}

impl<'a> Variables<'a> {
    pub(crate) fn new(program: &[u8], get: &'a Environment<'a>) -> Self {
        Self { get, is_apptainer: super::file_name(program) == b"apptainer" }
    }

    /// The value of the first of `keys` that has one, without blanks around it.
    ///
    /// # Errors
    /// The runtimes read different values.
    pub(crate) fn text(&self, keys: &[Variable]) -> Result<Option<Vec<u8>>, Variable> {
        let apptainer = self.read_by_apptainer(keys);
        let singularity = keys.iter().find_map(|key| self.value(SINGULARITY, *key));
        match keys.first() {
            Some(key) if !self.is_apptainer && apptainer != singularity => Err(*key),
            _ => Ok(apptainer),
        }
    }

    /// The same for a boolean flag.
    ///
    /// # Errors
    /// The runtimes read different values, or the value is not a boolean, which is an error of the
    /// runtime.
    pub(crate) fn boolean(&self, key: Variable) -> Result<Option<bool>, Variable> {
        match self.text(&[key])? {
            Some(value) => parse_bool(&value).ok_or(key).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a variable gives a flag another value than the default, in any runtime.
    pub(crate) fn is_set(&self, key: Variable) -> bool {
        let is_set = |prefix: &str| {
            let value = self.value(prefix, key);
            value.is_some_and(|value| !key.boolean || parse_bool(&value) != Some(false))
        };
        is_set(APPTAINER) || is_set(SINGULARITY) || (key.unprefixed && is_set(""))
    }

    fn read_by_apptainer(&self, keys: &[Variable]) -> Option<Vec<u8>> {
        keys.iter().find_map(|key| self.value(APPTAINER, *key)).or_else(|| {
            let mut legacy = keys.iter().filter(|key| self.raw(APPTAINER, **key).is_none());
            legacy.find_map(|key| self.value(SINGULARITY, *key))
        })
    }

    fn raw(&self, prefix: &str, variable: Variable) -> Option<Vec<u8>> {
        (self.get)(&format!("{prefix}{}", variable.key.as_str()))
    }

    /// The value without blanks around it; `None` if nothing remains.
    fn value(&self, prefix: &str, variable: Variable) -> Option<Vec<u8>> {
        let raw = self.raw(prefix, variable)?;
        let trimmed = match std::str::from_utf8(&raw) {
            Ok(text) => text.trim().as_bytes(),
            Err(_) => raw.trim_ascii(),
        };
        (!trimmed.is_empty()).then(|| trimmed.to_vec())
    }
}

/// All names of the variable.
impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_str();
        if self.unprefixed {
            write!(f, "{key}, ")?;
        }
        write!(f, "{SINGULARITY}{key} or {APPTAINER}{key}")
    }
}
