//! How a caller observes, limits and ends a pull.

use crate::error::Failure;
use crate::pull::registry::Cancel;
use crate::system::signals;
use crate::ui::format;
use crate::ui::progress::Gauge;
use std::sync::Arc;

/// How a caller observes, limits and ends a pull.
#[derive(Default)]
pub(crate) struct Watch<'a> {
    /// Shows the progress of the download.
    pub(crate) gauge: Arc<Gauge>,
    /// Called before anything is downloaded, with the size of the compressed layers or of the file
    /// in bytes, or `None` if it is unknown. Its failure ends the pull.
    pub(crate) admit: Option<&'a dyn Fn(Option<u64>) -> Result<(), Failure>>,
    /// Whether the pull ends if the registry asks for a pause ([`Failure::Busy`]). Otherwise the
    /// runtime then tries it.
    pub(crate) stop_if_busy: bool,
    /// The largest file in bytes, for an image whose size no manifest states.
    pub(crate) max_size: Option<u64>,
    /// Ends the pull before the download is complete. The new file is then never named.
    pub(crate) cancel: Cancel,
}

impl Watch<'_> {
    /// Fails if the pull has to end.
    ///
    /// # Errors
    /// A signal asks the command to end, or the caller has cancelled the pull.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        signals::check()?;
        match self.cancel.reason() {
            Some(why) => Err(Failure::TimedOut(why.to_owned())),
            None => Ok(()),
        }
    }

    /// Like [`Self::check`], but also reports progress, because a pull that waits for another one
    /// is not stalled.
    ///
    /// # Errors
    /// Like [`Self::check`].
    pub(crate) fn wait(&self) -> Result<(), Failure> {
        self.gauge.touch();
        self.check()
    }

    /// Checks the size of a file that has been downloaded, or a part of it.
    ///
    /// # Errors
    /// It is larger than the limit.
    pub(crate) fn check_size(&self, bytes: u64) -> Result<(), Failure> {
        match self.max_size {
            Some(most) if bytes > most => Err(too_large("its file has at least", bytes, most)),
            _ => Ok(()),
        }
    }
}

/// The failure for an image that is larger than the policy allows. `what` has this number of bytes.
pub(crate) fn too_large(what: &str, bytes: u64, most: u64) -> Failure {
    let [size, most] = [bytes, most].map(format::size);
    Failure::NotAllowed(format!("{what} {size}, and the policy's max-size is {most}"))
}
