use super::{Credentials, RegistryAuth, Source};
use sifcache_core::reference::Reference;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn gather(environment: &[(&str, &str)], authfile: Option<&Path>) -> Credentials {
    let get = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    Credentials::gather(&get, authfile).unwrap()
}

fn of(credentials: &Credentials) -> RegistryAuth {
    credentials.of(&Reference::parse(b"quay.io/o/i:1").unwrap())
}

fn basic(username: &str, password: &str) -> RegistryAuth {
    RegistryAuth::Basic(username.to_owned(), password.to_owned())
}

/// A home directory with an auth file that contains `f:g` for quay.io, and its path.
fn home() -> (TempDir, String) {
    let home = TempDir::new().unwrap();
    let path = home.path().join(".docker/config.json");
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(path, r#"{"auths": {"quay.io": {"auth": "Zjpn"}}}"#).unwrap();
    let text = home.path().to_str().unwrap().to_owned();
    (home, text)
}

/// The variables and arguments that are passed to a runtime.
fn handed(credentials: &Credentials) -> (Vec<String>, Vec<String>) {
    let mut command = Command::new("apptainer");
    credentials.hand_to(&mut command);
    let variables = command.get_envs().map(|(name, value)| {
        let value = value.map_or("-", |value| value.to_str().unwrap());
        format!("{}={value}", name.to_str().unwrap())
    });
    let arguments = command.get_args().map(|argument| argument.to_str().unwrap().to_owned());
    (variables.collect(), arguments.collect())
}

#[test]
fn variables_are_read_in_the_runtimes_order() {
    let all = [
        ("APPTAINER_DOCKER_USERNAME", "a"),
        ("APPTAINER_DOCKER_PASSWORD", "1"),
        ("SINGULARITY_DOCKER_USERNAME", "b"),
        ("SINGULARITY_DOCKER_PASSWORD", "2"),
        ("DOCKER_USERNAME", "c"),
        ("DOCKER_PASSWORD", " 3\n"),
    ];
    for (rest, expected) in [(0, ("a", "1")), (2, ("b", "2")), (4, ("c", "3")), (5, ("", "3"))] {
        assert_eq!(of(&gather(&all[rest..], None)), basic(expected.0, expected.1));
    }
    let empty = [("APPTAINER_DOCKER_USERNAME", ""), ("APPTAINER_DOCKER_PASSWORD", " ")];
    assert_eq!(of(&gather(&empty, None)), RegistryAuth::Anonymous);
}

#[test]
fn the_environment_takes_precedence_over_files() {
    let (home, text) = home();
    let found = gather(&[("HOME", &text)], None);
    assert_eq!(of(&found), basic("f", "g"));
    let docker_io = found.of(&Reference::parse(b"o/i:1").unwrap());
    assert_eq!(docker_io, RegistryAuth::Anonymous);
    let both = [("HOME", text.as_str()), ("DOCKER_USERNAME", "a"), ("DOCKER_PASSWORD", "1")];
    assert_eq!(of(&gather(&both, None)), basic("a", "1"));
    let path = home.path().join(".docker/config.json");
    assert_eq!(of(&gather(&[], Some(&path))), basic("f", "g"));
    assert_eq!(of(&gather(&both[1..], Some(&path))), basic("a", "1"));
    assert!(Credentials::gather(&|_| None, Some(Path::new("/no/such"))).is_err());
}

#[test]
fn the_runtime_gets_the_same_credentials() {
    let (home, text) = home();
    let nothing: (Vec<String>, Vec<String>) = Default::default();
    assert_eq!(handed(&gather(&[], None)), nothing);
    assert_eq!(handed(&gather(&[("HOME", &text)], None)), nothing, "it finds that itself");
    let path = home.path().join(".docker/config.json");
    let (variables, arguments) = handed(&gather(&[], Some(&path)));
    assert!(variables.is_empty());
    assert_eq!(arguments, ["--authfile", path.to_str().unwrap()]);
    let login = gather(&[("DOCKER_USERNAME", "a"), ("SINGULARITY_DOCKER_PASSWORD", "1")], None);
    let (variables, arguments) = handed(&login);
    assert!(arguments.is_empty(), "no password on a command line");
    let expected = [
        "APPTAINER_DOCKER_PASSWORD=1",
        "APPTAINER_DOCKER_USERNAME=a",
        "DOCKER_PASSWORD=-",
        "DOCKER_USERNAME=-",
        "SINGULARITY_DOCKER_PASSWORD=1",
        "SINGULARITY_DOCKER_USERNAME=a",
    ];
    assert_eq!(variables, expected);
}

#[test]
fn debug_output_contains_no_secret() {
    let (_home, text) = home();
    let login = gather(&[("DOCKER_USERNAME", "a"), ("DOCKER_PASSWORD", "secret")], None);
    let printed = format!("{login:?}");
    assert!(printed.contains("\"a\"") && !printed.contains("secret"), "{printed}");
    let file = gather(&[("HOME", &text)], None);
    assert!(matches!(file.0, Source::File { explicit: false, .. }));
    let printed = format!("{file:?}");
    assert!(printed.contains(".docker") && !printed.contains("Zjpn"), "{printed}");
    let bytes = format!("{:?}", b"Zjpn");
    assert!(!printed.contains(bytes.trim_matches(['[', ']'])), "{printed}");
}
