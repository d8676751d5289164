//! Commands that are counted together.
//!
//! The texts of a large log and their counts do not fit into the caches of a processor. It waits for
//! the memory of several texts at the same time if they are looked up one right after the other.

use super::tally::{Added, Command, PARTS, Tally};

/// Commands that are not counted yet, each with data of the caller.
pub(super) struct Batch<'a, T> {
    /// The commands by the number of the part of the tally in which they are counted. Empty before
    /// the first one.
    parts: Vec<Vec<Queued<'a, T>>>,
}

struct Queued<'a, T> {
    command: Command<'a>,
    hash: u64,
    data: T,
}

impl<T> Default for Batch<'_, T> {
    fn default() -> Self {
        Self { parts: Vec::new() }
    }
}

impl<'a, T> Batch<'a, T> {
    pub(super) fn push(&mut self, tally: &Tally<'_>, command: Command<'a>, data: T) {
        let (hash, number) = tally.hash(&command);
        self.parts.resize_with(PARTS, Vec::new);
        if let Some(part) = self.parts.get_mut(number) {
            part.push(Queued { command, hash, data });
        }
    }

    /// Counts all commands. Calls `take` with the result for each, in no particular order; it is
    /// `None` if the text is not one that the plugin writes after such a head.
    pub(super) fn count(
        &mut self,
        tally: &Tally<'_>,
        take: &mut dyn FnMut(&Command<'a>, &T, Option<Added>),
    ) {
        for (number, queued) in self.parts.iter_mut().enumerate() {
            if queued.is_empty() {
                continue;
            }
            let Some(mut part) = tally.part(number) else { continue };
            let found: Vec<Option<usize>> =
                queued.iter().map(|one| part.find(&one.command, one.hash)).collect();
            for (one, found) in queued.drain(..).zip(found) {
                let added = tally.add(&mut part, &one.command, one.hash, found);
                take(&one.command, &one.data, added);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;
    use crate::events::head::Head;
    use crate::events::logs::tally::{Command, Tally};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use sifcache_core::decision::Kind;

    /// Counts texts of hits and misses in batches of this size. Returns for each whether it was
    /// accepted, and the counts of each text.
    fn count(all: &[(bool, String)], size: usize) -> (Vec<bool>, Vec<(String, bool, u64)>) {
        let (tally, mut batch) = (Tally::new(None, None), Batch::default());
        let mut accepted = vec![false; all.len()];
        let all: Vec<_> = all.iter().enumerate().collect();
        for some in all.chunks(size) {
            for (index, (is_hit, rest)) in some {
                let head =
                    Head { is_hit: *is_hit, job: None, uid: 1, kind: Kind::Launch, count: 1 };
                let time = Timestamp::default();
                batch.push(&tally, Command { head, rest, time, place: (0, *index) }, *index);
            }
            batch.count(&tally, &mut |command, index, added| {
                assert_eq!(command.place.1, *index);
                accepted[*index] = added.is_some();
            });
        }
        let mut counts = Vec::new();
        tally.into_parts().for_each(|part| {
            part.each(&mut |event, of_text| {
                let is_hit = event.image.is_some();
                counts.push((event.reference.to_string(), is_hit, of_text.commands.launches));
            });
        });
        counts.sort();
        (accepted, counts)
    }

    proptest! {
        #[test]
        fn the_size_of_a_batch_does_not_matter(
            all in proptest::collection::vec((any::<bool>(), "reference=(o/[a-c]|-)( image=/s)?"), 1..50),
            size in 2..50usize,
        ) {
            let alone = count(&all, 1);
            prop_assert_eq!(&count(&all, size), &alone);
            let is_valid = |(is_hit, rest): &(bool, String)| {
                !rest.contains("=-") && (!is_hit || rest.contains("image"))
            };
            prop_assert_eq!(alone.0, all.iter().map(is_valid).collect::<Vec<_>>());
        }
    }
}
