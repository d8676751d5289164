use super::{FIRST, Relay, SILENCE, run};
use crate::demand::subscription::Subscription;
use sifcache_core::queue::{Entry, State};
use sifcache_core::reference::Reference;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// More than any test needs.
const LONG: Duration = Duration::from_secs(60);

/// A relay between a filler and waiting processes.
struct Setup {
    /// The filler's end of the connection.
    filler: TcpStream,
    address: SocketAddr,
    relay: JoinHandle<()>,
}

impl Setup {
    fn new(test: &str) -> Self {
        let (Relay { listener, news, .. }, address, filler) = relay(test);
        let relay = thread::spawn(move || run(listener, news));
        Self { filler, address, relay }
    }

    /// A process that waits.
    fn connect(&self) -> BufReader<UnixStream> {
        let stream = UnixStream::connect_addr(&self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        BufReader::new(stream)
    }

    fn send(&mut self, entry: &Entry) {
        self.filler.write_all(format!("{entry}\n").as_bytes()).unwrap();
    }

    /// Whether the relay ends within a minute.
    fn ends(self) -> bool {
        let start = Instant::now();
        while !self.relay.is_finished() && start.elapsed() < LONG {
            thread::sleep(Duration::from_millis(5));
        }
        self.relay.is_finished()
    }
}

/// Both ends of a connection to the listener.
fn connection() -> (TcpStream, Subscription) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_nonblocking(true).unwrap();
    let news = Subscription::new(stream, &Reference::parse(b"o/i:1").unwrap());
    (listener.accept().unwrap().0, news)
}

fn entry(beat: u64) -> Entry {
    let (reference, state, reason) = ("docker.io/o/i:1".to_owned(), State::Pulling, String::new());
    let (size, received, seconds_left, ahead, users) = (9, 3, None, 0, None);
    Entry { reference, state, size, received, seconds_left, ahead, users, beat, reason }
}

/// The next entry; `None` at the end.
fn read(process: &mut BufReader<UnixStream>) -> Option<Entry> {
    let mut line = Vec::new();
    process.read_until(b'\n', &mut line).unwrap();
    Entry::parse(&line)
}

/// The next entry that differs from this one.
fn read_other(process: &mut BufReader<UnixStream>, than: &Entry) -> Option<Entry> {
    loop {
        let next = read(process);
        if next.as_ref() != Some(than) {
            return next;
        }
    }
}

#[test]
fn all_waiting_processes_get_each_entry_and_the_last_one_again() {
    let mut setup = Setup::new("all");
    let mut early = [setup.connect(), setup.connect()];
    setup.send(&entry(1));
    for process in &mut early {
        assert_eq!(read(process), Some(entry(1)));
        assert_eq!(read(process), Some(entry(1)), "it is repeated");
    }
    let mut late = setup.connect();
    assert_eq!(read(&mut late), Some(entry(1)));
    setup.send(&entry(2));
    for process in early.iter_mut().chain([&mut late]) {
        assert_eq!(read_other(process, &entry(1)), Some(entry(2)));
    }
    // The filler closes the connection after its last entry.
    setup.send(&entry(3));
    setup.filler.shutdown(std::net::Shutdown::Both).unwrap();
    for process in early.iter_mut().chain([&mut late]) {
        assert_eq!(read_other(process, &entry(2)), Some(entry(3)));
        assert_eq!(read_other(process, &entry(3)), None);
    }
    assert!(setup.ends());
}

/// A new process of the user then sends a request of its own.
#[test]
fn the_relay_ends_with_the_last_waiting_process() {
    let (mut relay, address, _filler) = relay("last");
    let connect = || UnixStream::connect_addr(&address).unwrap();
    let first = connect();
    assert!(relay.step().unwrap());
    let second = connect();
    drop(first);
    assert!(relay.step().unwrap());
    drop(second);
    assert!(!relay.step().unwrap());
}

#[test]
fn the_relay_waits_a_moment_for_the_first_process() {
    let setup = Setup::new("first");
    let start = Instant::now();
    assert!(setup.ends());
    assert!(start.elapsed() >= FIRST);
}

/// An old answer must not keep other processes of the user from asking again.
#[test]
fn the_relay_ends_with_a_final_entry() {
    for state in [State::Refused, State::Failed, State::Done] {
        let mut setup = Setup::new(state.as_str());
        let mut process = setup.connect();
        setup.send(&Entry { state, ..entry(1) });
        assert_eq!(read(&mut process).map(|entry| entry.state), Some(state));
        assert_eq!(read(&mut process), None);
        assert!(setup.ends());
    }
}

#[test]
fn the_relay_ends_if_the_filler_sends_something_else() {
    let mut setup = Setup::new("wrong");
    let mut process = setup.connect();
    setup.filler.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
    assert_eq!(read(&mut process), None);
    assert!(setup.ends());
}

/// A filler that has lost its network does not end the connection.
#[test]
fn the_relay_ends_after_a_long_silence() {
    let (mut relay, address, _filler) = relay("silence");
    let _process = UnixStream::connect_addr(&address).unwrap();
    assert!(relay.step().unwrap());
    relay.received = relay.begun.checked_sub(SILENCE).unwrap();
    assert!(!relay.step().unwrap());
}

/// A relay that has not begun, the address of its socket, and the filler's end of the connection.
fn relay(test: &str) -> (Relay, SocketAddr, TcpStream) {
    let name = format!("sifcache-test/{}/{test}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let (filler, news) = connection();
    (Relay::new(listener, news, Instant::now()), address, filler)
}
