//! The filler: reads requests, asks the policy, and adds the images.
//!
//! ```text
//! logs ──▶ reader ──requests──▶┌──────┐──image, askers──▶ judge
//! listener ─────────requests──▶│ loop │◀──verdict──────── (one thread: a lookup of a user may be slow)
//! state.json ◀──once a second──│      │──image──▶ workers (`parallel` threads)
//! queue files ◀─once a second──└──────┘◀──result──
//! listener ◀────────news───────────┘
//! ```
//!
//! The loop owns the schedule, and never waits for a registry, a log or a lookup of a user.

mod clock;
mod input;
mod notices;
mod output;
mod running;
mod threads;

use crate::cache::store::Store;
use crate::demand::board::Board;
use crate::demand::news::Publisher;
use crate::demand::policy::identity::System;
use crate::demand::policy::reload::Reloader;
use crate::demand::policy::{Asked, Limits as PolicyLimits, Policy, Verdict};
use crate::demand::report::Report;
use crate::demand::request::Request;
use crate::demand::schedule::{Finding, Limits, Outcome, Schedule};
use crate::demand::source::Cursor;
use crate::demand::state::{Saved, State};
use crate::demand::worker::{Finished, Workshop};
use crate::error::Failure;
use crate::exit::Exit;
use crate::system::service;
use crate::system::signals;
use clock::{Clock, Lines, Pace};
pub(crate) use input::{Input, listener, logs};
use jiff::{Timestamp, Zoned};
use output::Problems;
use running::Running;
use sifcache_core::reference::Reference;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread::{self, Builder, Scope};
use std::time::{Duration, Instant};

/// The number of messages that can wait for the loop.
const CHANNEL: usize = 4;
/// The maximum number of messages that the loop handles before its other work.
const BATCH: usize = 64;
/// The longest time that the loop waits for a message.
const TICK: Duration = Duration::from_millis(200);
/// The maximum number of questions that wait for the judge's thread.
const JUDGING: usize = 64;

/// What the loop receives.
pub(crate) enum Message {
    /// Requests, and the position in the logs if they come from logs.
    Requests(Vec<Request>, Option<Cursor>),
    /// An input has ended, or cannot be read.
    Ended(Result<(), Failure>),
    /// A message for the admin.
    Note(String),
    /// The judge's finding.
    Judged(Reference, Finding),
    /// The result of a pull.
    Pulled(Finished),
}

/// An image to judge.
struct Question {
    policy: Arc<Policy>,
    reference: Reference,
    asked: Asked,
}

/// The configuration of the filler, and the components that it uses.
pub(crate) struct Site<'a> {
    pub(crate) store: &'a Store,
    pub(crate) workshop: &'a Workshop<'a>,
    pub(crate) policy: Reloader,
    pub(crate) parallel: Option<u32>,
    pub(crate) follow: bool,
    pub(crate) report: Report,
    /// Sends news to the clients of the listener; `None` without a listener.
    pub(crate) news: Option<Publisher>,
}

/// Runs the filler until its inputs have ended, or a signal arrives.
///
/// # Errors
/// The logs cannot be read, or a signal asked the command to end.
pub(crate) fn run(
    site: Site<'_>,
    state: State,
    saved: Saved,
    inputs: Vec<Input>,
) -> Result<Exit, Failure> {
    let (sender, receiver) = mpsc::sync_channel(CHANNEL);
    let (questions, asked) = mpsc::channel();
    let (changes, changed) = mpsc::channel();
    let stop = AtomicBool::new(false);
    let (workshop, news) = (site.workshop, site.news.clone());
    thread::scope(|scope| {
        let begin = || {
            let senders = (sender.clone(), questions, changes);
            let mut filler = Filler::new(site, state, saved, inputs.len(), senders)?;
            for input in inputs {
                let (sender, stop) = (sender.clone(), &stop);
                threads::start(scope, "input", move || input(&sender, stop))?;
            }
            let identity = System::new();
            threads::start(scope, "judge", move || {
                threads::judge(workshop.settings, &identity, &asked, &sender);
            })?;
            threads::start(scope, "views", move || {
                threads::update_views(workshop.settings, workshop.root, &changed);
            })?;
            service::ready();
            filler.work(scope, &receiver)
        };
        let result = begin();
        // The threads end when they cannot send or receive any more.
        stop.store(true, Ordering::Relaxed);
        if let Some(news) = news {
            news.wake();
        }
        drop(receiver);
        result
    })
}

type Senders = (SyncSender<Message>, Sender<Question>, Sender<()>);

/// The loop.
struct Filler<'a> {
    site: Site<'a>,
    policy: Arc<Policy>,
    schedule: Schedule,
    cursor: Option<Cursor>,
    state: State,
    board: Board,
    clock: Clock,
    running: Running,
    sender: SyncSender<Message>,
    questions: Sender<Question>,
    /// The number of questions without an answer.
    judging: usize,
    changes: Sender<()>,
    saving: Pace,
    publishing: Pace,
    ticking: Pace,
    verdicts: Lines,
    /// The number of inputs that have not ended.
    inputs: usize,
    /// Whether an image could not be added.
    failed: bool,
    /// Why the loop ends.
    stopped: Option<Failure>,
    /// The problems with the queue and the state.
    problems: Problems,
}

impl<'a> Filler<'a> {
    fn new(
        mut site: Site<'a>,
        state: State,
        saved: Saved,
        inputs: usize,
        (sender, questions, changes): Senders,
    ) -> Result<Self, Failure> {
        let policy = Arc::new(site.policy.current().0.clone());
        let board = Board::open(site.store, Instant::now())?;
        Ok(Self {
            site,
            policy,
            schedule: saved.schedule,
            cursor: saved.cursor,
            state,
            board,
            clock: Clock::start(),
            running: Running::default(),
            sender,
            questions,
            judging: 0,
            changes,
            saving: Pace::default(),
            publishing: Pace::default(),
            ticking: Pace::default(),
            verdicts: Lines::default(),
            inputs,
            failed: false,
            stopped: None,
            problems: Problems::default(),
        })
    }

    fn work<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        receiver: &Receiver<Message>,
    ) -> Result<Exit, Failure>
    where
        'a: 'scope,
    {
        loop {
            self.receive(receiver);
            if let Err(failure) = signals::check() {
                self.stopped.get_or_insert(failure);
            }
            let now = self.clock.now();
            self.reload();
            self.tick(now);
            self.running.end_overdue(self.policy.limits(), Instant::now());
            if self.stopped.is_none() {
                self.ask_judge(now);
                self.start_pulls(scope, now);
            }
            let is_over = self.is_over();
            self.publish(now, is_over);
            self.save(is_over);
            if is_over {
                break;
            }
        }
        match self.stopped.take() {
            Some(failure) => Err(failure),
            None if self.failed && !self.site.follow => Ok(Exit::PROBLEMS),
            None => Ok(Exit::OK),
        }
    }

    /// Whether the loop can end: no pull runs, and either the filler stops, or the inputs have ended
    /// and every image was judged. Images that wait for a pause to end stay in the schedule.
    fn is_over(&self) -> bool {
        let is_done = self.inputs == 0 && self.judging == 0 && !self.schedule.is_open();
        self.running.is_empty() && (self.stopped.is_some() || is_done)
    }

    /// Handles the messages that have arrived; waits for the first one.
    fn receive(&mut self, receiver: &Receiver<Message>) {
        match receiver.recv_timeout(TICK) {
            Ok(message) => self.take(message),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
        for message in receiver.try_iter().take(BATCH) {
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        let now = self.clock.now();
        match message {
            Message::Requests(requests, cursor) => {
                for request in requests {
                    self.schedule.ask(request, now);
                    self.publishing.hurry();
                }
                self.cursor = cursor.or(self.cursor.take());
                self.saving.note();
            }
            Message::Ended(result) => {
                self.inputs = self.inputs.saturating_sub(1);
                if let Err(failure) = result {
                    self.stopped.get_or_insert(failure);
                }
            }
            Message::Note(text) => self.site.report.note(&text),
            Message::Judged(reference, finding) => self.judged(&reference, finding, now),
            Message::Pulled(finished) => self.pulled(&finished, now),
        }
    }

    fn judged(&mut self, reference: &Reference, finding: Finding, now: Timestamp) {
        self.judging = self.judging.saturating_sub(1);
        if finding == Finding::Present {
            self.tell_added(reference, now);
        }
        let news = self.schedule.judged(reference, finding.clone(), now);
        if let (Some(item), Finding::Judged(verdict)) = (&news, &finding)
            && *verdict != Verdict::Allowed
        {
            let (may_print, withheld) = self.verdicts.may_print(Instant::now());
            if let Some(count) = withheld {
                self.site.report.note(&format!("{count} verdicts were not printed"));
            }
            if may_print {
                self.site.report.verdict(item, verdict);
            }
        }
        if news.is_some() {
            self.publishing.hurry();
            self.saving.note();
        }
    }

    fn pulled(&mut self, finished: &Finished, now: Timestamp) {
        self.running.remove(&finished.reference);
        let outcome = finished.outcome.clone();
        let item = self.with_limits(|schedule, limits| {
            schedule.done(&finished.reference, outcome, limits, now)
        });
        let is_added = finished.outcome == Outcome::Added;
        self.failed |= !is_added && finished.outcome != Outcome::Stopped;
        if let Some(item) = item {
            let retry = item.pause(now).filter(|_| !is_added);
            self.site.report.finished(&item, finished, retry);
        }
        if is_added {
            self.tell_added(&finished.reference, now);
            // The thread that updates the views lives as long as this loop.
            let _ = self.changes.send(());
        }
        self.publishing.hurry();
        self.saving.note();
    }

    fn tick(&mut self, now: Timestamp) {
        let begun = Instant::now();
        if self.ticking.is_due(begun) {
            self.with_limits(|schedule, limits| schedule.tick(limits, now));
            self.ticking.done(begun, begun.elapsed());
        }
    }

    /// Applies a changed policy.
    fn reload(&mut self) {
        let (policy, message) = self.site.policy.current();
        if let Some(message) = message {
            self.policy = Arc::new(policy.clone());
            self.schedule.review_all();
            self.site.report.note(&message);
        }
    }

    fn with_limits<T>(&mut self, work: impl FnOnce(&mut Schedule, &Limits<'_>) -> T) -> T {
        let policy = Arc::clone(&self.policy);
        let limits = policy.limits();
        let parallel = self.site.parallel.unwrap_or(limits.parallel);
        work(
            &mut self.schedule,
            &Limits {
                parallel: usize::try_from(parallel).unwrap_or(usize::MAX),
                window: limits.window,
                first: limits.backoff.first,
                longest: limits.backoff.longest,
                per_hour: &|registry| limits.per_hour(registry),
            },
        )
    }

    fn ask_judge(&mut self, now: Timestamp) {
        let window = self.policy.limits().window;
        let most = JUDGING.saturating_sub(self.judging);
        for (reference, asked) in self.schedule.take_unjudged(most, window, now) {
            let question = Question { policy: Arc::clone(&self.policy), reference, asked };
            if self.questions.send(question).is_ok() {
                self.judging += 1;
            }
        }
    }

    fn start_pulls<'scope>(&mut self, scope: &'scope Scope<'scope, '_>, now: Timestamp)
    where
        'a: 'scope,
    {
        if self.policy.is_quiet(&Zoned::now()) {
            return;
        }
        while let Some(reference) = self.with_limits(|schedule, limits| schedule.next(limits, now))
        {
            self.publishing.hurry();
            let watched = self.running.add(&reference, Instant::now());
            let limits: PolicyLimits = self.policy.limits().clone();
            let (workshop, sender) = (self.site.workshop, self.sender.clone());
            let named = reference.clone();
            let work = move || {
                let finished = workshop.add(named, &limits, watched);
                // The loop waits for all workers before it ends.
                let _ = sender.send(Message::Pulled(finished));
            };
            if let Err(error) = Builder::new().name("fill".to_owned()).spawn_scoped(scope, work) {
                let why = format!("cannot start a thread: {error}");
                let outcome = Outcome::NoRoom(why.clone());
                self.pulled(&Finished { reference, outcome, details: Err(why) }, now);
            }
        }
    }
}
