//! Variables with the prefix of Singularity that Apptainer reads, with a message about each.
//!
//! spython sets `SINGULARITY_PULLFOLDER` to an empty value for every pull.

use crate::environment::Environment;

/// The keys of the variables that a pull which is answered may have, in the order of the messages.
const KEYS: [&str; 5] = ["PULLDIR", "PULLFOLDER", "FORCE", "PULL_NAME", "TMPDIR"];

/// The messages of `program` about variables. `None` if a variable is there with both prefixes and
/// different values, about which the runtime warns.
pub(crate) fn messages(program: &[u8], environment: &Environment) -> Option<Vec<String>> {
    let mut messages = Vec::new();
    // `singularity` can be a name of either runtime.
    if program != b"apptainer" {
        return Some(messages);
    }
    for key in KEYS {
        let [legacy, new] = ["SINGULARITY", "APPTAINER"].map(|prefix| format!("{prefix}_{key}"));
        match (environment.get(&legacy), environment.get(&new)) {
            (Some(old), Some(value)) if old != value => return None,
            (Some(_), None) => messages
                .push(format!("Environment variable {legacy} is set, but {new} is preferred")),
            _ => {}
        }
    }
    Some(messages)
}

#[cfg(test)]
mod tests {
    use super::messages;
    use crate::environment::environment;

    #[test]
    fn one_message_for_each_variable_of_singularity() {
        let pullfolder = "Environment variable SINGULARITY_PULLFOLDER is set, but APPTAINER_PULLFOLDER is preferred";
        for (program, variables, expected) in [
            ("apptainer", &["SINGULARITY_PULLFOLDER="] as &[&str], Some(vec![pullfolder])),
            ("singularity", &["SINGULARITY_PULLFOLDER="], Some(vec![])),
            ("apptainer", &["APPTAINER_PULLFOLDER=x", "SINGULARITY_PULLFOLDER=x"], Some(vec![])),
            ("apptainer", &["APPTAINER_PULLFOLDER=x", "SINGULARITY_PULLFOLDER=y"], None),
            ("apptainer", &["SINGULARITY_SIFCACHE=x"], Some(vec![])),
        ] {
            let messages = messages(program.as_bytes(), &environment(variables));
            let expected = expected.map(|lines| lines.into_iter().map(str::to_owned).collect());
            assert_eq!(messages, expected, "{program} {variables:?}");
        }
    }
}
