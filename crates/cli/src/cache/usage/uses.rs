//! A compact map from names to times: a saved file has hundreds of thousands of them, and most
//! commands look up only a few.

use jiff::Timestamp;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Range;

/// Names, each with a time. In JSON, this is an object.
#[derive(Clone, Default)]
pub(super) struct Uses {
    /// All names, one after the other.
    text: String,
    /// In the order of the names, which are distinct.
    all: Vec<Use>,
}

#[derive(Debug, Clone, Copy)]
struct Use {
    /// Where the name begins in the text, and its length.
    start: usize,
    length: u32,
    time: Timestamp,
}

impl Use {
    fn range(&self) -> Range<usize> {
        self.start..self.start + usize::try_from(self.length).unwrap_or_default()
    }
}

impl Uses {
    /// The number of names.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The name with this index in the order of the names, and its time.
    pub(super) fn at(&self, index: usize) -> Option<(&str, Timestamp)> {
        self.all.get(index).map(|one| (self.name(one), one.time))
    }

    /// The names in their order, with their times.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.all.iter().map(|one| (self.name(one), one.time))
    }

    /// The time of a name.
    pub(super) fn get(&self, name: &str) -> Option<Timestamp> {
        self.at(self.find(name)?).map(|(_, time)| time)
    }

    /// Sets the time of a known name. Returns whether it is known.
    pub(super) fn set(&mut self, name: &str, time: Timestamp) -> bool {
        let known = self.find(name).and_then(|index| self.all.get_mut(index));
        known.map(|one| one.time = time).is_some()
    }

    /// Adds names with times. If a name occurs several times or already exists, its latest time is
    /// kept.
    pub(super) fn add<'a>(&mut self, uses: impl IntoIterator<Item = (&'a str, Timestamp)>) {
        let before = self.all.len();
        uses.into_iter().for_each(|(name, time)| self.push(name, time));
        if self.all.len() > before {
            self.sort();
        }
    }

    /// Keeps the names for whose index `keep` returns true.
    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut next = 0..;
        self.all.retain(|_| next.next().is_some_and(&keep));
    }

    fn name(&self, one: &Use) -> &str {
        self.text.get(one.range()).unwrap_or_default()
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.all.binary_search_by(|one| self.name(one).cmp(name)).ok()
    }

    /// Adds a name after the others.
    fn push(&mut self, name: &str, time: Timestamp) {
        let Ok(length) = u32::try_from(name.len()) else { return };
        self.all.push(Use { start: self.text.len(), length, time });
        self.text.push_str(name);
    }

    /// Sorts the names, and keeps the latest time of each.
    fn sort(&mut self) {
        let mut all = std::mem::take(&mut self.all);
        let by_name = |one: &Use, other: &Use| self.name(one).cmp(self.name(other));
        if !all.is_sorted_by(|one, other| by_name(one, other).is_lt()) {
            // A saved file is already sorted, so the times that are added form a second run.
            all.sort_by(|one, other| by_name(one, other).then(other.time.cmp(&one.time)));
            all.dedup_by(|next, kept| self.name(next) == self.name(kept));
        }
        self.all = all;
    }
}

impl PartialEq for Uses {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Uses {}

impl fmt::Debug for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Uses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Uses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut uses = Self::default();
        deserializer.deserialize_map(Object(&mut uses))?;
        uses.sort();
        Ok(uses)
    }
}

/// Adds the keys and values of an object.
struct Object<'a>(&'a mut Uses);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and times")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        loop {
            let start = self.0.text.len();
            if map.next_key_seed(Key(&mut self.0.text))?.is_none() {
                return Ok(());
            }
            let length = u32::try_from(self.0.text.len() - start).unwrap_or_default();
            self.0.all.push(Use { start, length, time: map.next_value()? });
        }
    }
}

/// Appends a key to a text without allocating a string for it.
struct Key<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.push_str(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Uses;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    proptest! {
        /// The same as a map, which older releases used.
        #[test]
        fn uses_are_a_map(
            first in proptest::collection::vec(("[a-c\"ü\\\\]{0,2}", 0..9i64), 0..30),
            second in proptest::collection::vec(("[a-c\"ü\\\\]{0,2}", 0..9i64), 0..30),
            keep in 1..4usize,
        ) {
            let (mut uses, mut map) = (Uses::default(), BTreeMap::<String, Timestamp>::new());
            for some in [&first, &second] {
                uses.add(some.iter().map(|(name, second)| (name.as_str(), at(*second))));
                for (name, second) in some {
                    let last = map.entry(name.clone()).or_insert(at(*second));
                    *last = at(*second).max(*last);
                }
                prop_assert_eq!(serde_json::to_string(&uses).unwrap(), serde_json::to_string(&map).unwrap());
            }
            for (name, second) in &second {
                prop_assert_eq!(uses.get(name), map.get(name).copied());
                prop_assert!(uses.set(name, at(-second)));
                map.insert(name.clone(), at(-second));
            }
            prop_assert!(!uses.set("none", at(0)) && uses.get("none").is_none());
            let saved = serde_json::to_vec(&map).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Uses>(&saved).unwrap(), &uses);
            let indices: Vec<usize> = (0..uses.len()).filter(|index| index % keep == 0).collect();
            let kept: Vec<(String, Timestamp)> = indices
                .iter()
                .map(|index| uses.at(*index).map(|(name, time)| (name.to_owned(), time)).unwrap())
                .collect();
            uses.retain(|index| index % keep == 0);
            prop_assert!(uses.iter().eq(kept.iter().map(|(name, time)| (name.as_str(), *time))));
        }
    }

    /// A user who may write to the image root may have edited the file.
    #[test]
    fn an_object_in_any_order_is_read() {
        let time = |second| format!("\"{}\"", at(second));
        let text = format!(r#"{{"b":{},"a":{},"b\u0041":{}}}"#, time(3), time(5), time(1));
        let uses: Uses = serde_json::from_str(&text).unwrap();
        let all: Vec<_> = uses.iter().collect();
        assert_eq!(all, [("a", at(5)), ("b", at(3)), ("bA", at(1))]);
        for wrong in ["[]", r#"{"a":1}"#, r#"{"a"}"#, "7"] {
            assert!(serde_json::from_str::<Uses>(wrong).is_err(), "{wrong}");
        }
    }
}
