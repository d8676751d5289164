//! Commands that are counted together.
//!
//! The texts of a large log and their counts do not fit into the caches of a processor. If several
//! texts are looked up back to back, their cache misses overlap.

use super::tally::{Added, Command, PARTS, Part, Tally};
use std::ops::Range;

/// Commands that are not counted yet, each with data of the caller.
#[derive(Debug)]
pub(super) struct Batch<'a, T> {
    queued: Vec<Queued<'a, T>>,
}

#[derive(Debug)]
struct Queued<'a, T> {
    command: Command<'a>,
    hash: u64,
    /// The number of the part of the tally in which the command is counted.
    part: usize,
    data: T,
}

impl<T> Default for Batch<'_, T> {
    fn default() -> Self {
        Self { queued: Vec::new() }
    }
}

/// Called with the result of each command.
type Take<'t, 'a, T> = &'t mut dyn FnMut(&Command<'a>, &T, Option<Added>);

impl<'a, T> Batch<'a, T> {
    pub(super) fn push(&mut self, tally: &Tally<'_>, command: Command<'a>, data: T) {
        let (hash, part) = tally.hash(&command);
        self.queued.push(Queued { command, hash, part, data });
    }

    /// Counts all commands. Calls `take` with the result for each, in no particular order; it is
    /// `None` if the text is not one that the plugin writes after such a head.
    pub(super) fn count(&mut self, tally: &Tally<'_>, take: Take<'_, 'a, T>) {
        let order = self.by_part();
        let mut groups: Vec<&[&Queued<'a, T>]> =
            order.chunk_by(|one, other| one.part == other.part).collect();
        while !groups.is_empty() {
            let before = groups.len();
            // A thread counts in another part rather than wait for one.
            groups.retain(|group| {
                let part = group.first().and_then(|first| tally.free_part(first.part));
                part.is_none_or(|mut part| {
                    count(tally, &mut part, group, take);
                    false
                })
            });
            if groups.len() == before
                && let Some(group) = groups.pop()
                && let Some(mut part) = group.first().and_then(|first| tally.part(first.part))
            {
                count(tally, &mut part, group, take);
            }
        }
        self.queued.clear();
    }

    /// All commands, those of one part next to each other.
    fn by_part(&self) -> Vec<&Queued<'a, T>> {
        let mut ends = [0; PARTS];
        for one in &self.queued {
            ends.get_mut(one.part).into_iter().for_each(|count| *count += 1);
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut order: Vec<&Queued<'a, T>> = self.queued.iter().collect();
        for one in &self.queued {
            let Some(end) = ends.get_mut(one.part) else { continue };
            *end -= 1;
            order.get_mut(*end).into_iter().for_each(|place| *place = one);
        }
        order
    }
}

/// Counts commands of one part.
fn count<'a, T>(
    tally: &Tally<'_>,
    part: &mut Part,
    group: &[&Queued<'a, T>],
    take: Take<'_, 'a, T>,
) {
    for (one, found) in group.iter().zip(find(part, group)) {
        let added = tally.add(part, &one.command, one.hash, found);
        take(&one.command, &one.data, added);
    }
}

/// The index of the text of each command, if the part has it. Each step accesses one place in
/// memory for each command, and does not depend on the result for the command before it.
fn find<T>(part: &Part, group: &[&Queued<'_, T>]) -> Vec<Option<usize>> {
    let texts = |one: &Queued<'_, T>| part.texts_of(one.command.head.is_hit);
    let likely: Vec<Option<usize>> = group.iter().map(|one| texts(one).likely(one.hash)).collect();
    let place = |(one, index): (&&Queued<'_, T>, &Option<usize>)| {
        index.map(|index| texts(one).place_of(index)).unwrap_or_default()
    };
    let places: Vec<Range<usize>> = group.iter().zip(&likely).map(place).collect();
    let all = group.iter().zip(likely).zip(places);
    // Another text can have nearly the same hash. Such a text is searched for when it is counted.
    let is_it = |one: &Queued<'_, T>, place| texts(one).text(place) == one.command.rest;
    all.map(|((one, index), place)| index.filter(|_| is_it(one, place))).collect()
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
                let (rest, place) = (rest.as_bytes(), (0, *index));
                batch.push(&tally, Command { head, rest, time, place }, *index);
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

    /// A part that another thread has is counted later.
    #[test]
    fn busy_parts_are_counted_last() {
        let tally = Tally::new(None, None);
        let rests: Vec<String> = (0..200).map(|number| format!("reference=o/i:{number}")).collect();
        let command = |rest: &'static str| {
            let head = Head { is_hit: false, job: None, uid: 1, kind: Kind::Launch, count: 1 };
            Command { head, rest: rest.as_bytes(), time: Timestamp::default(), place: (0, 0) }
        };
        let mut batch = Batch::default();
        for rest in rests {
            let command = command(rest.leak());
            let number = tally.hash(&command).1;
            batch.push(&tally, command, number);
        }
        let busy = tally.part(0).unwrap();
        let (send, receive) = std::sync::mpsc::channel();
        let counted = std::thread::scope(|scope| {
            let count = || {
                let mut order = Vec::new();
                batch.count(&tally, &mut |_, number, added| {
                    assert!(added.is_some());
                    order.push(*number);
                    send.send(()).unwrap();
                });
                order
            };
            let counting = scope.spawn(count);
            // Another part was counted.
            receive.recv().unwrap();
            drop(busy);
            counting.join().unwrap()
        });
        let of_first = counted.iter().filter(|number| **number == 0).count();
        assert!(counted.len() == 200 && of_first > 0, "{counted:?}");
        assert_ne!(counted.first(), Some(&0));
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
