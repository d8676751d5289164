//! All other state that a program inherits. The shim changes none of it, which `Call::is_bare`
//! checks. In these tests, the caller is in an unusual state.

use crate::call::Call;
use crate::kit::{HIT, IMAGE, MISS, Site};

/// Checks a hit, a miss and a pass, because each takes a different path through the shim.
fn is_inherited(set_up: impl Fn(Call<'_>) -> Call<'_>) {
    let site = Site::new();
    set_up(site.call(&HIT)).is_bare_with_image(IMAGE);
    set_up(site.call(&MISS)).is_bare();
    set_up(site.call(&["apptainer", "version"])).is_bare();
}

#[test]
fn signals() {
    let number = |signal: i32| signal.to_string();
    for signal in [libc::SIGPIPE, libc::SIGINT, libc::SIGCHLD, libc::SIGSEGV, libc::SIGRTMAX()] {
        let signal = number(signal);
        is_inherited(|call| call.set_up("ignore", &signal));
        is_inherited(|call| call.set_up("default", &signal));
        is_inherited(|call| call.set_up("block", &signal));
    }
    let [usr1, pipe] = [libc::SIGUSR1, libc::SIGPIPE].map(number);
    is_inherited(|call| call.set_up("block", &usr1).set_up("raise", &usr1));
    is_inherited(|call| call.set_up("block", &pipe).set_up("raise", &pipe));
}

#[test]
fn closed_descriptors_stay_closed() {
    for closed in ["0", "1", "2", "0 1", "1 2", "0 2", "0 1 2"] {
        is_inherited(|call| {
            closed.split(' ').fold(call, |call, number| call.set_up("close", number))
        });
    }
}

#[test]
fn open_descriptors_stay_open() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
    let [one, two] = [one, two].map(|path| path.to_str().unwrap().to_owned());
    is_inherited(|call| call.set_up("open5", &one).set_up("open77", &two));
    is_inherited(|call| call.set_up("close", "0").set_up("open77", &one));
    is_inherited(|call| call.set_up("broken pipe", "1"));
}

#[test]
fn process_attributes() {
    let directory = tempfile::tempdir().unwrap();
    is_inherited(|call| call.set_up("directory", directory.path().to_str().unwrap()));
    for (word, value) in
        [("umask", "0"), ("umask", "777"), ("nice", "5"), ("alarm", "60"), ("death signal", "10")]
    {
        is_inherited(|call| call.set_up(word, value));
    }
}

/// The runtime has waited for no child, except for the helper process, which has ended by then.
#[test]
fn only_the_helper_process_was_waited_for() {
    let site = Site::new();
    let settings = format!("{} lookup_timeout=off", site.settings());
    let alone = site.call(&HIT).settings(Some(&settings));
    let alone = alone.is_bare_with_image(IMAGE);
    assert_eq!(alone.reported("waited for"), ["0"]);
    // A lookup in a root that is a link always takes a helper process.
    std::os::unix::fs::symlink("roots", site.path("linked")).unwrap();
    let settings = site.settings().replace(&site.text("roots"), &site.text("linked"));
    let with_helper = site.call(&HIT).settings(Some(&settings));
    let with_helper = with_helper.is_bare_with(IMAGE, &site.text("linked/o/i:1"));
    assert_ne!(with_helper.reported("waited for"), ["0"]);
}

/// The limits include one on processes, because the shim starts no process of its own. Root has no
/// such limit, but `is_bare` would detect a child.
#[test]
fn limits() {
    for (limit, soft) in [
        (libc::RLIMIT_NPROC, 1),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_CPU, 7),
        (libc::RLIMIT_STACK, 256 << 10),
        (libc::RLIMIT_DATA, 2 << 20),
        (libc::RLIMIT_AS, 8 << 20),
    ] {
        let limit = format!("{} {soft}", u64::from(limit));
        is_inherited(|call| call.set_up("limit", &limit));
    }
}

/// With no further descriptor, no program starts, because the loader has to open libc.
#[test]
fn one_further_descriptor() {
    let limit = |soft: u32| format!("{} {soft}", u64::from(libc::RLIMIT_NOFILE));
    is_inherited(|call| call.set_up("limit", &limit(4)));
    is_inherited(|call| call.set_up("close", "0").set_up("limit", &limit(3)));
}

#[test]
fn stderr_without_a_reader() {
    let pipe = libc::SIGPIPE.to_string();
    for disposition in ["default", "ignore"] {
        let site = Site::new();
        let call = site.call(&MISS).set_up("broken pipe", "2").set_up(disposition, &pipe);
        let settings = format!("{} on_miss=warn", site.settings());
        call.clone().settings(Some(&settings)).is_bare();
        let settings = format!("{} on_miss=fail", site.settings());
        call.settings(Some(&settings)).run().ended(66, "");
    }
}
