//! Cancels downloads: their data are no longer needed, or the pull has to end.

use std::sync::{Arc, OnceLock};

/// A flag that the threads of a download share. Clones are the same flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel {
    own: Arc<OnceLock<String>>,
    whole: Option<Arc<OnceLock<String>>>,
}

impl Cancel {
    /// A flag for a part of the downloads. It is also set if this one is.
    pub(crate) fn part(&self) -> Self {
        Self { own: Arc::default(), whole: Some(Arc::clone(&self.own)) }
    }

    /// Ends the downloads that use this flag. Only the first reason counts.
    pub(crate) fn cancel(&self, why: &str) {
        let _ = self.own.set(why.to_owned());
    }

    /// Whether the downloads have to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }

    /// Why the downloads have to end, if they have to.
    pub(crate) fn reason(&self) -> Option<&str> {
        let whole = self.whole.as_ref().and_then(|whole| whole.get());
        whole.or(self.own.get()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::Cancel;

    #[test]
    fn a_part_ends_with_the_whole_but_not_the_whole_with_a_part() {
        let whole = Cancel::default();
        let [one, other] = [whole.part(), whole.part()];
        one.cancel("enough");
        assert!(one.is_cancelled() && !other.is_cancelled() && !whole.is_cancelled());
        whole.cancel("late");
        whole.cancel("later");
        assert_eq!([&one, &other, &whole].map(Cancel::reason), [Some("late"); 3]);
    }
}
