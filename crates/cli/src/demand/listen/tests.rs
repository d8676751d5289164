mod news;

use super::{Counters, Delivery, Limits, Listener, Verify};
use crate::demand::request::Request;
use sifcache_core::settings::Filler;
use sifcache_munge::{Decoded, Error};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Accepts credentials that `credential` makes.
struct Fake;

impl Verify for Fake {
    fn verify(&self, credential: &str) -> Result<Decoded, Error> {
        let text = credential.strip_prefix("MUNGE:").unwrap().strip_suffix(':').unwrap();
        match text {
            "replayed" => return Err(Error::Replayed),
            "down" => return Err(Error::Daemon("no socket".to_owned())),
            _ => {}
        }
        let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let (uid, payload) = bytes.split_at(4);
        let uid = u32::from_be_bytes(uid.try_into().unwrap());
        let address = if uid == 1002 { Ipv4Addr::new(10, 77, 0, 101) } else { Ipv4Addr::LOCALHOST };
        Ok(Decoded { payload: payload.to_vec(), uid, gid: uid, address, encoded: 0 })
    }
}

/// The line with a credential of this user for this payload.
fn line(uid: u32, payload: &str) -> String {
    let bytes = [&uid.to_be_bytes(), payload.as_bytes()].concat();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sifcache/1 request MUNGE:{digits}:\n")
}

fn line_for(uid: u32, reference: &str) -> String {
    line(uid, &format!("sifcache/1 request {reference}"))
}

/// The default limits, but enough time for each test.
const LIMITS: Limits = Limits { time: Duration::from_secs(3600), ..Limits::DEFAULT };

fn listener(limits: Limits) -> Listener {
    // The port 0 of a test means any free port.
    let address = Filler { host: "127.0.0.1".to_owned(), port: 0 };
    Listener::with(&address, Box::new(Fake), limits).unwrap()
}

fn connect(listener: &Listener) -> TcpStream {
    let stream = TcpStream::connect(listener.socket.local_addr().unwrap()).unwrap();
    // Without a limit, a missing answer would block the test.
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Serves the clients whose data have already arrived: one call accepts, the next one reads.
fn serve(listener: &mut Listener) -> Vec<Request> {
    (0..3).flat_map(|_| listener.next(Duration::ZERO)).collect()
}

/// Sends a text, and returns the answer.
fn ask(listener: &mut Listener, text: &str) -> (String, Vec<Request>) {
    let mut stream = connect(listener);
    stream.write_all(text.as_bytes()).unwrap();
    let requests = serve(listener);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer, requests)
}

#[test]
fn a_request_has_the_user_of_its_credential() {
    let mut listener = listener(LIMITS);
    for (uid, host) in [(1001, "127.0.0.1"), (1002, "10.77.0.101")] {
        let (answer, requests) = ask(&mut listener, &line_for(uid, "o/i:1"));
        assert_eq!(answer, "sifcache/1 accepted\n");
        let [request] = &requests[..] else { panic!("{requests:?}") };
        assert_eq!(request.reference.to_string(), "docker.io/o/i:1");
        assert_eq!((request.asker, request.host.as_str()), (Some(uid), host));
    }
    assert_eq!(listener.counters(), Counters { accepted: 2, ..Counters::default() });
}

/// As `sifcache doctor` does.
#[test]
fn a_check_requests_nothing() {
    let mut listener = listener(LIMITS);
    let (answer, requests) = ask(&mut listener, &line(1001, "sifcache/1 check"));
    assert_eq!((answer.as_str(), requests), ("sifcache/1 accepted\n", Vec::new()));
    let (answer, _) = ask(&mut listener, &line(1001, "sifcache/1 check o/i:1"));
    assert!(answer.starts_with("sifcache/1 refused the message is not a request"), "{answer}");
}

#[test]
fn other_messages_are_refused() {
    let mut listener = listener(LIMITS);
    let long = format!("sifcache/1 request MUNGE:{}", "A".repeat(20_000));
    for (text, why) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "the message is not a request of sifcache"),
        ("\n".to_owned(), "the message is not a request of sifcache"),
        (long, "the message is longer than 8192 bytes"),
        ("sifcache/1 request MUNGE:replayed:\n".to_owned(), "the credential has been used before"),
        (line(1001, "o/i:1"), "the message is not a request of sifcache"),
        (line_for(1001, "../../etc/passwd"), "the reference is invalid: its registry is not "),
        (line_for(1001, "o/i:1 x"), "the reference is invalid: it contains the invalid character"),
    ] {
        let (answer, requests) = ask(&mut listener, &text);
        assert!(answer.starts_with(&format!("sifcache/1 refused {why}")), "{text}: {answer}");
        assert_eq!(requests, []);
    }
    assert_eq!(listener.counters(), Counters { refused: 7, ..Counters::default() });
}

/// After an error of this host's munge, the client tries again.
#[test]
fn without_munge_clients_may_try_again() {
    let mut listener = listener(LIMITS);
    let (answer, requests) = ask(&mut listener, "sifcache/1 request MUNGE:down:\n");
    assert_eq!((answer.as_str(), requests.len()), ("sifcache/1 busy 10\n", 0));
}

/// Requests that a busy receiver does not take are kept, in order.
#[test]
fn a_busy_receiver_gets_everything_later() {
    let listener = listener(LIMITS);
    let streams: Vec<TcpStream> = (0..3)
        .map(|number| {
            let mut stream = connect(&listener);
            stream.write_all(line_for(1001, &format!("o/i:{number}")).as_bytes()).unwrap();
            stream
        })
        .collect();
    let (stop, calls, taken) = (AtomicBool::new(false), Mutex::new(0), Mutex::new(Vec::new()));
    let deliver = |requests: Vec<Request>| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if *calls < 4 {
            return Delivery::Full(requests);
        }
        let mut taken = taken.lock().unwrap();
        taken.extend(requests.into_iter().map(|request| request.reference.to_string()));
        stop.store(taken.len() == 3, Ordering::Relaxed);
        Delivery::Taken
    };
    std::thread::scope(|scope| {
        let served = scope.spawn(|| listener.run(&stop, deliver));
        // If requests are lost, the test should fail instead of waiting for them.
        let limit = Instant::now() + Duration::from_secs(20);
        while !served.is_finished() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let expected = ["docker.io/o/i:0", "docker.io/o/i:1", "docker.io/o/i:2"];
    assert_eq!(taken.into_inner().unwrap(), expected);
    drop(streams);
}

/// Too many requests wait for the filler, so clients have to wait too.
#[test]
fn a_full_backlog_makes_clients_wait() {
    let mut listener = listener(LIMITS);
    listener.is_full = true;
    let (answer, requests) = ask(&mut listener, &line_for(1001, "o/i:1"));
    assert_eq!((answer.as_str(), requests.len()), ("sifcache/1 busy 5\n", 0));
}

#[test]
fn a_user_may_ask_for_a_number_of_images_in_a_minute() {
    let mut listener = listener(Limits { per_user: 2, ..LIMITS });
    let mut ask = |uid, reference| {
        let (answer, requests) = ask(&mut listener, &line_for(uid, reference));
        assert_eq!(answer.contains("accepted"), requests.len() == 1, "{answer}");
        answer.split(' ').nth(1).unwrap().trim_end().to_owned()
    };
    let answers = ["o/i:1", "o/i:2", "o/i:3", "o/i:1"].map(|reference| ask(1001, reference));
    assert_eq!(answers, ["accepted", "accepted", "busy", "accepted"]);
    assert_eq!(ask(1003, "o/i:3"), "accepted");
}

#[test]
fn a_host_may_send_a_number_of_messages_in_a_minute() {
    let mut listener = listener(Limits { per_host: 2, ..LIMITS });
    for expected in ["refused", "refused", "busy", "busy"] {
        let (answer, _) = ask(&mut listener, "x\n");
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{answer}");
    }
    let (answer, _) = ask(&mut listener, &line_for(1001, "o/i:1"));
    assert!(answer.starts_with("sifcache/1 busy "), "{answer}");
}

/// Clients that send nothing, or one byte after the other, do not keep others from being served,
/// and do not use more than the allowed number of connections.
#[test]
fn slow_clients_do_not_block_others() {
    let mut listener = listener(LIMITS);
    let mut slow = Vec::new();
    for round in 0..3 {
        for _ in 0..50 {
            let mut stream = connect(&listener);
            stream.write_all(b"s").unwrap();
            slow.push(stream);
            serve(&mut listener);
        }
        for stream in &mut slow {
            // Some of these connections are closed.
            let _ = stream.write_all(b"i");
        }
        assert!(listener.connections.len() <= LIMITS.connections);
        let reference = format!("o/i:{round}");
        let (answer, requests) = ask(&mut listener, &line_for(1001, &reference));
        assert_eq!((answer.as_str(), requests.len()), ("sifcache/1 accepted\n", 1));
    }
    assert!(listener.counters().closed >= 150 - LIMITS.connections as u64);
}

/// A client with many connections loses its own ones.
#[test]
fn a_flood_of_one_host_does_not_close_connections_of_another_one() {
    let address = Filler { host: "::".to_owned(), port: 0 };
    let limits = Limits { connections: 8, ..LIMITS };
    let Ok(mut listener) = Listener::with(&address, Box::new(Fake), limits) else {
        println!("skipped: needs IPv6");
        return;
    };
    let port = listener.socket.local_addr().unwrap().port();
    let mut other = TcpStream::connect(("127.0.0.1", port)).unwrap();
    other.write_all(b"sifcache/1 ").unwrap();
    serve(&mut listener);
    let flood: Vec<_> = (0..20)
        .map(|_| {
            let stream = TcpStream::connect(("::1", port)).unwrap();
            serve(&mut listener);
            stream
        })
        .collect();
    let line = line_for(1001, "o/i:1");
    other.write_all(line.strip_prefix("sifcache/1 ").unwrap().as_bytes()).unwrap();
    assert_eq!(serve(&mut listener).len(), 1);
    drop(flood);
}

/// The limit of time is for the whole connection, also if the client goes on to send.
#[test]
fn a_connection_has_a_limited_time() {
    let mut listener = listener(Limits { time: Duration::from_millis(50), ..LIMITS });
    let mut stream = connect(&listener);
    stream.write_all(b"sifcache/1").unwrap();
    while listener.counters().closed == 0 {
        let _ = stream.write_all(b" ");
        assert_eq!(listener.next(Duration::from_millis(10)), []);
    }
    assert!(listener.connections.is_empty());
    let mut rest = Vec::new();
    // Closing with unread bytes resets the connection.
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

/// The memory of a connection is bounded, also after the answer.
#[test]
fn a_client_that_never_stops_is_cut_off() {
    let mut listener = listener(LIMITS);
    let mut stream = connect(&listener);
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let chunk = [b'A'; 4096];
    let mut sent = 0_usize;
    while stream.write_all(&chunk).is_ok() {
        sent += chunk.len();
        serve(&mut listener);
        assert!(sent < 64 << 20, "it is not cut off");
    }
    serve(&mut listener);
    assert!(listener.connections.is_empty());
}
