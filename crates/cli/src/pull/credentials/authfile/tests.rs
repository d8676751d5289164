use super::{AuthFile, keys, places};
use sifcache_core::reference::Reference;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn reference(text: &str) -> Reference {
    Reference::parse(text.as_bytes()).unwrap()
}

#[test]
fn the_most_specific_key_comes_first() {
    let quay = ["quay.io/team/sub/i", "quay.io/team/sub", "quay.io/team", "quay.io"];
    assert_eq!(keys(&reference("quay.io/team/sub/i:1")), quay);
    let hub = [
        "index.docker.io/library/a",
        "docker.io/library/a",
        "index.docker.io/library",
        "docker.io/library",
        "https://index.docker.io/v1/",
        "index.docker.io",
        "docker.io",
    ];
    assert_eq!(keys(&reference("a")), hub);
}

#[test]
fn credentials_by_key() {
    let directory = TempDir::new().unwrap();
    let of = |json: &str, image: &str| {
        let path = directory.path().join("auth.json");
        fs::write(&path, json).unwrap();
        let login = AuthFile::read(&path).unwrap().of(&reference(image));
        login.map(|login| format!("{}:{}", login.username, login.password))
    };
    let ab = r#"{"auth": "YTpi"}"#; // a:b
    let cd = r#"{"username": "c", "password": "d"}"#;
    let table = [
        (format!(r#"{{"auths": {{"quay.io": {ab}}}}}"#), "quay.io/o/i", Some("a:b")),
        (format!(r#"{{"auths": {{"quay.io": {ab}}}}}"#), "quay.com/o/i", None),
        (format!(r#"{{"auths": {{"quay.io": {ab}}}}}"#), "quay.io:443/o/i", None),
        (format!(r#"{{"auths": {{"https://quay.io": {ab}}}}}"#), "quay.io/o/i", Some("a:b")),
        (format!(r#"{{"auths": {{"h:5": {ab}, "h:6": {cd}}}}}"#), "h:6/i", Some("c:d")),
        (format!(r#"{{"auths": {{"q.io": {ab}, "q.io/o": {cd}}}}}"#), "q.io/o/i", Some("c:d")),
        (format!(r#"{{"auths": {{"q.io": {ab}, "q.io/o": {cd}}}}}"#), "q.io/p/i", Some("a:b")),
        (format!(r#"{{"auths": {{"q.io/o": {cd}}}}}"#), "q.io/p/i", None),
        (format!(r#"{{"auths": {{"https://index.docker.io/v1/": {ab}}}}}"#), "i", Some("a:b")),
        (format!(r#"{{"auths": {{"docker.io": {ab}}}}}"#), "o/i", Some("a:b")),
        (format!(r#"{{"auths": {{"docker.io/o": {ab}}}}}"#), "o/i", Some("a:b")),
        (r#"{"auths": {"quay.io": {"auth": "?"}}}"#.into(), "quay.io/o/i", None),
        (r#"{"auths": {"quay.io": {"identitytoken": "t"}}}"#.into(), "quay.io/o/i", None),
        ("{}".into(), "quay.io/o/i", None),
        ("[]".into(), "quay.io/o/i", None),
    ];
    for (json, image, expected) in table {
        assert_eq!(of(&json, image).as_deref(), expected, "{image} {json}");
    }
}

#[test]
fn an_explicit_file_must_be_valid() {
    let error = AuthFile::read(Path::new("/no/such")).unwrap_err().to_string();
    assert!(error.starts_with("--authfile: cannot read /no/such: "), "{error}");
    let error = AuthFile::read(Path::new("/proc/self/status")).unwrap_err().to_string();
    assert!(error.contains("/proc/self/status is not JSON: "), "{error}");
}

#[test]
fn places_in_the_runtimes_order() {
    let places = |environment: &[(&str, &str)]| {
        let get = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let places = places(&get);
        places.iter().map(|path| path.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(places(&[("APPTAINER_AUTH_FILE", "/f"), ("HOME", "/h")]), ["/f"]);
    assert_eq!(places(&[("SINGULARITY_AUTHFILE", "/f")]), ["/f"]);
    let home = [
        "/h/.apptainer/docker-config.json",
        "/h/.singularity/docker-config.json",
        "/h/.docker/config.json",
    ];
    assert_eq!(places(&[("HOME", "/h"), ("APPTAINER_AUTH_FILE", "")]), home);
    let with_directory = places(&[("HOME", "/h"), ("SINGULARITY_CONFIGDIR", "/c")]);
    assert_eq!(with_directory[0], "/c/docker-config.json");
    assert_eq!(places(&[]), [] as [&str; 0]);
}

#[test]
fn the_first_existing_file_is_used() {
    let home = TempDir::new().unwrap();
    let get = |name: &str| (name == "HOME").then(|| home.path().into());
    assert!(AuthFile::search(&get).is_none());
    for place in [".docker/config.json", ".apptainer/docker-config.json"] {
        let path = home.path().join(place);
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "{}").unwrap();
        assert_eq!(AuthFile::search(&get).unwrap().path(), path);
    }
}
