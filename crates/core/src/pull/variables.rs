//! Variables with the prefix of Singularity that Apptainer reads, with a message about each.
//!
//! spython sets `SINGULARITY_PULLFOLDER` to an empty value for every pull, and many sites set
//! `SINGULARITY_CACHEDIR`.

use crate::command_line::Environment;

/// The keys of the variables that an answered pull may have, in the order of the messages.
/// Apptainer reads the variables of flags in the order of the flags' names.
const KEYS: &str = "DEBUG NOCOLOR QUIET SILENT VERBOSE ALLOW_UNAUTHENTICATED PULLDIR PULLFOLDER \
     DISABLE_CACHE DOCKER_HOST DOCKER_LOGIN FORCE LIBRARY PULL_NAME NO_CLEANUP NOHTTPS \
     NO_HTTPS SANDBOX TMPDIR";

/// The keys of the variables that Apptainer reads afterwards, for its own cache. There is no message
/// about an empty value.
const KEYS_OF_CACHE: &str = "DISABLE_CACHE CACHEDIR";

/// The keys of variables about which Apptainer prints several messages.
const OTHER_KEYS: &str = "CONFIGDIR MESSAGELEVEL SYPGPDIR";

/// The messages of Apptainer about variables. `None` if it prints other messages than these, for
/// example about a variable that has different values with the two prefixes.
pub(super) fn messages(environment: &Environment<'_>) -> Option<Vec<String>> {
    let mut messages = Vec::new();
    let names = |key: &str| ["SINGULARITY", "APPTAINER"].map(|prefix| format!("{prefix}_{key}"));
    let values = |key: &str| names(key).map(|name| environment(&name));
    if OTHER_KEYS.split(' ').any(|key| matches!(values(key), [Some(_), None])) {
        return None;
    }
    let of_cache = KEYS_OF_CACHE.split(' ').map(|key| (key, true));
    for (key, is_of_cache) in KEYS.split(' ').map(|key| (key, false)).chain(of_cache) {
        let [legacy, new] = names(key);
        match values(key) {
            [Some(old), Some(value)] if old != value => return None,
            [Some(value), None] if is_of_cache && value.is_empty() => {}
            [Some(_), None] => messages
                .push(format!("Environment variable {legacy} is set, but {new} is preferred")),
            _ => {}
        }
    }
    Some(messages)
}

#[cfg(test)]
mod tests {
    use super::messages;

    fn of(variables: &[&str]) -> Option<Vec<String>> {
        let environment = |name: &str| {
            let value = variables.iter().find_map(|v| v.strip_prefix(name)?.strip_prefix('='));
            value.map(|value| value.as_bytes().to_vec())
        };
        messages(&environment)
    }

    fn about(key: &str) -> String {
        format!("Environment variable SINGULARITY_{key} is set, but APPTAINER_{key} is preferred")
    }

    #[test]
    fn one_message_for_each_variable_of_singularity() {
        for (variables, expected) in [
            (&["SINGULARITY_PULLFOLDER="] as &[&str], Some(vec!["PULLFOLDER"])),
            (&["SINGULARITY_CACHEDIR=/c"], Some(vec!["CACHEDIR"])),
            (&["SINGULARITY_CACHEDIR="], Some(vec![])),
            (
                &["SINGULARITY_CACHEDIR=/c", "SINGULARITY_LIBRARY=", "SINGULARITY_DOCKER_HOST="],
                Some(vec!["DOCKER_HOST", "LIBRARY", "CACHEDIR"]),
            ),
            (&["APPTAINER_PULLFOLDER=x", "SINGULARITY_PULLFOLDER=x"], Some(vec![])),
            (&["APPTAINER_PULLFOLDER=x", "SINGULARITY_PULLFOLDER=y"], None),
            (&["APPTAINER_CACHEDIR=x", "SINGULARITY_CACHEDIR=y"], None),
            (&["SINGULARITY_FORCE=1", "SINGULARITY_QUIET=1"], Some(vec!["QUIET", "FORCE"])),
            (&["SINGULARITY_VERBOSE=0"], Some(vec!["VERBOSE"])),
            (&["SINGULARITY_MESSAGELEVEL=1"], None),
            (&["APPTAINER_QUIET=0", "SINGULARITY_QUIET=1"], None),
            (&["SINGULARITY_QUIET=1", "APPTAINER_QUIET=1"], Some(vec![])),
            (&["SINGULARITY_CONFIGDIR=/c"], None),
            (&["SINGULARITY_QUIET=1", "SINGULARITY_CONFIGDIR=/c"], None),
            (&["SINGULARITY_SIFCACHE=x"], Some(vec![])),
        ] {
            let expected: Option<Vec<String>> =
                expected.map(|keys| keys.into_iter().map(about).collect());
            assert_eq!(of(variables), expected, "{variables:?}");
        }
    }
    /// They have no effect, but there is a message. Apptainer reads `DISABLE_CACHE` twice.
    #[test]
    fn variables_with_a_false_value() {
        for (variables, expected) in [
            (
                ["SINGULARITY_SANDBOX=0", "SINGULARITY_NO_HTTPS=0", "SINGULARITY_PULL_NAME=x"],
                vec!["PULL_NAME", "NO_HTTPS", "SANDBOX"],
            ),
            (
                ["SINGULARITY_DISABLE_CACHE=0", "SINGULARITY_TMPDIR=/t", "SINGULARITY_CACHEDIR=/c"],
                vec!["DISABLE_CACHE", "TMPDIR", "DISABLE_CACHE", "CACHEDIR"],
            ),
        ] {
            let expected = expected.into_iter().map(about).collect();
            assert_eq!(of(&variables), Some(expected), "{variables:?}");
        }
    }
}
