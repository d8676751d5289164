//! The order of the items: the askers take turns.

use super::{Item, Schedule};
use std::collections::BTreeMap;

impl Schedule {
    /// The items that meet the condition, in the order in which they are pulled: first the first
    /// image of each asker, then the second one of each, and so on. The asker whose last turn is
    /// the oldest comes first. Images without an identified asker follow at the end, in the order
    /// of their first requests.
    pub(super) fn ordered(&self, condition: impl Fn(&Item) -> bool) -> Vec<&Item> {
        let mut queues: BTreeMap<Option<u32>, Vec<&Item>> = BTreeMap::new();
        for item in self.items.values().filter(|item| condition(item)) {
            queues.entry(item.turn_of(&self.turns)).or_default().push(item);
        }
        let mut ranked = Vec::new();
        for (asker, mut items) in queues {
            items.sort_by_key(|item| item.place());
            let turn = asker.map(|asker| self.turns.get(&asker).copied().unwrap_or_default());
            for (rank, item) in items.into_iter().enumerate() {
                ranked.push(((asker.is_none(), rank, turn, item.place()), item));
            }
        }
        ranked.sort_by_key(|(key, _)| *key);
        ranked.into_iter().map(|(_, item)| item).collect()
    }
}
