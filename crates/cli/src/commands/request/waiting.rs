//! One image that was asked for, until there is a result.

use super::name;
use super::report::Status;
use crate::cache::lookup;
use crate::demand::ask::Route;
use crate::demand::follow::{Follow, Sign};
use crate::demand::message::Answer;
use crate::error::Failure;
use crate::ui::progress::{Progress, Task};
use sifcache_core::queue::{Entry, State};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// An image that was asked for.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    settings: &'a Settings,
    root: &'a Path,
    reference: &'a Reference,
    start: Instant,
    follow: Follow,
    /// Whether to follow the listener's news, and not only the queue file.
    with_news: bool,
    /// When the request is sent again, because the listener was busy.
    again: Option<Instant>,
    task: Option<Task>,
    /// The size that the progress shows.
    size: u64,
}

impl<'a> Waiting<'a> {
    /// Prepares a request.
    pub(super) fn new(
        root: &'a Path,
        settings: &'a Settings,
        reference: &'a Reference,
        with_news: bool,
        now: Instant,
    ) -> Self {
        let follow = Follow::new(root, reference, now);
        let (start, again, task, size) = (now, None, None, 0);
        Self { settings, root, reference, start, follow, with_news, again, task, size }
    }

    /// The connection on which news may arrive.
    pub(super) fn stream(&self) -> Option<&TcpStream> {
        self.follow.stream()
    }

    /// The image.
    pub(super) fn reference(&self) -> &'a Reference {
        self.reference
    }

    /// Sends the request. With `patient`, it is sent again later if the listener is busy, and the
    /// listener is asked for news. Returns the result if there is one already.
    ///
    /// # Errors
    /// The request cannot be sent.
    pub(super) fn send(&mut self, route: &Route, patient: bool) -> Result<Option<Status>, Failure> {
        let now = Instant::now();
        self.again = None;
        self.follow = Follow::new(self.root, self.reference, now);
        match route.send(self.reference)? {
            Answer::Busy(seconds) if patient => {
                self.again = Some(now + Duration::from_secs(seconds.into()));
                Ok(None)
            }
            Answer::Accepted if matches!(route, Route::Listener { .. }) => {
                let wanted = patient && self.with_news;
                let news = wanted.then(|| route.news(self.reference)).flatten();
                self.follow.accepted(news, Instant::now());
                Ok(None)
            }
            answer => Ok(Status::of_answer(answer)),
        }
    }

    /// Shows the progress from now on.
    pub(super) fn show(&mut self, progress: &Progress) {
        self.task = Some(progress.start(&format!("asking for {}", name(self.reference))));
    }

    /// Hides the progress, and returns the time since the request.
    pub(super) fn finish(&mut self, now: Instant) -> Duration {
        self.task = None;
        now.duration_since(self.start)
    }

    /// Reads the queue entry, and returns the result if there is one.
    ///
    /// # Errors
    /// The request has to be sent again, which fails.
    pub(super) fn look(&mut self, route: &Route, now: Instant) -> Result<Option<Status>, Failure> {
        if let Some(again) = self.again {
            self.say("the filler is busy");
            return if now < again { Ok(None) } else { self.send(route, true) };
        }
        Ok(match self.follow.look(now) {
            Sign::Waiting => None,
            Sign::Working(entry) => {
                self.draw(&entry);
                None
            }
            Sign::Done => self.added(),
            // Another command may have added it.
            Sign::Refused(reason) => Some(self.added().unwrap_or(Status::Refused(reason))),
            Sign::Failed(reason) => Some(self.added().unwrap_or(Status::Failed(reason))),
            Sign::NoFiller(reason) => Some(self.added().unwrap_or(Status::NoFiller(reason))),
        })
    }

    fn added(&self) -> Option<Status> {
        lookup::find(self.settings, self.reference).map(Status::Added)
    }

    fn draw(&mut self, entry: &Entry) {
        if entry.state == State::Queued {
            let mut text = match entry.ahead {
                0 => "queued".to_owned(),
                ahead => format!("queued, {ahead} before it"),
            };
            if !entry.reason.is_empty() {
                text.push_str(&format!(": {}", entry.reason));
            }
            return self.say(&text);
        }
        let text = match entry.seconds_left {
            Some(seconds) => format!("being added, about {seconds} s left"),
            None => "being added".to_owned(),
        };
        self.say(&text);
        let Some(task) = &self.task else { return };
        if entry.size != self.size {
            self.size = entry.size;
            task.expect(entry.size);
        }
        task.set(entry.received);
    }

    fn say(&self, detail: &str) {
        if let Some(task) = &self.task {
            task.say(detail);
        }
    }
}
