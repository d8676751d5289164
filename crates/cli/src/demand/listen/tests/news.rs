//! Clients that wait for an image.

use super::{Fake, LIMITS, ask, connect, line, line_for, listener, serve};
use crate::demand::board::Notice;
use crate::demand::listen::{Counters, Delivery, Limits, Listener};
use crate::demand::news::Publisher;
use crate::demand::request::Request;
use sifcache_core::queue::{Entry, State};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Filler;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const ACCEPTED: &str = "sifcache/1 accepted\n";

fn notice(name: &str, state: State) -> Notice {
    Notice::without_progress(Reference::parse(name.as_bytes()).unwrap(), state)
}

/// Publishes an entry. Returns its line.
fn tell(news: &Publisher, state: State, beat: u64) -> String {
    let notice = notice("o/i:1", state);
    news.tell(&notice, beat, Instant::now());
    format!("{}\n", notice.entry(beat))
}

fn news_line(uid: u32, reference: &str) -> String {
    line(uid, &format!("sifcache/1 news {reference}"))
}

/// A client that waits for `o/i:1`.
fn subscribe(listener: &mut Listener) -> TcpStream {
    let mut stream = connect(listener);
    stream.write_all(news_line(1001, "o/i:1").as_bytes()).unwrap();
    assert_eq!(serve(listener), []);
    stream
}

/// Everything that arrives until the end of the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_client_gets_each_change_of_its_image_until_the_image_is_there() {
    let mut listener = listener(LIMITS);
    let news = listener.publisher();
    let mut expected = ACCEPTED.to_owned();
    expected += &tell(&news, State::Queued, 1);
    let client = subscribe(&mut listener);
    for (state, beat) in [
        (State::Queued, 9),
        (State::Pulling, 10),
        // The next attempt follows these.
        (State::Failed, 11),
        (State::Refused, 12),
        (State::Pulling, 13),
    ] {
        expected += &tell(&news, state, beat);
        serve(&mut listener);
        news.tell(&notice("o/other:1", State::Done), beat, Instant::now());
        serve(&mut listener);
    }
    expected += &tell(&news, State::Done, 14);
    serve(&mut listener);
    tell(&news, State::Queued, 15);
    serve(&mut listener);
    assert_eq!(rest(client), expected);
    assert_eq!(listener.subscribers.count(), 0);
    assert_eq!(listener.counters(), Counters { news: 1, ..Counters::default() });
}

/// The image was added before the client asked.
#[test]
fn an_image_that_is_there() {
    let mut listener = listener(LIMITS);
    let line = tell(&listener.publisher(), State::Done, 1);
    let client = subscribe(&mut listener);
    assert_eq!(rest(client), format!("{ACCEPTED}{line}"));
    assert_eq!(listener.subscribers.count(), 0);
    // If it is requested again, it may have been removed.
    assert_eq!(ask(&mut listener, &line_for(1001, "o/i:1")).0, ACCEPTED);
    let client = subscribe(&mut listener);
    let line = tell(&listener.publisher(), State::Queued, 2);
    serve(&mut listener);
    drop(listener);
    assert_eq!(rest(client), format!("{ACCEPTED}{line}"));
}

#[test]
fn an_invalid_reference_has_no_news() {
    let mut listener = listener(LIMITS);
    for reference in ["../../etc/passwd", "", "o/i:1 o/i:2"] {
        let (answer, _) = ask(&mut listener, &news_line(1001, reference));
        assert!(answer.starts_with("sifcache/1 refused the reference is invalid"), "{answer}");
    }
    assert_eq!(listener.counters(), Counters { refused: 3, ..Counters::default() });
}

/// The listener sleeps until the filler publishes.
#[test]
fn news_wake_the_listener() {
    let mut listener = listener(LIMITS);
    let news = listener.publisher();
    let mut reader = BufReader::new(subscribe(&mut listener));
    let mut text = String::new();
    reader.read_line(&mut text).unwrap();
    std::thread::scope(|scope| {
        // The client does not wait as long as this.
        let served = scope.spawn(|| listener.next(Duration::from_secs(60)));
        let line = tell(&news, State::Done, 1);
        reader.read_line(&mut text).unwrap();
        assert_eq!(text, format!("{ACCEPTED}{line}"));
        assert_eq!(served.join().unwrap(), []);
    });
}

/// The answer, and the connection if the client waits.
fn answer_of(listener: &mut Listener, host: &str, reference: &str) -> (String, TcpStream) {
    answer_for(listener, 1001, host, reference)
}

fn answer_for(
    listener: &mut Listener,
    uid: u32,
    host: &str,
    reference: &str,
) -> (String, TcpStream) {
    let port = listener.socket.local_addr().unwrap().port();
    let mut stream = TcpStream::connect((host, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(news_line(uid, reference).as_bytes()).unwrap();
    serve(listener);
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).unwrap();
    (answer, stream)
}

#[test]
fn the_number_of_clients_that_wait_is_limited() {
    let limits = Limits { connections: 1, subscribers: 3, subscribers_of_host: 2, ..LIMITS };
    let address = Filler { host: "::".to_owned(), port: 0 };
    let Ok(mut listener) = Listener::with(&address, Box::new(Fake), limits) else {
        println!("skipped: needs IPv6");
        return;
    };
    let (one, two, busy) = ("127.0.0.1", "::1", "sifcache/1 busy 30\n");
    let mut clients = Vec::new();
    for (host, expected) in
        [(one, ACCEPTED), (one, ACCEPTED), (one, busy), (two, ACCEPTED), (two, busy)]
    {
        let (answer, stream) = answer_of(&mut listener, host, "o/i:1");
        assert_eq!(answer, expected, "{host}");
        clients.push(stream);
    }
    // They take none of the connections for requests, and no other client can displace them.
    for name in ["o/j:1", "o/j:2"] {
        let mut stream =
            TcpStream::connect((one, listener.socket.local_addr().unwrap().port())).unwrap();
        stream.write_all(line_for(1001, name).as_bytes()).unwrap();
        assert_eq!(serve(&mut listener).len(), 1);
    }
    assert_eq!(listener.subscribers.count(), 3);
    assert_eq!(
        listener.counters(),
        Counters { accepted: 2, news: 3, busy: 2, ..Counters::default() }
    );
    clients.remove(0);
    serve(&mut listener);
    assert_eq!(answer_of(&mut listener, two, "o/i:1").0, ACCEPTED);
}

/// A job on many nodes leaves places to other users.
#[test]
fn the_places_of_a_user_are_limited() {
    let mut listener = listener(Limits { subscribers: 4, subscribers_of_user: 2, ..LIMITS });
    let busy = "sifcache/1 busy 30\n";
    let mut clients = Vec::new();
    for (uid, expected) in
        [(1001, ACCEPTED), (1001, ACCEPTED), (1001, busy), (1002, ACCEPTED), (1001, busy)]
    {
        let (answer, stream) = answer_for(&mut listener, uid, "127.0.0.1", "o/i:1");
        assert_eq!(answer, expected, "{uid}");
        clients.push(stream);
    }
    clients.remove(0);
    serve(&mut listener);
    assert_eq!(answer_of(&mut listener, "127.0.0.1", "o/i:1").0, ACCEPTED);
}

/// A request and the question for its news count once.
#[test]
fn the_images_of_a_user_are_counted_once() {
    let mut listener = listener(Limits { per_user: 2, ..LIMITS });
    for name in ["o/i:1", "o/i:2"] {
        assert_eq!(ask(&mut listener, &line_for(1001, name)).0, ACCEPTED);
        assert_eq!(answer_of(&mut listener, "127.0.0.1", name).0, ACCEPTED);
    }
    let (answer, _) = answer_of(&mut listener, "127.0.0.1", "o/i:3");
    assert!(answer.starts_with("sifcache/1 busy "), "{answer}");
}

#[test]
fn clients_that_go_away_lose_their_places() {
    let mut listener = listener(LIMITS);
    let clients = [(); 3].map(|()| subscribe(&mut listener));
    let [gone, half, loud] = clients;
    drop(gone);
    half.shutdown(Shutdown::Write).unwrap();
    serve(&mut listener);
    assert_eq!(listener.subscribers.count(), 1);
    assert_eq!(rest(half), ACCEPTED);
    // A client that goes on to send is cut off.
    let mut sent = 0_usize;
    while listener.subscribers.count() > 0 {
        sent += (&loud).write(&[b'A'; 4096]).unwrap_or_default();
        serve(&mut listener);
        assert!(sent < 64 << 20, "it is not cut off");
    }
}

/// Without news, or after the longest time with news.
#[test]
fn a_client_does_not_wait_for_ever() {
    let short = Duration::from_millis(50);
    let long = LIMITS.subscription;
    for (idle, subscription) in [(short, long), (long, short)] {
        let limits = Limits { idle, subscription, ..LIMITS };
        let mut listener = listener(limits);
        let news = listener.publisher();
        let client = subscribe(&mut listener);
        let begun = Instant::now();
        while listener.subscribers.count() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "{limits:?}");
            if idle == long {
                tell(&news, State::Queued, 1);
            }
            listener.next(Duration::from_millis(10));
        }
        assert!(rest(client).starts_with(ACCEPTED));
    }
}

/// What a client reads while it is served, until this line.
fn read_until(listener: &mut Listener, mut slow: TcpStream, line: &str) -> Vec<u8> {
    let mut text = Vec::new();
    slow.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    while !text.ends_with(line.as_bytes()) {
        match slow.read_to_end(&mut text) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("{other:?}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the newest entry does not arrive");
        serve(listener);
    }
    text
}

/// A client that does not read gets whole lines later, the newest one last, and does not delay the
/// others.
#[test]
fn a_slow_reader_misses_entries() {
    let mut listener = listener(LIMITS);
    let news = listener.publisher();
    let slow = subscribe(&mut listener);
    let notice = Notice { reason: "x".repeat(500), ..notice("o/i:1", State::Queued) };
    let mut last = 0;
    let mut tell = |listener: &mut Listener| {
        last += 1;
        news.tell(&notice, last, Instant::now());
        serve(listener);
        last
    };
    while listener.subscribers.unsent() == 0 {
        assert!(tell(&mut listener) < 100_000, "everything is sent");
    }
    let mut fast = BufReader::new(subscribe(&mut listener));
    for _ in 0..9 {
        tell(&mut listener);
    }
    assert!(listener.subscribers.unsent() < 1024, "more than one line is kept");
    let last = tell(&mut listener);
    let mut line = String::new();
    while !line.contains(&format!("beat={last} ")) {
        line.clear();
        fast.read_line(&mut line).unwrap();
    }
    let text = read_until(&mut listener, slow, &line);
    let text = text.strip_prefix(ACCEPTED.as_bytes()).unwrap();
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let beats: Vec<u64> = lines.map(|line| Entry::parse(line).unwrap().beat).collect();
    assert!(beats.is_sorted_by(|one, other| one < other));
    assert!((beats.len() as u64) < last, "nothing is skipped");
}

/// What the filler publishes at its end is sent.
#[test]
fn a_listener_that_stops_sends_the_last_news() {
    let mut listener = listener(LIMITS);
    let news = listener.publisher();
    let client = subscribe(&mut listener);
    let line = tell(&news, State::Queued, 1);
    listener.run(&AtomicBool::new(true), |_: Vec<Request>| Delivery::Closed);
    assert_eq!(rest(client), format!("{ACCEPTED}{line}"));
}
