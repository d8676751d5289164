//! Checks the owners and groups whose images the runtime's configuration allows users to start.

use super::directives::values;
use super::finding::Finding;
use super::host::Host;
use crate::system::process::RunError;
use crate::ui::escape::escape_for_terminal;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Checks the owner and the group of the root. The owner of an image may differ from that of its
/// root, so a refusal is likely but not certain.
pub(crate) fn check(
    host: &Host,
    file: &Path,
    text: &str,
    root: &Path,
    real: &Path,
) -> Vec<Finding> {
    let Ok(metadata) = fs::metadata(real) else { return Vec::new() };
    let limits = [
        ("limit container owners", "passwd", metadata.uid()),
        ("limit container groups", "group", metadata.gid()),
    ];
    let of = |(directive, database, id)| {
        let names: Vec<&str> = values(text, directive).collect();
        let limit = format!("{}: '{directive} = {}'", escape_for_terminal(file), names.join(", "));
        judge(allows(host, database, &names, id), &limit, root, id)
    };
    limits.into_iter().filter_map(of).collect()
}

fn judge(
    answer: Result<Answer<'_>, RunError>,
    limit: &str,
    root: &Path,
    id: u32,
) -> Option<Finding> {
    Some(match answer {
        Ok(Answer::Allowed) => return None,
        Ok(Answer::Refused) => {
            let message = format!(
                "{limit} refuses images that belong to {id}, the owner or group of {}",
                escape_for_terminal(root)
            );
            Finding::warn("owners", message)
                .advice("add the name of the images' owner or group there")
        }
        Ok(Answer::Unknown(name)) => {
            let message = format!("{limit}: {name} is unknown on this host, so images are refused");
            Finding::fail("owners", message).advice(format!("remove {name} from the list"))
        }
        Err(error) => Finding::skipped("owners", format!("{limit}: {}", error.describe("getent"))),
    })
}

/// The runtime's decision for a list of names.
enum Answer<'a> {
    Allowed,
    Refused,
    /// The runtime cannot resolve this name, and therefore fails.
    Unknown(&'a str),
}

/// Checks the list in order, as the runtime does.
fn allows<'a>(
    host: &Host,
    database: &str,
    names: &[&'a str],
    id: u32,
) -> Result<Answer<'a>, RunError> {
    for name in names {
        match number(host, database, name)? {
            None => return Ok(Answer::Unknown(name)),
            Some(number) if number == id => return Ok(Answer::Allowed),
            Some(_) => {}
        }
    }
    Ok(if names.is_empty() { Answer::Allowed } else { Answer::Refused })
}

/// The ID of a user or a group, or `None` if the name is unknown.
fn number(host: &Host, database: &str, name: &str) -> Result<Option<u32>, RunError> {
    let answer = host.output("getent", &[database, name])?;
    Ok(answer.stdout.split(':').nth(2).and_then(|number| number.parse().ok()))
}
