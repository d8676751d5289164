use super::{
    Finding, Limits, MAX_PER_ASKER, MAX_UNIDENTIFIED, Outcome, SHOWN, SLACK, Schedule, Stage,
};
use crate::demand::policy::Verdict;
use crate::demand::request::Request;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::reference::Reference;
use std::time::Duration;

mod random;

const START: i64 = 1_000_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

fn image(name: &str) -> Reference {
    Reference::parse(name.as_bytes()).unwrap()
}

fn request(name: &str, asker: Option<u32>, time: Timestamp) -> Request {
    Request { reference: image(name), asker, host: "n1".to_owned(), time }
}

fn limits(parallel: usize) -> Limits<'static> {
    Limits {
        parallel,
        window: SignedDuration::from_hours(24),
        first: SignedDuration::from_mins(5),
        longest: SignedDuration::from_hours(2),
        per_hour: &|_| None,
    }
}

/// Lets the policy allow every open image.
fn allow(schedule: &mut Schedule, now: Timestamp) {
    for (reference, _) in schedule.take_unjudged(usize::MAX, limits(1).window, now) {
        schedule.judged(&reference, Finding::Judged(Verdict::Allowed), now);
    }
}

fn ask(schedule: &mut Schedule, name: &str, asker: Option<u32>, second: i64) {
    schedule.ask(request(name, asker, at(second)), at(second));
    allow(schedule, at(second));
}

fn next(schedule: &mut Schedule, limits: &Limits<'_>, second: i64) -> Option<String> {
    schedule.next(limits, at(second)).map(|reference| reference.typed().to_owned())
}

fn stage(schedule: &Schedule, name: &str, second: i64) -> Option<Stage> {
    let name = image(name).to_string();
    let standings = schedule.standings(at(second));
    let found = standings.into_iter().find(|(item, _)| item.reference().to_string() == name);
    found.map(|(_, standing)| standing.stage)
}

fn failed() -> Outcome {
    Outcome::Failed("why".to_owned())
}

#[test]
fn many_requests_for_an_image_are_one_pull() {
    let mut schedule = Schedule::default();
    for asker in 1000..1100 {
        ask(&mut schedule, "o/i:1", Some(asker), 0);
        ask(&mut schedule, "docker.io/o/i:1", None, 1);
    }
    let limits = limits(4);
    assert!(next(&mut schedule, &limits, 2).is_some());
    assert_eq!(next(&mut schedule, &limits, 2), None);
    ask(&mut schedule, "o/i:1", Some(1), 3);
    assert_eq!(next(&mut schedule, &limits, 3), None, "it is being pulled");
    let item = schedule.done(&image("o/i:1"), Outcome::Added, &limits, at(4)).unwrap();
    assert_eq!((item.users(), item.requests()), (101, 201));
    assert!(schedule.get(&image("o/i:1")).is_none());
    assert_eq!(next(&mut schedule, &limits, 5), None);
    assert_eq!(schedule.finished().collect::<Vec<_>>(), ["docker.io/o/i:1"]);
    schedule.tick(&limits, at(4) + SHOWN);
    assert_eq!(schedule.finished().count(), 0);
}

#[test]
fn askers_take_turns_and_unidentified_ones_come_last() {
    let mut schedule = Schedule::default();
    ask(&mut schedule, "forged:1", None, 0);
    for name in ["a:1", "a:2", "a:3"] {
        ask(&mut schedule, name, Some(1), 1);
    }
    ask(&mut schedule, "b:1", Some(2), 2);
    ask(&mut schedule, "c:1", Some(3), 3);
    ask(&mut schedule, "a:1", None, 4);
    let standings = schedule.standings(at(5));
    let names: Vec<_> = standings.iter().map(|(item, _)| item.reference().typed()).collect();
    assert_eq!(names, ["a:1", "b:1", "c:1", "a:2", "a:3", "forged:1"]);
    assert!(standings.iter().map(|(_, standing)| standing.ahead).eq(0..6));
    let limits = limits(1);
    for expected in names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>() {
        assert_eq!(next(&mut schedule, &limits, 6).as_ref(), Some(&expected));
        schedule.done(&image(&expected), Outcome::Added, &limits, at(6));
    }
}

#[test]
fn an_image_without_a_verdict_is_ahead_of_none() {
    let mut schedule = Schedule::default();
    for name in ["pulled:1", "new:1", "refused:1", "mine:1"] {
        let time = at(0);
        schedule.ask(request(name, Some(1), time), time);
        match name {
            "new:1" => continue,
            "refused:1" => {
                schedule.take_unjudged(2, limits(1).window, time);
                let verdict = Verdict::Refused("why".to_owned());
                schedule.judged(&image(name), Finding::Judged(verdict), time);
            }
            _ => allow(&mut schedule, time),
        }
        next(&mut schedule, &limits(1), 1);
    }
    let ahead = |schedule: &Schedule| -> Vec<(String, u32)> {
        let standings = schedule.standings(at(2));
        let named = |(item, standing): &(&super::Item, super::Standing)| {
            (item.reference().typed().to_owned(), standing.ahead)
        };
        standings.iter().map(named).collect()
    };
    let expected = [("pulled:1", 0), ("new:1", 1), ("refused:1", 1), ("mine:1", 1)];
    assert_eq!(ahead(&schedule), expected.map(|(name, ahead)| (name.to_owned(), ahead)));
    schedule.judged(&image("new:1"), Finding::Judged(Verdict::Allowed), at(3));
    assert_eq!(ahead(&schedule).last(), Some(&("mine:1".to_owned(), 2)));
    // An image is not forgotten while a changed policy judges it again.
    schedule.review_all();
    assert_eq!(ahead(&schedule).last(), Some(&("mine:1".to_owned(), 2)));
}

#[test]
fn a_place_is_kept_for_identified_askers() {
    let limits = limits(3);
    let mut schedule = Schedule::default();
    for index in 0..9 {
        ask(&mut schedule, &format!("forged:{index}"), None, 0);
    }
    assert_eq!((0..4).filter_map(|_| next(&mut schedule, &limits, 1)).count(), 3);
    schedule.done(&image("forged:0"), Outcome::Added, &limits, at(2));
    ask(&mut schedule, "a:1", Some(1), 2);
    assert_eq!(next(&mut schedule, &limits, 2).as_deref(), Some("a:1"));
    schedule.done(&image("a:1"), Outcome::Added, &limits, at(3));
    assert_eq!(next(&mut schedule, &limits, 3), None, "two of three are in use");
    assert!(next(&mut schedule, &limits, 2 + 3600).is_some(), "nobody is identified any more");
}

#[test]
fn a_flood_displaces_only_requests_of_its_own_kind() {
    let mut schedule = Schedule::default();
    let time = at(0);
    schedule.ask(request("mine:1", Some(1), time), time);
    schedule.ask(request("old:1", None, time), time);
    for index in 0..100_000 {
        schedule.ask(request(&format!("forged:{index}"), None, time), time);
        schedule.ask(request(&format!("flood:{index}"), Some(2), time), time);
    }
    let count = schedule.standings(time).len();
    assert!(count <= 1 + MAX_PER_ASKER + MAX_UNIDENTIFIED + SLACK, "{count}");
    assert!(count >= 1 + MAX_PER_ASKER + MAX_UNIDENTIFIED, "{count}");
    assert_eq!(schedule.dropped(), 200_002 - count as u64);
    assert!(schedule.get(&image("old:1")).is_none());
    assert!(schedule.get(&image("forged:99999")).is_some());
    allow(&mut schedule, time);
    let limits = limits(1);
    assert_eq!(next(&mut schedule, &limits, 1).as_deref(), Some("mine:1"));
    schedule.done(&image("mine:1"), Outcome::Added, &limits, time);
    assert_eq!(next(&mut schedule, &limits, 1).as_deref(), Some("flood:0"));
    schedule.done(&image("flood:0"), Outcome::Added, &limits, time);
    ask(&mut schedule, "late:1", Some(3), 2);
    assert_eq!(next(&mut schedule, &limits, 2).as_deref(), Some("late:1"));
}

#[test]
fn failures_have_growing_pauses() {
    let mut schedule = Schedule::default();
    let limits = limits(1);
    ask(&mut schedule, "i:1", Some(1), 0);
    let mut now = 0;
    for minutes in [5, 10, 20, 40, 80, 120, 120] {
        assert!(next(&mut schedule, &limits, now).is_some(), "{minutes}");
        schedule.done(&image("i:1"), failed(), &limits, at(now));
        assert_eq!(stage(&schedule, "i:1", now), Some(Stage::Failed("why".to_owned())));
        ask(&mut schedule, "i:1", Some(2), now);
        // The failures are saved.
        let text = serde_json::to_string(&schedule).unwrap();
        schedule = serde_json::from_str(&text).unwrap();
        allow(&mut schedule, at(now));
        assert_eq!(next(&mut schedule, &limits, now + minutes * 60 - 1), None, "{minutes}");
        now += minutes * 60;
        assert_eq!(stage(&schedule, "i:1", now), Some(Stage::Queued(None)));
    }
    // A full disk is no failure of the image.
    for _ in 0..3 {
        assert!(next(&mut schedule, &limits, now).is_some());
        schedule.done(&image("i:1"), Outcome::NoRoom("full".to_owned()), &limits, at(now));
        now += 300;
    }
    assert!(next(&mut schedule, &limits, now).is_some());
    let refused = Outcome::Refused("too large".to_owned());
    schedule.done(&image("i:1"), refused, &limits, at(now));
    assert_eq!(stage(&schedule, "i:1", now), Some(Stage::Refused("too large".to_owned())));
}

#[test]
fn a_registry_that_asks_for_a_pause_stops_its_own_images_only() {
    let mut schedule = Schedule::default();
    let limits = limits(2);
    for name in ["q.io/i:1", "q.io/i:2", "r.io/i:1"] {
        ask(&mut schedule, name, Some(1), 0);
    }
    let busy = |seconds| Outcome::Busy(Duration::from_secs(seconds));
    assert_eq!(next(&mut schedule, &limits, 0).as_deref(), Some("q.io/i:1"));
    schedule.done(&image("q.io/i:1"), busy(100), &limits, at(0));
    assert_eq!(next(&mut schedule, &limits, 1).as_deref(), Some("r.io/i:1"));
    assert_eq!(next(&mut schedule, &limits, 99), None);
    let why = "q.io asks for a pause of 1 s".to_owned();
    assert_eq!(stage(&schedule, "q.io/i:1", 99), Some(Stage::Queued(Some(why))));
    assert_eq!(next(&mut schedule, &limits, 100).as_deref(), Some("q.io/i:1"), "no failure");
    // Without a stated time, the pauses grow.
    schedule.done(&image("q.io/i:1"), busy(0), &limits, at(100));
    assert_eq!(next(&mut schedule, &limits, 100 + 119), None);
    assert!(next(&mut schedule, &limits, 100 + 120).is_some());
    schedule.done(&image("q.io/i:1"), busy(u64::MAX), &limits, at(220));
    assert!(next(&mut schedule, &limits, 220 + 86_400).is_some(), "a day at most");
}

#[test]
fn pulls_per_hour_are_limited_for_each_registry() {
    let per_hour = |registry: &str| (registry == "q.io").then_some(4);
    let limits = Limits { per_hour: &per_hour, ..limits(100) };
    let mut schedule = Schedule::default();
    for index in 0..10 {
        ask(&mut schedule, &format!("q.io/f:{index}"), None, 0);
        ask(&mut schedule, &format!("q.io/i:{index}"), Some(1), 0);
        ask(&mut schedule, &format!("r.io/i:{index}"), Some(1), 0);
    }
    let mut started = Vec::new();
    while let Some(name) = next(&mut schedule, &limits, 0) {
        started.push(name);
    }
    let of = |names: &[String], start: &str| names.iter().filter(|n| n.starts_with(start)).count();
    assert_eq!([of(&started, "q.io/i"), of(&started, "r.io/i"), started.len()], [4, 10, 14]);
    assert_eq!(next(&mut schedule, &limits, 3599), None);
    assert_eq!((0..9).filter_map(|_| next(&mut schedule, &limits, 3600)).count(), 4);
}

#[test]
fn half_of_the_pulls_per_hour_is_kept_for_identified_askers() {
    let limits = Limits { per_hour: &|_| Some(4), ..limits(100) };
    let mut schedule = Schedule::default();
    ask(&mut schedule, "known:1", Some(1), 0);
    for index in 0..10 {
        ask(&mut schedule, &format!("forged:{index}"), None, 0);
    }
    let started: Vec<_> = (0..9).filter_map(|_| next(&mut schedule, &limits, 0)).collect();
    assert_eq!(started, ["known:1", "forged:0"]);
    ask(&mut schedule, "known:2", Some(1), 1);
    assert_eq!(next(&mut schedule, &limits, 1).as_deref(), Some("known:2"));
}

#[test]
fn verdicts_follow_the_askers_and_the_policy() {
    let mut schedule = Schedule::default();
    let window = limits(1).window;
    let refused = |why: &str| Finding::Judged(Verdict::Refused(why.to_owned()));
    let i = image("i:1");
    schedule.ask(request("i:1", Some(1), at(0)), at(0));
    let open = schedule.take_unjudged(9, window, at(0));
    assert_eq!(open.len(), 1);
    assert!(open[0].1.uids.iter().eq(&[1]) && !open[0].1.unidentified);
    assert!(schedule.take_unjudged(9, window, at(0)).is_empty(), "it is being judged");
    // Another user asks in the meantime.
    schedule.ask(request("i:1", Some(2), at(1)), at(1));
    assert!(schedule.judged(&i, refused("eve"), at(1)).is_some());
    assert_eq!(stage(&schedule, "i:1", 1), Some(Stage::Refused("eve".to_owned())));
    let open = schedule.take_unjudged(9, window, at(1));
    assert!(open[0].1.uids.iter().eq(&[1, 2]));
    // The policy changes in the meantime.
    schedule.review_all();
    schedule.judged(&i, Finding::Judged(Verdict::Allowed), at(1));
    assert_eq!(next(&mut schedule, &limits(1), 1), None, "that was the old policy");
    schedule.take_unjudged(9, window, at(1));
    assert!(schedule.judged(&i, refused("eve"), at(2)).is_some());
    schedule.ask(request("i:1", Some(1), at(3)), at(3));
    schedule.take_unjudged(9, window, at(3));
    assert!(schedule.judged(&i, refused("eve"), at(3)).is_none(), "that is no news");
    schedule.tick(&limits(1), at(3) + SHOWN);
    assert!(schedule.get(&i).is_none());
    // An image that is there in the meantime.
    schedule.ask(request("i:1", None, at(4)), at(4));
    assert!(schedule.take_unjudged(9, window, at(4))[0].1.unidentified);
    assert!(schedule.judged(&i, Finding::Present, at(4)).is_some());
    assert!(schedule.finished().eq(["docker.io/library/i:1"]));
}

#[test]
fn requests_count_within_the_window() {
    let mut schedule = Schedule::default();
    let limits = limits(1);
    let hour = 3600;
    schedule.ask(request("i:1", Some(1), at(0)), at(0));
    schedule.ask(request("i:1", Some(2), at(20 * hour)), at(20 * hour));
    let open = schedule.take_unjudged(9, limits.window, at(25 * hour));
    assert!(open[0].1.uids.iter().eq(&[2]));
    let not_yet = Finding::Judged(Verdict::NotYet("1 of 2".to_owned()));
    schedule.judged(&image("i:1"), not_yet, at(25 * hour));
    schedule.tick(&limits, at(43 * hour));
    assert!(schedule.get(&image("i:1")).is_some());
    schedule.tick(&limits, at(44 * hour));
    assert!(schedule.get(&image("i:1")).is_none());
}

#[test]
fn no_pause_is_longer_after_the_clock_was_set_back() {
    let mut schedule = Schedule::default();
    let limits = Limits { per_hour: &|_| Some(1), ..limits(1) };
    ask(&mut schedule, "q.io/i:1", Some(1), 1_000_000);
    ask(&mut schedule, "r.io/i:1", Some(1), 1_000_000);
    next(&mut schedule, &limits, 1_000_000);
    schedule.done(&image("q.io/i:1"), failed(), &limits, at(1_000_000));
    next(&mut schedule, &limits, 1_000_000);
    let busy = Outcome::Busy(Duration::from_secs(100));
    schedule.done(&image("r.io/i:1"), busy, &limits, at(1_000_000));
    // The pauses begin again, and so does the hour.
    schedule.tick(&limits, at(0));
    assert_eq!(next(&mut schedule, &limits, 299), None);
    assert_eq!(next(&mut schedule, &limits, 3599), None);
    assert!(next(&mut schedule, &limits, 3600).is_some());
    assert!(schedule.get(&image("q.io/i:1")).is_some());
}
