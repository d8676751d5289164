//! Adds one image within the limits of the policy, and reports the result.

use crate::demand::policy::Limits;
use crate::demand::schedule::Outcome;
use crate::demand::space;
use crate::error::Failure;
use crate::pull::adder::Adder;
use crate::pull::outcome;
use crate::pull::registry::Cancel;
use crate::pull::watch::{self, Watch};
use crate::ui::escape::escape_for_terminal;
use crate::ui::progress::Gauge;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The state that all workers share.
pub(crate) struct Workshop<'a> {
    pub(crate) adder: &'a Adder<'a>,
    pub(crate) settings: &'a Settings,
    pub(crate) root: &'a Path,
    pub(crate) room: Mutex<Room>,
}

/// The space that running pulls need. It is locked while room is made, because two workers would
/// otherwise count the same free space.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// The sizes of all images that are being pulled, in bytes.
    pulling: u64,
    /// The last size in bytes for which there was no room, with the time and the reason.
    lack: Option<(u64, Instant, String)>,
}

/// The time after a lack of room for which no further attempt is made, because each attempt reads the
/// whole image root.
const LACK: Duration = Duration::from_secs(120);

impl Room {
    /// The reason why there is no room for this number of bytes, if that is known.
    fn lack(&self, bytes: u64, now: Instant) -> Option<&str> {
        let (least, since, why) = self.lack.as_ref()?;
        let holds = bytes >= *least && now.saturating_duration_since(*since) < LACK;
        holds.then_some(why.as_str())
    }
}

/// The result of one pull.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) reference: Reference,
    pub(crate) outcome: Outcome,
    /// The details, or why the image was not added.
    pub(crate) details: Result<outcome::Outcome, String>,
}

impl Workshop<'_> {
    /// Adds the image. `gauge` shows the progress, and `cancel` ends the download.
    pub(crate) fn add(
        &self,
        reference: Reference,
        limits: &Limits,
        (gauge, cancel): (Arc<Gauge>, Cancel),
    ) -> Finished {
        let admitted = Cell::new(0);
        let admit = |bytes: Option<u64>| {
            let bytes = bytes.unwrap_or_default();
            self.admit(bytes, limits)?;
            admitted.set(bytes);
            Ok(())
        };
        let max_size = Some(limits.max_size);
        let watch = Watch { gauge, admit: Some(&admit), stop_if_busy: true, max_size, cancel };
        // A panic must not leave the image in the state of being pulled.
        let added = catch_unwind(AssertUnwindSafe(|| self.adder.add(&reference, &watch)));
        self.room().pulling -= admitted.get();
        match added.unwrap_or(Err(Failure::Thread)) {
            Ok(details) => Finished { reference, outcome: Outcome::Added, details: Ok(details) },
            Err(failure) => {
                let why = one_line(&failure.to_string());
                Finished { reference, outcome: classify(&failure, &why), details: Err(why) }
            }
        }
    }

    /// Checks the size of the compressed layers, and makes room for them.
    fn admit(&self, bytes: u64, limits: &Limits) -> Result<(), Failure> {
        if bytes > limits.max_size {
            return Err(watch::too_large("it has", bytes, limits.max_size));
        }
        let mut room = self.room();
        let whole = room.pulling.saturating_add(bytes);
        let now = Instant::now();
        if let Some(why) = room.lack(whole, now) {
            return Err(Failure::NoRoom(why.to_owned()));
        }
        match space::make_room(self.settings, self.root, limits, whole)? {
            Ok(()) => room.pulling = whole,
            Err(why) => {
                room.lack = Some((whole, now, why.clone()));
                return Err(Failure::NoRoom(why));
            }
        }
        Ok(())
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Classifies a failure: whether the image caused it, or for example the registry or the disk.
fn classify(failure: &Failure, why: &str) -> Outcome {
    match failure {
        Failure::Stopped(_) => Outcome::Stopped,
        Failure::Busy { delay, .. } => Outcome::Busy(*delay),
        Failure::NotAllowed(_) => Outcome::Refused(why.to_owned()),
        Failure::NoRoom(_) | Failure::Space { .. } => Outcome::NoRoom(why.to_owned()),
        Failure::Store { error, .. } | Failure::Output { error, .. } | Failure::Io(error)
            if is_about_disk(error) =>
        {
            Outcome::NoRoom(why.to_owned())
        }
        // The runtime reports this only as text.
        Failure::Pull { problem, .. } if is_text_about_disk(problem) => {
            Outcome::NoRoom(why.to_owned())
        }
        Failure::Shared(failure) => classify(failure, why),
        _ => Outcome::Failed(why.to_owned()),
    }
}

fn is_about_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::PermissionDenied
    )
}

/// Whether the output of a runtime, or of a program that it has started, reports that it cannot write:
/// the messages of the C library and of Go for ENOSPC, EDQUOT and EROFS.
fn is_text_about_disk(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["no space left on device", "disk quota exceeded", "read-only file system"]
        .iter()
        .any(|message| text.contains(message))
}

/// Text for a log and for the queue. It may contain output of the runtime.
pub(crate) fn one_line(text: &str) -> String {
    escape_for_terminal(Path::new(&text.lines().collect::<Vec<_>>().join("; ")))
}

#[cfg(test)]
mod tests {
    use super::{LACK, Room, classify, one_line};
    use crate::demand::schedule::Outcome;
    use crate::error::Failure;
    use std::io;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    #[test]
    fn a_lack_of_room_holds_for_a_while_and_for_images_of_that_size() {
        let now = Instant::now();
        let room = Room { pulling: 0, lack: Some((100, now, "full".to_owned())) };
        assert_eq!(room.lack(100, now), Some("full"));
        assert_eq!(room.lack(99, now), None);
        assert_eq!(room.lack(100, now + LACK), None);
        assert_eq!(Room::default().lack(100, now), None);
    }

    #[test]
    fn failures_of_the_image_and_of_others() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let pull = |problem: &str| Failure::Pull { runtime: "/a".into(), problem: problem.into() };
        let delay = Duration::from_secs(7);
        let no_room = Outcome::NoRoom("why".to_owned());
        let failed = Outcome::Failed("why".to_owned());
        for (failure, expected) in [
            (Failure::Stopped(15), Outcome::Stopped),
            (Failure::Busy { message: String::new(), delay }, Outcome::Busy(delay)),
            (Failure::NotAllowed(String::new()), Outcome::Refused("why".to_owned())),
            (Failure::NoRoom(String::new()), no_room.clone()),
            (Failure::Io(full()), no_room.clone()),
            (Failure::Io(io::ErrorKind::QuotaExceeded.into()), no_room.clone()),
            (Failure::Io(io::ErrorKind::ReadOnlyFilesystem.into()), no_room.clone()),
            (pull("FATAL: write /tmp/x: disk quota exceeded"), no_room.clone()),
            (pull("cp: error writing 'x': No space left on device"), no_room.clone()),
            (pull("FATAL: manifest unknown"), failed.clone()),
            (Failure::TimedOut(String::new()), failed.clone()),
            (Failure::Store { path: "/".into(), error: full() }, no_room.clone()),
            (Failure::Output { path: "/tmp".into(), error: full() }, no_room.clone()),
            (Failure::Shared(Arc::new(Failure::Io(full()))), no_room),
            (Failure::Io(io::ErrorKind::NotFound.into()), failed.clone()),
            (Failure::Registry(String::new()), failed),
        ] {
            assert_eq!(classify(&failure, "why"), expected, "{failure:?}");
        }
    }

    #[test]
    fn a_reason_is_one_line_without_control_characters() {
        assert_eq!(one_line("a\nb\u{1b}[2J"), "a; b\\u{1b}[2J");
    }
}
