//! The symbols that the built library exports and imports, and the libraries that it needs.

use crate::kit::built;
use std::process::Command;

fn symbols(which: &str) -> Vec<String> {
    let library = built("libspank_sifcache.so");
    let output = Command::new("nm").args(["-D", which]).arg(library).output().expect("nm");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let name = |line: &str| line.split_whitespace().last().map(str::to_owned);
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.sort();
    names
}

#[test]
#[ignore = "needs the built library: make test"]
fn only_symbols_that_slurm_looks_up() {
    let expected = [
        "plugin_name",
        "plugin_type",
        "plugin_version",
        "slurm_spank_init",
        "slurm_spank_task_init",
    ];
    assert_eq!(symbols("--defined-only"), expected);
}

/// These symbols exist in every release from 20.11 on. If a symbol were missing, the library could
/// not be loaded.
#[test]
#[ignore = "needs the built library: make test"]
fn imports_of_slurm() {
    let mut imported = symbols("--undefined-only");
    imported.retain(|name| name.starts_with("slurm") || name.starts_with("spank"));
    let expected = [
        "slurm_debug",
        "slurm_debug2",
        "slurm_error",
        "slurm_get_log_level",
        "slurm_info",
        "slurm_verbose",
        "spank_context",
        "spank_get_item",
        "spank_option_getopt",
        "spank_option_register",
        "spank_setenv",
        "spank_unsetenv",
    ];
    assert_eq!(imported, expected);
}

/// The loader binds each imported function when srun or slurmstepd loads the library. `src/spank`
/// makes these system calls itself; types of the standard library such as `UnixStream` would import
/// the functions.
#[test]
#[ignore = "needs the built library: make test"]
fn system_calls_are_not_imported() {
    let imported = symbols("--undefined-only");
    let is_imported =
        |call: &&str| imported.iter().any(|name| name.split('@').next() == Some(call));
    let calls = "accept4 bind connect listen mprotect openat prctl recv sendto setsockopt socket";
    let strange: Vec<&str> = calls.split(' ').filter(is_imported).collect();
    assert_eq!(strange, Vec::<&str>::new());
    assert!(is_imported(&"getrlimit"));
}

/// srun and slurmstepd already load these libraries. Any other library would be loaded only for the
/// plugin.
#[test]
#[ignore = "needs the built library: make test"]
fn no_library_but_the_c_library() {
    let library = built("libspank_sifcache.so");
    let output = Command::new("objdump").arg("-p").arg(library).output().expect("objdump");
    let text = String::from_utf8(output.stdout).unwrap();
    let needed: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("NEEDED")).map(str::trim).collect();
    assert!(!needed.is_empty());
    let known = |name: &&str| name.starts_with("libc.so") || name.starts_with("ld-linux");
    assert!(needed.iter().all(known), "{needed:?}");
}

/// slurm-spank's default logging would bring in these dependencies.
#[test]
#[ignore = "needs the built library: make test"]
fn no_regex_engine() {
    let library = std::fs::read(built("libspank_sifcache.so")).unwrap();
    let has = |text: &[u8]| library.windows(text.len()).any(|window| window == text);
    for stranger in ["regex", "tracing_subscriber", "EnvFilter", "RUST_LOG"] {
        assert!(!has(stranger.as_bytes()), "{stranger}");
    }
    assert!(has(b"image_root"), "the search finds text that is in the library");
}
