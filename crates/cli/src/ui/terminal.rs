//! The terminal on which progress is drawn. A write that fails is ignored: `MultiProgress::suspend`
//! would panic if the terminal has hung up.

use indicatif::TermLike;
use rustix::termios::tcgetwinsize;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Columns and rows of a terminal that does not report its size.
const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// Collects what is drawn until the flush, so that lines do not flicker.
#[derive(Debug)]
pub(crate) struct Terminal<W> {
    output: Mutex<(W, Vec<u8>)>,
}

impl<W> Terminal<W> {
    /// Draws on `output`.
    pub(crate) fn new(output: W) -> Self {
        Self { output: Mutex::new((output, Vec::new())) }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the return type of the trait's methods")]
    fn add(&self, text: &str) -> io::Result<()> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.1.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// Moves the cursor with an ANSI escape sequence. A count of 0 is skipped, because terminals
    /// treat it as 1.
    fn move_cursor(&self, count: usize, direction: char) -> io::Result<()> {
        match count {
            0 => Ok(()),
            _ => self.add(&format!("\x1b[{count}{direction}")),
        }
    }
}

/// Columns and rows of the terminal on standard error.
fn size() -> (u16, u16) {
    match tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => DEFAULT_SIZE,
    }
}

impl<W: Write + Send + std::fmt::Debug> TermLike for Terminal<W> {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.add(&format!("{s}\n"))
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.add(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let (writer, text) = &mut *output;
        let _ = writer.write_all(text).and_then(|()| writer.flush());
        text.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Terminal;
    use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
    use std::fs::File;

    #[test]
    fn a_failed_write_does_not_end_the_command() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let target = ProgressDrawTarget::term_like(Box::new(Terminal::new(full)));
        let bars = MultiProgress::with_draw_target(target);
        let bar = bars.add(ProgressBar::new_spinner());
        bar.set_message("pulling o/i:1");
        bar.tick();
        assert_eq!(bars.suspend(|| 7), 7);
        bar.finish_and_clear();
    }
}
