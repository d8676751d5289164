//! Asks for confirmation on a terminal.

use crate::error::Failure;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// Shows what will be done and asks for confirmation. Returns true only for "y" or "yes".
///
/// # Errors
/// Standard input or standard error is not a terminal.
pub(crate) fn agreed(summary: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::NoConfirmation);
    }
    let mut stderr = anstream::stderr();
    write!(stderr, "{summary}\nGo ahead? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
