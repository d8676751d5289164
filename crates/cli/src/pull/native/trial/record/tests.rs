use super::{Conditions, Place};
use crate::cache::store::Store;
use crate::cache::store::tests::store;
use crate::pull::native::trial::conditions::tests::Installed;
use rustix::process::geteuid;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use tempfile::TempDir;

/// An image root with the record of the conditions.
fn recorded() -> (TempDir, Store, Conditions) {
    let (directory, store) = store();
    let conditions = Installed::new().conditions().unwrap();
    assert!(!Place::new(&store).has(&conditions), "there is no record");
    Place::new(&store).remember(&conditions).unwrap();
    assert!(Place::new(&store).has(&conditions));
    (directory, store, conditions)
}

/// A key of an object, and another value for it.
fn changed(conditions: &Conditions, key: &str, value: Value) -> Conditions {
    let mut object = serde_json::to_value(conditions).unwrap();
    let old = object.get_mut(key).unwrap_or_else(|| panic!("{key}"));
    assert_ne!(*old, value);
    *old = value;
    serde_json::from_value(object).unwrap()
}

#[test]
fn only_equal_conditions_count() {
    let (_directory, store, conditions) = recorded();
    let object = serde_json::to_value(&conditions).unwrap();
    let mut keys = 0;
    for (key, value) in object.as_object().unwrap() {
        let other = match value {
            Value::String(text) => Value::from(format!("{text}.")),
            Value::Number(number) => Value::from(number.as_u64().unwrap() + 1),
            Value::Null => serde_json::json!([1, 1]),
            Value::Array(list) if key == "fuse" => serde_json::json!([7, list[1]]),
            Value::Array(list) if key == "files" => Value::from(list[1..].to_vec()),
            Value::Array(list) if key == "kernel" => serde_json::json!(["7.0", list[1], list[2]]),
            Value::Array(list) => Value::from(list[1..].to_vec()),
            other => panic!("{other}"),
        };
        assert!(!Place::new(&store).has(&changed(&conditions, key, other)), "{key}");
        keys += 1;
    }
    assert_eq!(keys, 11);
    let (runtime, next) = ("runtime", "/other/apptainer");
    let other = changed(&conditions, runtime, next.into());
    Place::new(&store).remember(&other).unwrap();
    assert!(Place::new(&store).has(&other), "a new record replaces the old one");
    assert!(!Place::new(&store).has(&conditions));
}

#[test]
fn a_malformed_record_does_not_count() {
    let (_directory, store, conditions) = recorded();
    let path = Place::new(&store).path();
    let good = fs::read(&path).unwrap();
    let cut = good.get(..good.len() - 1).unwrap().to_vec();
    let long = [good.clone(), vec![b' '; 300 << 10]].concat();
    for bytes in [&b""[..], b"{", b"[]", b"{}", b"\xff", &cut, &long] {
        fs::write(&path, bytes).unwrap();
        assert!(!Place::new(&store).has(&conditions), "{}", bytes.len());
    }
    fs::write(&path, &good).unwrap();
    assert!(Place::new(&store).has(&conditions));
    let elsewhere = path.with_extension("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(!Place::new(&store).has(&conditions), "a link");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(!Place::new(&store).has(&conditions), "a directory");
}

#[test]
fn a_record_that_others_could_have_written_does_not_count() {
    let (_directory, store, conditions) = recorded();
    let path = Place::new(&store).path();
    let directory = path.parent().unwrap();
    let has = || Place::new(&store).has(&conditions);
    for (place, wrong, right) in [(path.as_path(), 0o664, 0o644), (directory, 0o777, 0o755)] {
        fs::set_permissions(place, Permissions::from_mode(wrong)).unwrap();
        assert!(!has(), "{}", place.display());
        fs::set_permissions(place, Permissions::from_mode(right)).unwrap();
        assert!(has());
    }
    if geteuid().is_root() {
        chown(&path, Some(1001), None).unwrap();
        assert!(!has(), "a file of another user");
    }
}
