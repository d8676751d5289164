//! Collects the requests of some lines. Requests for the same image by the same user are one.
//!
//! For counters, each hit and each miss is passed on instead.

use super::Counters;
use crate::demand::request::Request;
use crate::events::logs::launch::{self, Launch};
use crate::events::logs::miss::{self, Found, Miss};
use crate::events::logs::placed::Placed;
use jiff::Timestamp;
use memchr::memmem::Finder;
use std::collections::HashMap;

/// The properties of a line that follow from its log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Whether the line is from the journal of this host, whose fields users cannot forge.
    pub(super) is_journal: bool,
    /// Requests before this time are ignored.
    pub(super) not_before: Timestamp,
}

/// Takes each hit and each miss.
pub(super) type Take<'a> = &'a mut dyn FnMut(Launch);

/// The requests so far, and how much more may be read.
pub(super) struct Batch<'a> {
    /// Finds our name in lines.
    pub(super) name: Finder<'static>,
    pub(super) counters: &'a mut Counters,
    now: Timestamp,
    requests: Vec<Request>,
    places: HashMap<(String, Option<u32>), usize>,
    /// Takes the hits and misses; no requests are collected then.
    take: Option<Take<'a>>,
    /// The number of requests, and of bytes to read, at which the current log's turn ends.
    most: usize,
    bytes: u64,
}

impl<'a> Batch<'a> {
    pub(super) fn new(counters: &'a mut Counters) -> Self {
        Self {
            name: Finder::new(miss::NAME),
            counters,
            now: Timestamp::now(),
            requests: Vec::new(),
            places: HashMap::new(),
            take: None,
            most: 0,
            bytes: 0,
        }
    }

    /// Passes on each hit and each miss.
    pub(super) fn of_launches(counters: &'a mut Counters, take: Take<'a>) -> Self {
        Self { take: Some(take), ..Self::new(counters) }
    }

    /// Begins the turn of the next log, which may read `bytes` bytes and add `requests` requests, up to a
    /// total of `most`.
    pub(super) fn allow(&mut self, requests: usize, bytes: u64, most: usize) {
        self.most = self.requests.len().saturating_add(requests).min(most);
        self.bytes = bytes;
    }

    /// Whether the turn of the current log is over.
    pub(super) fn is_full(&self) -> bool {
        self.requests.len() >= self.most || self.bytes == 0
    }

    /// Counts bytes that were read.
    pub(super) fn used(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Adds the request of a line, if it has one. Returns the line's place in the journal, if any.
    pub(super) fn line(&mut self, line: &[u8], origin: Origin) -> Option<String> {
        if self.take.is_some() {
            return self.launch(line, origin);
        }
        let Placed { found, cursor } = miss::read(line, self.now);
        match found {
            Found::Miss(miss) if miss.time < origin.not_before => {}
            Found::Miss(miss) => {
                self.counters.requests += 1;
                self.add(*miss, origin);
            }
            Found::Forged => self.counters.forged += 1,
            Found::Unread => self.counters.unread += 1,
            Found::Other => {}
        }
        cursor
    }

    /// Passes on the hit or the miss of a line, if it has one.
    fn launch(&mut self, line: &[u8], origin: Origin) -> Option<String> {
        let Placed { found, cursor } = launch::read(line, self.now);
        match found {
            launch::Found::Launch(launch) if launch.time < origin.not_before => {}
            launch::Found::Launch(launch) => {
                if let Some(take) = &mut self.take {
                    take(*launch);
                }
            }
            launch::Found::Forged => self.counters.forged += 1,
            launch::Found::Unread => self.counters.unread += 1,
            launch::Found::Other => {}
        }
        cursor
    }

    fn add(&mut self, miss: Miss, origin: Origin) {
        let asker = miss.confirmed.filter(|_| origin.is_journal);
        let key = (miss.reference.to_string(), asker);
        let place = *self.places.entry(key).or_insert(self.requests.len());
        match self.requests.get_mut(place) {
            Some(request) => request.time = request.time.max(miss.time),
            None => self.requests.push(Request {
                reference: miss.reference,
                asker,
                host: miss.host,
                time: miss.time,
            }),
        }
    }

    /// The requests in the order of their first lines.
    pub(super) fn finish(self) -> Vec<Request> {
        self.requests
    }
}
