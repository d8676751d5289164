//! The progress of a long copy, as one line on the terminal.

use crate::process;
use std::time::{Duration, Instant};

/// A copy that takes less shows no progress.
const SILENT: Duration = Duration::from_millis(500);
/// The time between two updates.
const INTERVAL: Duration = Duration::from_millis(100);
/// The width of the bar, in characters.
const WIDTH: u64 = 40;

const MEBIBYTE: u64 = 1 << 20;

/// The line on the terminal.
pub(crate) struct Progress {
    total: u64,
    next: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// Progress of a copy of `total` bytes; without effect if `has_terminal` is false.
    pub(crate) fn new(total: u64, has_terminal: bool) -> Self {
        let next = has_terminal.then(|| Instant::now().checked_add(SILENT)).flatten();
        Self { total, next, is_shown: false }
    }

    /// Shows that `done` bytes are copied.
    pub(crate) fn show(&mut self, done: u64) {
        let now = Instant::now();
        if self.next.is_some_and(|next| now >= next) {
            self.next = now.checked_add(INTERVAL);
            self.is_shown = true;
            process::write_stderr(&line(done, self.total));
        }
    }
}

/// Removes the line.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            process::write_stderr("\r\x1b[K");
        }
    }
}

fn line(done: u64, total: u64) -> String {
    let share = |whole: u64| {
        u64::try_from(u128::from(done) * u128::from(whole) / u128::from(total.max(1)))
            .unwrap_or(whole)
    };
    let bar = "=".repeat(usize::try_from(share(WIDTH)).unwrap_or_default());
    let (width, done, total) =
        (usize::try_from(WIDTH).unwrap_or_default(), done / MEBIBYTE, total / MEBIBYTE);
    format!("\r\x1b[K{done}MiB / {total}MiB [{bar:-<width$}] {} %", share(100))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_bar_grows_with_the_copy() {
        let dashes = |count: usize| "-".repeat(count);
        let expected = format!("\r\x1b[K0MiB / 1024MiB [{}] 0 %", dashes(40));
        assert_eq!(line(0, 1 << 30), expected);
        let expected = format!("\r\x1b[K512MiB / 1024MiB [{}{}] 50 %", "=".repeat(20), dashes(20));
        assert_eq!(line(1 << 29, 1 << 30), expected);
        assert!(line(1 << 30, 1 << 30).ends_with("] 100 %"));
        assert!(line(0, 0).ends_with("] 0 %"));
    }
}
