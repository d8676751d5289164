use super::{NAMES, News, PREFIX, Role, Seen, line, take_last};
use crate::decide::wait::example;
use crate::spank::send;
use sifcache_core::queue::{Entry, State};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);

fn uid() -> u32 {
    std::fs::metadata("/proc/self").unwrap().uid()
}

/// A key that no other test uses.
fn key(test: &str) -> String {
    format!("test-{}-{test}", std::process::id())
}

fn entry(beat: u64) -> Seen {
    let reason = "a \"b\"".to_owned();
    Seen::Entry(Entry { size: 9, received: 1, beat, reason, ..example::entry(State::Pulling) })
}

/// A process whose role is chosen already.
fn ready(uid: u32, key: &str) -> News {
    let mut news = News::new(uid, key.to_owned(), None);
    news.take_role(&news.name());
    news
}

/// For processes that must not poll.
fn never() -> Option<Seen> {
    panic!("a follower has polled")
}

#[test]
fn the_leader_polls_for_all() {
    let key = key("leader");
    let mut leader = ready(uid(), &key);
    let mut followers: Vec<News> = (0..8).map(|_| ready(uid(), &key)).collect();
    assert!(followers.iter().all(|news| matches!(news.role, Role::Follower(..))));
    assert!(leader.turns.is_alone());
    let mut polls = 0;
    for seen in [Seen::Nothing, entry(1), Seen::NoAnswer] {
        let mut poll = || {
            polls += 1;
            // The first poll has no result yet.
            (polls > 1).then(|| seen.clone())
        };
        assert_eq!(leader.next(LONG, &mut poll), seen);
        for follower in &mut followers {
            assert_eq!(follower.next(LONG, &mut never), seen);
        }
    }
    assert_eq!(polls, 4);
}

#[test]
fn a_follower_takes_the_place_of_the_leader() {
    let key = key("place");
    let mut leader = ready(uid(), &key);
    let mut followers: Vec<News> = (0..2).map(|_| ready(uid(), &key)).collect();
    leader.next(LONG, &mut || Some(entry(1)));
    drop(leader);
    for follower in &mut followers {
        // The message was sent before the leader ended.
        assert_eq!(follower.next(LONG, &mut never), entry(1));
        assert_eq!(follower.attempt(LONG, &mut never), None);
        follower.take_role(&follower.name());
    }
    // The leader has just polled, so the next one does not poll before its turn.
    assert!(followers.iter().all(|news| !news.turns.is_alone()));
    let is_leader = |news: &News| matches!(news.role, Role::Leader(..));
    assert_eq!(followers.iter().map(is_leader).collect::<Vec<_>>(), [true, false]);
}

/// The socket of a relay, and a waiting process that has its name.
fn relayed(test: &str, uid: u32) -> (UnixListener, News) {
    let name = format!("sifcache-test/{}", key(test));
    let relay = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let mut news = News::new(uid, key(test), Some(name));
    news.take_role(&news.name());
    (relay, news)
}

#[test]
fn nobody_polls_while_the_relay_has_news() {
    let (relay, mut news) = relayed("relay", uid());
    let (stream, _) = relay.accept().unwrap();
    for seen in [entry(1), entry(2)] {
        assert!(send(&stream, line(&seen).as_bytes()));
        assert_eq!(news.next(LONG, &mut never), seen);
    }
    // The last entry arrives although the relay has ended. Then this process polls.
    assert!(send(&stream, line(&entry(3)).as_bytes()));
    drop((stream, relay));
    assert_eq!(news.next(LONG, &mut never), entry(3));
    assert_eq!(news.next(LONG, &mut || Some(entry(4))), entry(4));
    assert!(matches!(news.role, Role::Leader(..)) && news.turns.is_alone());
}

#[test]
fn a_process_polls_if_the_relay_has_no_news() {
    let (_silent, mut news) = relayed("silent", uid());
    assert!(matches!(news.role, Role::Relayed(..)));
    assert_eq!(news.next(LONG, &mut || Some(entry(1))), entry(1));
    let (_other, mut news) = relayed("stranger", uid() + 1);
    assert!(matches!(news.role, Role::Leader(..)), "it belongs to another user");
    assert_eq!(news.next(LONG, &mut || Some(entry(1))), entry(1));
    let mut news = News::new(uid(), key("none"), Some("sifcache-test/nobody".to_owned()));
    assert_eq!(news.next(LONG, &mut || Some(entry(1))), entry(1));
}

/// Other users can listen on the names.
#[test]
fn the_sockets_of_other_users_are_ignored() {
    let (key, other) = (key("other"), uid() + 1);
    let listen = |number| {
        let name = format!("{PREFIX}{other}/{key}/{number}");
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap()
    };
    let first = listen(0);
    let mut news = ready(other, &key);
    assert!(matches!(news.role, Role::None) && news.number == 1);
    news.take_role(&news.name());
    assert!(matches!(news.role, Role::Leader(..)));
    drop(news);
    let all: Vec<_> = (1..NAMES).map(listen).collect();
    let mut news = News::new(other, key.clone(), None);
    for _ in 0..NAMES {
        assert_eq!(news.attempt(LONG, &mut never), None);
    }
    // The process polls for itself.
    assert_eq!(news.next(Duration::ZERO, &mut || Some(entry(2))), entry(2));
    drop((first, all));
}

/// Other users can connect, too, but get nothing.
#[test]
fn the_connections_of_other_users_are_closed() {
    let (key, other) = (key("connect"), uid() + 1);
    let mut leader = ready(other, &key);
    let _stranger = crate::spank::connect(leader.name().as_bytes()).unwrap();
    leader.next(LONG, &mut || Some(entry(1)));
    assert!(matches!(&leader.role, Role::Leader(_, followers) if followers.is_empty()));
}

#[test]
fn the_last_complete_message_counts() {
    for seen in [Seen::Nothing, Seen::NoAnswer, entry(7)] {
        let old = line(&entry(6));
        let mut received = format!("{old}{}rest", line(&seen)).into_bytes();
        assert_eq!(take_last(&mut received), Some(seen));
        assert_eq!(received, b"rest");
        assert_eq!(take_last(&mut received), None);
    }
    assert_eq!(take_last(&mut b"nonsense\n".to_vec()), Some(Seen::Nothing));
}

#[test]
fn a_follower_does_not_wait_longer_than_its_limit() {
    let key = key("limit");
    let leader = ready(uid(), &key);
    let mut follower = ready(uid(), &key);
    assert_eq!(follower.next(Duration::from_millis(100), &mut never), Seen::Nothing);
    drop(leader);
}
