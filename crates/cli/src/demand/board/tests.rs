use super::{BEAT, Board, INTERVAL, MAX_ENTRIES, Notice, WRITES};
use crate::cache::image_name;
use crate::cache::store::Store;
use crate::cache::store::tests::store;
use sifcache_core::queue::{self, Entry, State};
use sifcache_core::reference::Reference;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant, SystemTime};

fn notice(name: &str, state: State) -> Notice {
    Notice::without_progress(Reference::parse(name.as_bytes()).unwrap(), state)
}

/// The entries in the directory, by reference.
fn entries(store: &Store) -> BTreeMap<String, Entry> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(store.root().join(queue::DIRECTORY)).unwrap() {
        let path = file.unwrap().path();
        if path.ends_with("beat") {
            continue;
        }
        let entry = Entry::parse(&fs::read(&path).unwrap()).unwrap();
        let reference = Reference::parse(entry.reference.as_bytes()).unwrap();
        assert_eq!(path, store.root().join(queue::file(&reference)));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        found.insert(image_name::short(&reference), entry);
    }
    found
}

fn beats(store: &Store) -> Vec<u64> {
    entries(store).into_values().map(|entry| entry.beat).collect()
}

#[test]
fn an_entry_is_written_when_it_changes_and_when_its_beat_is_due() {
    let (_directory, store) = store();
    let start = Instant::now();
    let mut board = Board::open(&store, start).unwrap();
    let pulling = notice("o/i:1", State::Pulling);
    let changed = Notice { size: 10, received: 5, ..pulling.clone() };
    let done = notice("o/i:1", State::Done);
    let mut show = |notice: &Notice, beat, after| {
        board.update(vec![notice.clone()], beat, start + after, false).unwrap();
        beats(&store)
    };
    assert_eq!(show(&pulling, 1, Duration::ZERO), [1]);
    assert_eq!(show(&changed, 2, INTERVAL / 2), [1], "at most once per second");
    assert_eq!(show(&changed, 3, INTERVAL), [3]);
    assert_eq!(show(&changed, 4, INTERVAL * 2), [3], "nothing has changed");
    assert_eq!(show(&changed, 5, INTERVAL + BEAT), [5]);
    assert_eq!(show(&done, 6, INTERVAL + BEAT), [6], "a result is written at once");
    assert_eq!(show(&done, 7, INTERVAL * 2 + BEAT * 9), [6], "a result has no beat");
    let again = Notice { request: 1, ..done };
    assert_eq!(show(&again, 8, INTERVAL * 3 + BEAT * 9), [8], "somebody asked again");
    assert_eq!(entries(&store)["o/i:1"].state, State::Done);
    let queued = notice("o/i:1", State::Queued);
    board.update(vec![queued], 9, start + INTERVAL * 3 + BEAT * 9, true).unwrap();
    assert_eq!(beats(&store), [9], "the filler ends");
    board.update(Vec::new(), 9, start + BEAT * 20, false).unwrap();
    assert!(entries(&store).is_empty());
}

#[test]
fn the_number_of_entries_and_of_writes_is_bounded() {
    let (_directory, store) = store();
    let start = Instant::now();
    let mut board = Board::open(&store, start).unwrap();
    let all: Vec<_> =
        (0..MAX_ENTRIES * 2).map(|n| notice(&format!("i:{n}"), State::Queued)).collect();
    for call in 1..=20 {
        board.update(all.clone(), 1, start + Duration::from_millis(call), false).unwrap();
        let expected = (WRITES * usize::try_from(call).unwrap()).min(MAX_ENTRIES);
        assert_eq!(entries(&store).len(), expected);
    }
    let shown = entries(&store);
    assert!(all.iter().take(MAX_ENTRIES).all(|one| shown.contains_key(one.reference.typed())));
    // All beats are renewed in time, also if every entry changes each second.
    for second in 1..=20 {
        let ahead = u32::try_from(second).unwrap();
        let changed = all.iter().map(|one| Notice { ahead, ..one.clone() }).collect();
        board.update(changed, second, start + Duration::from_secs(second), false).unwrap();
    }
    assert!(beats(&store).iter().all(|beat| *beat > 10), "{:?}", beats(&store));
}

#[test]
fn entries_of_a_previous_filler_are_swept() {
    let (_directory, store) = store();
    let start = Instant::now();
    let mut board = Board::open(&store, start).unwrap();
    let states = [State::Queued, State::Pulling, State::Done, State::Failed];
    let names = ["queued:1", "pulling:1", "done:1", "failed:1"];
    let all = names.iter().zip(states).map(|(name, state)| notice(name, state)).collect();
    board.update(all, 1, start, false).unwrap();
    drop(board);
    let queue = store.root().join(queue::DIRECTORY);
    fs::write(queue.join("rubbish"), "rubbish").unwrap();
    let old =
        fs::File::open(store.root().join(queue::file(&Reference::parse(b"failed:1").unwrap())));
    old.unwrap().set_modified(SystemTime::now() - Duration::from_secs(601)).unwrap();
    let mut board = Board::open(&store, start).unwrap();
    board.update(vec![notice("queued:1", State::Queued)], 2, start, false).unwrap();
    assert!(entries(&store).into_keys().eq(["done:1", "queued:1"]));
    assert_eq!(entries(&store)["queued:1"].beat, 2);
    board.update(Vec::new(), 3, start + Duration::from_secs(601), false).unwrap();
    assert!(entries(&store).is_empty());
    drop(board);
    assert_eq!(fs::read_dir(store.state().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    let (_directory, store) = store();
    let mut board = Board::open(&store, Instant::now()).unwrap();
    fs::remove_dir(store.root().join(queue::DIRECTORY)).unwrap();
    let all = vec![notice("o/i:1", State::Queued)];
    let failure = board.update(all.clone(), 1, Instant::now(), false).unwrap_err().to_string();
    assert!(failure.starts_with("cannot write ") && failure.contains("/queue/"), "{failure}");
    fs::create_dir(store.root().join(queue::DIRECTORY)).unwrap();
    board.update(all, 2, Instant::now(), false).unwrap();
    assert_eq!(beats(&store), [2]);
}

#[test]
fn a_service_shows_its_pulse() {
    let (_directory, store) = store();
    let start = Instant::now();
    let mut board = Board::open(&store, start).unwrap();
    let file = store.root().join(queue::DIRECTORY).join("beat");
    for (beat, after, expected) in [(1, 0, "1\n"), (2, 7, "1\n"), (3, 8, "3\n")] {
        board.show_pulse(beat, start + Duration::from_secs(after)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    }
    drop(board);
    let mut board = Board::open(&store, start).unwrap();
    board.update(Vec::new(), 4, start, false).unwrap();
    assert!(file.exists(), "it is no entry");
}
