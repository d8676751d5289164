//! The two steps to many candidates in one directory: the walk to the directory, then each name.

use super::{Root, State, stat};
use crate::trust;
use std::borrow::Cow;
use std::fs::Metadata;

impl Root<'_> {
    /// The directory of this name under the root. With it, [`Self::check`] and [`Self::locate`] have
    /// the same results as with the root and the whole name, but many names in one directory take
    /// only one walk to it.
    #[must_use]
    pub fn below(&self, directory: &str) -> Root<'static> {
        let entered = self.entered.as_ref().map(|entered| match entered {
            Ok(place) => trust::descend(place, directory).map_err(State::from),
            Err(state) => Err(state.clone()),
        });
        Root { path: Cow::Owned(self.path.join(directory)), entered }
    }

    /// The metadata of the candidate `name`, with links followed, without a check of its type and
    /// content.
    ///
    /// # Errors
    /// The candidate does not exist, is not trusted, or cannot be reached. The [`State`] is the
    /// reason.
    pub fn locate(&self, name: &str) -> Result<Metadata, State> {
        match &self.entered {
            None => stat(&self.join(name)),
            Some(Ok(place)) => trust::find(place, name).map_err(State::from),
            Some(Err(state)) => Err(state.clone()),
        }
    }
}
