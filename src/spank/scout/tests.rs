use super::departure::close_each;
use super::within;
use std::io::Read;
use std::panic;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_secs(1);

fn sleep() {
    thread::sleep(LONG);
}

/// The files that this process has open, but for the directory that says so.
fn files() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/thread-self/fd").unwrap();
    let links = entries.filter_map(|entry| entry.unwrap().path().read_link().ok());
    let links = links.map(|link| link.to_string_lossy().into_owned());
    links.filter(|link| !link.ends_with("/fd")).collect()
}

/// What a scout finds that has one thing to find.
fn one<T>(timeout: Duration, work: impl Fn() -> T) -> Option<T> {
    let (mut found, all) = within(timeout, &|tell: &mut dyn FnMut(T)| tell(work()));
    assert!(found.len() == usize::from(all));
    found.pop()
}

#[test]
fn brings_what_it_found() {
    let none = within(LONG, &|_: &mut dyn FnMut(u8)| {});
    assert_eq!(none, (vec![], true));
    let work = |tell: &mut dyn FnMut(String)| {
        tell("as it is".to_owned());
        tell("x".repeat(1 << 20));
    };
    let (found, all) = within(LONG, &work);
    assert_eq!((found[0].as_str(), found[1].len(), all), ("as it is", 1 << 20, true));
}

/// What it has told before is not lost, and it has its time for each piece.
#[test]
fn is_slow_and_then_lost() {
    let work = |tell: &mut dyn FnMut(u8)| {
        (1..=4).for_each(|piece| {
            thread::sleep(Duration::from_millis(600));
            tell(piece);
        });
        sleep();
    };
    assert_eq!(within(Duration::from_millis(1500), &work), (vec![1, 2, 3, 4], false));
}

#[test]
fn is_a_process_of_its_own() {
    let process = one(LONG, process::id).unwrap();
    assert_ne!(process, process::id());
    // And nothing is left of it.
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

#[test]
fn is_not_waited_for() {
    let (start, scout) = (Instant::now(), AtomicU32::new(0));
    let never = || {
        scout.store(process::id(), Relaxed);
        sleep();
    };
    assert_eq!(one(SHORT, never), None);
    assert!(start.elapsed() < LONG / 10);
    // Where it can be killed, nothing is left of it either.
    let scout = scout.into_inner();
    assert_ne!(scout, 0);
    assert!(!Path::new(&format!("/proc/{scout}")).exists());
}

#[test]
fn one_that_is_lost_brings_what_it_has_told() {
    let work = |tell: &mut dyn FnMut(u8)| {
        tell(1);
        // SAFETY: this very process.
        unsafe { libc::kill(process::id().cast_signed(), libc::SIGKILL) };
    };
    assert_eq!(within(LONG, &work), (vec![1], false));
    assert_eq!(one(LONG, || super::super::process::end(0)), None::<()>);
}

/// So that it is seen where panics are, and there it ends nothing.
#[test]
fn a_panic_is_ours_too() {
    let (here, times) = (process::id(), AtomicU32::new(0));
    let work = || -> u8 {
        times.fetch_add(1, Relaxed);
        if process::id() == here { 7 } else { panic::resume_unwind(Box::new(())) }
    };
    assert_eq!(one(LONG, work), Some(7));
    assert_eq!(times.into_inner(), 2);
}

/// Else whoever reads the output of a task would wait for its scout too.
#[test]
fn holds_nothing_open() {
    let (mut end, other) = std::io::pipe().unwrap();
    assert!(!files().is_empty());
    assert_eq!(one(LONG, files), Some(Vec::new()));
    drop(other);
    assert_eq!(end.read(&mut [0]).unwrap(), 0);
}

#[test]
fn holds_nothing_open_before_linux_5_9() {
    let opened = || {
        let _files = [std::io::pipe().unwrap(), std::io::pipe().unwrap()].map(std::mem::forget);
        let before = files().len();
        close_each();
        (before, files())
    };
    assert_eq!(one(LONG, opened), Some((4, Vec::new())));
}

#[test]
fn many_at_once() {
    let all = |thread: usize| {
        for number in 0..200 {
            let text = format!("{thread} {number}");
            assert_eq!(one(LONG, || text.clone()), Some(text));
        }
    };
    thread::scope(|scope| (0..4).for_each(|thread| _ = scope.spawn(move || all(thread))));
}
