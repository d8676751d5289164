//! The runtime's version, determined in a background thread: starting the runtime takes as long as
//! a query of a registry, and the version is first needed when an image is converted.

use super::Runtime;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

/// What the runtime prints as its version: `apptainer version 1.4.5`.
#[derive(Debug)]
pub(crate) struct Version {
    thread: Mutex<Option<JoinHandle<String>>>,
    text: OnceLock<String>,
}

impl Version {
    /// Starts the thread.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn of(runtime: &Runtime) -> io::Result<Self> {
        let runtime = runtime.clone();
        let thread = Builder::new().name("version".to_owned()).spawn(move || runtime.version())?;
        Ok(Self { thread: Mutex::new(Some(thread)), text: OnceLock::new() })
    }

    /// Waits for the thread, and returns the version. Empty if the program cannot be run.
    pub(crate) fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
        })
    }
}

/// Waits for the thread, so that the runtime does not outlive the command.
impl Drop for Version {
    fn drop(&mut self) {
        self.text();
    }
}

#[cfg(test)]
mod tests {
    use super::Version;
    use crate::pull::runtime::tests::{stand_in, starts};

    #[test]
    fn the_program_is_asked_once() {
        let (directory, runtime) = stand_in("echo a version; echo >>\"${0%/*}/runs\"");
        let version = {
            let _starts = starts();
            let version = Version::of(&runtime).unwrap();
            assert_eq!(version.text(), "a version");
            version
        };
        assert_eq!(version.text(), "a version");
        assert_eq!(std::fs::read(directory.path().join("runs")).unwrap(), b"\n");
    }
}
