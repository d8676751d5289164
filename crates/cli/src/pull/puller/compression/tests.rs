use super::{Choice, Place, State, of};
use crate::cache::store::Store;
use crate::cache::store::tests::store;
use crate::pull::native::trial::conditions::Conditions;
use crate::pull::native::trial::conditions::tests::Installed;
use crate::pull::runtime::Runtime;
use crate::ui::progress::Progress;
use sifcache_core::settings::Settings;
use sifcache_squashfs::compression::Compression;
use std::path::Path;

#[test]
fn each_value_of_the_setting_is_a_compression() {
    let levels = |name: &str, highest: u32| {
        let levels = (1..=highest).map(|level| format!("{name}:{level}"));
        levels.chain([name.to_owned()]).collect::<Vec<_>>()
    };
    for value in [levels("gzip", 9), levels("zstd", 19)].concat() {
        let line = ["image_root=/sif".to_owned(), format!("compression={value}")];
        let settings = Settings::parse(&line).unwrap();
        assert_eq!(value.parse(), Ok(of(&settings)), "{value}");
    }
    assert_eq!(of(&Settings::with_roots(Vec::new())), Compression::GZIP);
}

/// A choice of zstd with a program in place of the runtime: whether it needs a trial, and its
/// result.
fn choose(program: &str, store: &Store, conditions: Option<&Conditions>) -> (bool, Compression) {
    let settings = Settings::with_roots(Vec::new());
    let runtime = Runtime::find(&settings, Some(Path::new(program))).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (zstd, place) = (Compression::ZSTD, Place::new(store));
    let begun = Choice::begin(zstd, &runtime, directory.path(), place, conditions.cloned());
    let choice = begun.unwrap();
    let is_trial = matches!(*choice.lock(), State::Trial(_));
    let proven = choice.proven(&Progress::new(true)).unwrap();
    assert_eq!(choice.proven(&Progress::new(true)).unwrap(), proven, "it is remembered here");
    (is_trial, proven)
}

#[test]
fn a_trial_that_succeeded_is_remembered() {
    let (_directory, store) = store();
    let one = Installed::new().conditions();
    let other = Installed::new().conditions();
    assert_eq!(choose("/bin/true", &store, one.as_ref()), (true, Compression::ZSTD));
    assert_eq!(choose("/bin/false", &store, one.as_ref()), (false, Compression::ZSTD));
    assert_eq!(choose("/bin/false", &store, other.as_ref()), (true, Compression::GZIP));
}

#[test]
fn a_trial_that_failed_is_repeated() {
    let (_directory, store) = store();
    let conditions = Installed::new().conditions();
    for _ in 0..2 {
        let failed = choose("/bin/false", &store, conditions.as_ref());
        assert_eq!(failed, (true, Compression::GZIP));
    }
    assert_eq!(choose("/bin/true", &store, conditions.as_ref()), (true, Compression::ZSTD));
}

#[test]
fn a_trial_under_uncertain_conditions_is_repeated() {
    let (_directory, store) = store();
    for _ in 0..2 {
        assert_eq!(choose("/bin/true", &store, None), (true, Compression::ZSTD));
    }
    let trials = store.state().join("trials");
    assert!(!trials.exists(), "nothing is recorded");
}
