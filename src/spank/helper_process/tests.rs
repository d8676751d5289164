use super::child_setup::{close_each_file, copy_files};
use super::{within, within_and_exiting};
use std::hint::black_box;
use std::io::{Read, Write};
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

/// The open files of this process, without the directory that lists them.
fn files() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/thread-self/fd").unwrap();
    let links = entries.filter_map(|entry| entry.unwrap().path().read_link().ok());
    let links = links.map(|link| link.to_string_lossy().into_owned());
    links.filter(|link| !link.ends_with("/fd")).collect()
}

/// The one result of `work`; `None` if it timed out.
fn one<T>(timeout: Duration, work: impl Fn() -> T) -> Option<T> {
    let (mut found, all) = within(timeout, &|report: &mut dyn FnMut(T)| report(work()));
    assert!(found.len() == usize::from(all));
    found.pop()
}

#[test]
fn results_arrive() {
    let none = within(LONG, &|_: &mut dyn FnMut(u8)| {});
    assert_eq!(none, (vec![], true));
    let work = |report: &mut dyn FnMut(String)| {
        report("as it is".to_owned());
        report("x".repeat(1 << 20));
    };
    let (found, all) = within(LONG, &work);
    assert_eq!((found[0].as_str(), found[1].len(), all), ("as it is", 1 << 20, true));
}

/// Earlier results are kept, and the timeout starts anew with each of them.
#[test]
fn the_timeout_is_per_result() {
    let work = |report: &mut dyn FnMut(u8)| {
        (1..=4).for_each(|piece| {
            thread::sleep(Duration::from_millis(600));
            report(piece);
        });
        sleep();
    };
    assert_eq!(within(Duration::from_millis(1500), &work), (vec![1, 2, 3, 4], false));
}

#[test]
fn runs_in_another_process() {
    let process = one(LONG, process::id).unwrap();
    assert_ne!(process, process::id());
    // It was reaped.
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

#[test]
fn a_child_that_blocks_is_killed() {
    let (start, child) = (Instant::now(), AtomicU32::new(0));
    let never = || {
        child.store(process::id(), Relaxed);
        sleep();
    };
    assert_eq!(one(SHORT, never), None);
    assert!(start.elapsed() < LONG / 10);
    // It was reaped.
    let child = child.into_inner();
    assert_ne!(child, 0);
    assert!(!Path::new(&format!("/proc/{child}")).exists());
}

#[test]
fn a_child_that_dies_leaves_its_results() {
    let work = |report: &mut dyn FnMut(u8)| {
        report(1);
        // SAFETY: the call takes two integers; the process ends itself.
        unsafe { libc::kill(process::id().cast_signed(), libc::SIGKILL) };
    };
    assert_eq!(within(LONG, &work), (vec![1], false));
    assert_eq!(one(LONG, || super::super::process::end(0)), None::<()>);
}

/// The work runs again in the caller, whose panic firewall handles another panic.
#[test]
fn after_a_panic_the_caller_does_the_work() {
    let (here, times) = (process::id(), AtomicU32::new(0));
    let work = || -> u8 {
        times.fetch_add(1, Relaxed);
        if process::id() == here { 7 } else { panic::resume_unwind(Box::new(())) }
    };
    assert_eq!(one(LONG, work), Some(7));
    assert_eq!(times.into_inner(), 2);
}

/// Otherwise a reader of the task's output would wait for the child, too.
#[test]
fn closes_all_files() {
    let (mut end, other) = std::io::pipe().unwrap();
    assert!(!files().is_empty());
    assert_eq!(one(LONG, files), Some(Vec::new()));
    drop(other);
    assert_eq!(end.read(&mut [0]).unwrap(), 0);
}

/// The child leaves the table of files, and the parent keeps it.
#[test]
fn the_parent_keeps_its_files() {
    let (mut end, mut other) = std::io::pipe().unwrap();
    let before_5_9 = || {
        assert!(copy_files());
        close_each_file();
    };
    assert_eq!(one(LONG, || ()), Some(()));
    // A thread shares its files with the process, as a helper process does at first.
    thread::spawn(before_5_9).join().unwrap();
    other.write_all(b"x").unwrap();
    assert_eq!(end.read(&mut [0]).unwrap(), 1);
}

#[test]
fn the_exit_status_can_be_collected_later() {
    let work = |report: &mut dyn FnMut(u32)| report(process::id());
    let (found, all, exiting) = within_and_exiting(LONG, &work);
    let child = format!("/proc/{}", found[0]);
    assert!(all && exiting.is_some());
    assert!(Path::new(&child).exists());
    drop(exiting);
    assert!(!Path::new(&child).exists());
}

#[test]
fn closes_all_files_before_linux_5_9() {
    let opened = || {
        let _files = [std::io::pipe().unwrap(), std::io::pipe().unwrap()].map(std::mem::forget);
        let before = files().len();
        assert!(copy_files());
        close_each_file();
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

/// A memory checker must tell a helper process from its parent, although both call functions.
#[test]
fn the_parent_and_the_child_call_functions_at_the_same_time() {
    fn frames(depth: u32, seen: &[u32; 8]) -> u32 {
        let mut own = *seen;
        own[depth as usize % 8] += depth;
        if depth == 0 { own.iter().sum() } else { frames(depth - 1, black_box(&own)) }
    }
    let work = |report: &mut dyn FnMut(u32)| report(frames(20, &[0; 8]));
    let many = || {
        for _ in 0..500 {
            let (found, all, exiting) = within_and_exiting(LONG, &work);
            assert!(all && found == [frames(20, &[0; 8])]);
            drop(exiting);
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(many)));
}

#[test]
#[ignore = "reads memory that was freed; make asan expects the end of the program"]
fn the_memory_checker_is_active_in_a_child() {
    let work = || {
        let freed = Box::into_raw(Box::new(7_u8));
        // SAFETY: it comes from a box.
        drop(unsafe { Box::from_raw(freed) });
        // SAFETY: none; the memory checker must end the child.
        unsafe { freed.read_volatile() }
    };
    one(LONG, work);
}
