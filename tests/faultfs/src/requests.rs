//! The requests that the kernel has sent to the file system.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of requests of each kind, by the name of the call, such as `lookup`.
pub type Counts = BTreeMap<&'static str, usize>;

/// Counts requests. Clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct Requests(Option<Arc<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    counts: Mutex<Counts>,
    log: Option<File>,
}

impl Requests {
    /// Counts requests in memory.
    #[must_use]
    pub fn counting() -> Self {
        Self(Some(Arc::default()))
    }

    /// Counts requests, and appends the name of each one to the file `log`, one per line.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn logging(log: &Path) -> io::Result<Self> {
        // Whoever empties the file gets the requests from then on.
        let log = File::options().create(true).append(true).open(log)?;
        let shared = Shared { log: Some(log), ..Shared::default() };
        Ok(Self(Some(Arc::new(shared))))
    }

    /// Returns the counts since the last call, and starts again at 0.
    #[must_use]
    pub fn take(&self) -> Counts {
        self.0.as_ref().map(|shared| std::mem::take(&mut *shared.counts())).unwrap_or_default()
    }

    pub(crate) fn is_counting(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn count(&self, call: &'static str) {
        let Some(shared) = &self.0 else { return };
        *shared.counts().entry(call).or_default() += 1;
        if let Some(mut log) = shared.log.as_ref() {
            let _ = writeln!(log, "{call}");
        }
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
