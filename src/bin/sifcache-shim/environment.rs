//! The environment for the runtime: that of the shim, without the variables and entries of
//! sifcache.

use sifcache_core::nested::{self, Change};
use sifcache_core::settings::Nested;
use std::ffi::CString;

/// The variables in their original order, including strings without `=`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(Vec<CString>);

impl Environment {
    pub(crate) fn new(variables: Vec<CString>) -> Self {
        Self(variables)
    }

    pub(crate) fn variables(&self) -> &[CString] {
        &self.0
    }

    /// The value of a variable. If the variable occurs twice, the first occurrence counts, as in
    /// getenv(3).
    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.0.iter().find_map(|variable| value(variable, name)).map(<[u8]>::to_vec)
    }

    /// The value of a variable as a number; `None` if it is not a number.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        String::from_utf8(self.get(name)?).ok()?.parse().ok()
    }

    /// Sets a variable, keeping its position, or removes it.
    pub(crate) fn change(&mut self, name: &str, new: Option<&[u8]>) {
        let variable = new.and_then(|new| CString::new([name.as_bytes(), b"=", new].concat()).ok());
        let place = self.0.iter().position(|variable| value(variable, name).is_some());
        match (place.and_then(|place| self.0.get_mut(place)), variable) {
            (Some(old), Some(variable)) => *old = variable,
            (None, Some(variable)) => self.0.push(variable),
            (_, None) => self.0.retain(|variable| value(variable, name).is_none()),
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

fn value<'a>(variable: &'a CString, name: &str) -> Option<&'a [u8]> {
    variable.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}

#[cfg(test)]
pub(crate) fn environment(variables: &[&str]) -> Environment {
    Environment(variables.iter().map(|variable| CString::new(*variable).unwrap()).collect())
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
