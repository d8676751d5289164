//! Prompts for the user name and the password.

use super::Login;
use crate::error::Failure;
use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

/// The terminal, which is available even if standard input and output are redirected.
const TERMINAL: &str = "/dev/tty";

/// Prompts for the password, and for the user name if it is not known.
///
/// # Errors
/// There is no terminal or no answer.
pub(super) fn login(username: Option<String>) -> Result<Login, Failure> {
    let username = match username {
        Some(username) => username,
        None => line(Path::new(TERMINAL), "User name for the registry: ").map_err(no_answer)?,
    };
    let password = rpassword::prompt_password(format!("Password of {username}: "));
    let password = password.map_err(no_answer)?;
    Ok(Login { username, password })
}

fn line(terminal: &Path, prompt: &str) -> io::Result<String> {
    let mut terminal = OpenOptions::new().read(true).write(true).open(terminal)?;
    terminal.write_all(prompt.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(terminal).read_line(&mut answer)?;
    match answer.trim() {
        "" => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no user name was given")),
        answer => Ok(answer.to_owned()),
    }
}

fn no_answer(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted => Failure::NoLogin(error),
        _ => Failure::NoTerminal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{line, no_answer};
    use std::path::Path;

    #[test]
    fn without_a_terminal_the_error_gives_advice() {
        let error = line(Path::new("/no/such"), "?").map_err(no_answer).unwrap_err();
        assert!(error.to_string().contains("set APPTAINER_DOCKER_USERNAME"), "{error}");
        let error = line(Path::new("/dev/null"), "?").map_err(no_answer).unwrap_err();
        assert_eq!(error.to_string(), "--docker-login: no user name was given");
    }
}
