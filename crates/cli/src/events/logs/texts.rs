//! A compact map from distinct texts to values, with few memory accesses for each lookup: the texts
//! are stored in one buffer, and the hash table has eight bytes for each.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::ops::Range;

/// The hash function. It has a random key, because every user can write texts into logs.
#[derive(Debug, Default)]
pub(super) struct Hasher(RandomState);

impl Hasher {
    pub(super) fn hash(&self, text: &[u8]) -> u64 {
        self.0.hash_one(text)
    }
}

/// Distinct texts, each with a value.
#[derive(Debug)]
pub(super) struct Texts<T> {
    /// All texts, one after the other.
    all: Vec<u8>,
    entries: Vec<Entry<T>>,
    /// A hash table with open addressing. Its size is a power of two, or 0 without any text.
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Entry<T> {
    /// Where the text begins in `all`, and its length.
    start: usize,
    length: u32,
    value: T,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// The low half of the hash of the text.
    hash: u32,
    /// The index of the entry plus one; 0 if the slot is free.
    next: u32,
}

impl<T> Default for Texts<T> {
    fn default() -> Self {
        Self { all: Vec::new(), entries: Vec::new(), slots: Vec::new() }
    }
}

impl<T> Texts<T> {
    /// The number of texts.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Calls `take` with each text and its value.
    pub(super) fn each(self, take: &mut dyn FnMut(&[u8], T)) {
        for entry in self.entries {
            take(self.all.get(place(&entry)).unwrap_or_default(), entry.value);
        }
    }

    /// The value of a text with this hash. If there is none, it is set to `new`, unless that is
    /// `None`.
    pub(super) fn value(
        &mut self,
        hash: u64,
        text: &[u8],
        new: impl FnOnce() -> Option<T>,
    ) -> Option<&mut T> {
        let index = match self.find(hash, text) {
            Some(index) => index,
            None => {
                let entry = Entry {
                    start: self.all.len(),
                    length: text.len().try_into().ok()?,
                    value: new()?,
                };
                self.insert(low(hash), text, entry)?
            }
        };
        self.at(index)
    }

    /// The value with this index.
    pub(super) fn at(&mut self, index: usize) -> Option<&mut T> {
        self.entries.get_mut(index).map(|entry| &mut entry.value)
    }

    /// The index of a text with this hash. It does not change when further texts are added.
    pub(super) fn find(&self, hash: u64, searched: &[u8]) -> Option<usize> {
        self.first(hash, |index| self.text(self.place_of(index)) == searched)
    }

    /// The index of the first text whose hash has the same low half. In almost all cases, it is the
    /// text with this hash, if there is one.
    pub(super) fn likely(&self, hash: u64) -> Option<usize> {
        self.first(hash, |_| true)
    }

    /// The index of the first text for whose hash the low half is the same and that is accepted.
    fn first(&self, hash: u64, accept: impl Fn(usize) -> bool) -> Option<usize> {
        let hash = low(hash);
        let mut at = self.start(hash);
        loop {
            let slot = self.slots.get(at).filter(|slot| slot.next != 0)?;
            if slot.hash == hash {
                let index = usize::try_from(slot.next - 1).ok()?;
                if accept(index) {
                    return Some(index);
                }
            }
            at = self.after(at);
        }
    }

    /// Where the text with this index is.
    pub(super) fn place_of(&self, index: usize) -> Range<usize> {
        self.entries.get(index).map(place).unwrap_or_default()
    }

    /// The text at this place.
    pub(super) fn text(&self, place: Range<usize>) -> &[u8] {
        self.all.get(place).unwrap_or_default()
    }

    /// Inserts a new text, and returns its index. `None` if there are too many texts.
    fn insert(&mut self, hash: u32, text: &[u8], entry: Entry<T>) -> Option<usize> {
        let index = self.entries.len();
        let next = u32::try_from(index).ok()?.checked_add(1)?;
        // At most three of four slots are used, so that a search ends soon.
        if (index + 1) * 4 > self.slots.len() * 3 {
            let larger = vec![Slot::default(); (self.slots.len() * 2).max(8)];
            let slots = std::mem::replace(&mut self.slots, larger);
            slots.into_iter().filter(|slot| slot.next != 0).for_each(|slot| self.fill(slot));
        }
        self.all.extend_from_slice(text);
        self.entries.push(entry);
        self.fill(Slot { hash, next });
        Some(index)
    }

    /// Fills the first free slot for this hash.
    fn fill(&mut self, slot: Slot) {
        let mut at = self.start(slot.hash);
        while self.slots.get(at).is_some_and(|slot| slot.next != 0) {
            at = self.after(at);
        }
        if let Some(free) = self.slots.get_mut(at) {
            *free = slot;
        }
    }

    fn start(&self, hash: u32) -> usize {
        usize::try_from(hash).unwrap_or_default() & self.slots.len().wrapping_sub(1)
    }

    fn after(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.slots.len().wrapping_sub(1)
    }
}

/// Where the text of an entry is.
fn place<T>(entry: &Entry<T>) -> Range<usize> {
    entry.start..entry.start + usize::try_from(entry.length).unwrap_or_default()
}

/// The low half of a hash.
fn low(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::{Hasher, Texts};
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Hashes that are equal in part or as a whole do not matter.
        #[test]
        fn each_text_has_its_own_value(
            all in proptest::collection::vec("[a-c]{0,3}", 0..100),
            mask in prop_oneof![Just(u64::MAX), Just(0), Just(3), Just(u64::MAX << 32)],
        ) {
            let (hasher, mut texts) = (Hasher::default(), Texts::default());
            let mut expected: HashMap<&str, u32> = HashMap::new();
            for text in &all {
                let bytes = text.as_bytes();
                let hash = hasher.hash(bytes) & mask;
                let known = expected.contains_key(text.as_str());
                prop_assert_eq!(texts.find(hash, bytes).is_some(), known);
                prop_assert!(texts.likely(hash).is_some() >= known);
                prop_assert_eq!(texts.value(hash, bytes, || None).is_some(), known);
                *texts.value(hash, bytes, || Some(0)).unwrap() += 1;
                let found = texts.find(hash, bytes).unwrap();
                prop_assert_eq!(texts.text(texts.place_of(found)), bytes);
                *expected.entry(text).or_default() += 1;
            }
            prop_assert_eq!(texts.len(), expected.len());
            texts.each(&mut |text, count| {
                let text = std::str::from_utf8(text).unwrap();
                assert_eq!(expected.remove(text), Some(count));
            });
            prop_assert!(expected.is_empty());
        }
    }

    #[test]
    fn many_texts_are_found_again() {
        let (hasher, mut texts) = (Hasher::default(), Texts::default());
        for number in (0..10_000).chain(0..10_000) {
            let text = format!("text {number}");
            let hash = hasher.hash(text.as_bytes());
            let value = texts.value(hash, text.as_bytes(), || Some((number, 0))).unwrap();
            assert_eq!(value.0, number);
            value.1 += 1;
        }
        assert!(texts.len() == 10_000 && texts.slots.len() <= 1 << 14, "{}", texts.slots.len());
        texts.each(&mut |text, (number, count)| {
            assert_eq!((text, count), (format!("text {number}").as_bytes(), 2));
        });
    }
}
