//! The environment for the runtime: that of the shim, without the variables and entries of
//! sifcache.

use sifcache_core::nested::{self, Change};
use sifcache_core::settings::Nested;
use std::borrow::Cow;
use std::ffi::{CStr, CString};

/// One string of the environment. Those that the shim does not change are not copied: a job can
/// have thousands, and each launch would pay for the memory.
pub(crate) type Variable = Cow<'static, CStr>;

/// The variables in their original order, including strings without `=`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(Vec<Variable>);

impl Environment {
    pub(crate) fn new(variables: impl Iterator<Item = &'static CStr>) -> Self {
        Self(variables.map(Cow::Borrowed).collect())
    }

    pub(crate) fn variables(&self) -> &[Variable] {
        &self.0
    }

    /// The value of a variable. If the variable occurs twice, the first occurrence counts, as in
    /// getenv(3).
    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        value(self.0.get(self.position(name)?)?, name).map(<[u8]>::to_vec)
    }

    /// The index of the first variable of this name.
    fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|variable| value(variable, name).is_some())
    }

    /// The value of a variable as a number; `None` if it is not a number.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        String::from_utf8(self.get(name)?).ok()?.parse().ok()
    }

    /// Sets a variable, keeping its position, or removes it.
    pub(crate) fn change(&mut self, name: &str, new: Option<&[u8]>) {
        let variable = new.and_then(|new| CString::new([name.as_bytes(), b"=", new].concat()).ok());
        let old = self.position(name).and_then(|place| self.0.get_mut(place));
        match (old, variable) {
            (Some(old), Some(variable)) => *old = Cow::Owned(variable),
            (None, Some(variable)) => self.0.push(Cow::Owned(variable)),
            (Some(_), None) => self.0.retain(|variable| value(variable, name).is_none()),
            (None, None) => {}
        }
    }

    /// Removes every variable and entry that the plugin and the shim have added.
    pub(crate) fn clean(&mut self) {
        let changes = nested::changes(Nested::Off, &[], b"", &|name: &str| self.get(name));
        for Change { name, value } in changes {
            self.change(name, value.as_deref());
        }
    }
}

/// The value of `variable`, if it has this name. Few names have the same length, so most variables
/// are excluded by a single byte.
#[inline]
fn value<'a>(variable: &'a CStr, name: &str) -> Option<&'a [u8]> {
    let (start, rest) = variable.to_bytes().split_at_checked(name.len())?;
    let value = rest.strip_prefix(b"=")?;
    (start == name.as_bytes()).then_some(value)
}

#[cfg(test)]
pub(crate) fn environment(variables: &[&str]) -> Environment {
    let variables = variables.iter().map(|variable| CString::new(*variable).unwrap());
    Environment(variables.map(Cow::Owned).collect())
}

#[cfg(test)]
mod tests {
    use super::environment;
    use sifcache_core::nested::{INTERPOSER, RUNTIME, SETTINGS, SHIMS, installed};

    #[test]
    fn clean_removes_only_our_entries_and_keeps_the_order() {
        let mut with = environment(&[
            "A=1",
            &format!("PATH={}:/bin", installed(SHIMS)),
            "no equals sign",
            &format!("LD_PRELOAD={}", installed(INTERPOSER)),
            "PATHS=x",
            &format!("{SETTINGS}=image_root=/sif"),
            "A=2",
            &format!("{RUNTIME}=/usr/bin/apptainer"),
            "=",
        ]);
        assert_eq!(with.get("A").as_deref(), Some(b"1".as_slice()));
        with.clean();
        let texts: Vec<_> = with.variables().iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(texts, ["A=1", "PATH=/bin", "no equals sign", "PATHS=x", "A=2", "="]);
    }
}
