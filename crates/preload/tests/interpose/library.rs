//! What the library brings into every program of a job.

use crate::kit::kit;
use std::process::Command;

fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).arg(&kit().library).output().unwrap();
    assert!(output.status.success(), "{name}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names of its symbols, without versions, of which `nm` with this flag tells.
fn symbols(which: &str) -> Vec<String> {
    let text = tool("nm", &["-D", "--format=posix", "--without-symbol-versions", which]);
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn exports_what_it_replaces_and_nothing_else() {
    let functions = [
        "execl",
        "execle",
        "execlp",
        "execv",
        "execve",
        "execveat",
        "execvp",
        "execvpe",
        "fexecve",
        "posix_spawn",
        "posix_spawnp",
    ];
    assert_eq!(symbols("--defined-only"), functions);
}

/// No allocation, no lock, no output. dlsym is for the constructor: `caller`, with which
/// all other tests work, does not let anybody call it later.
#[test]
fn imports_nothing_that_is_forbidden_after_vfork() {
    let allowed = [
        // What the compiler makes of slices and strings.
        "bcmp",
        "memcmp",
        "memcpy",
        "memmove",
        "memset",
        "strlen",
        // System calls, and what reads the process's own memory.
        "__environ",
        "__errno_location",
        "environ",
        "faccessat",
        "fstatat",
        "getenv",
        "readlink",
        "stat",
        "syscall",
        // For the constructor.
        "dlsym",
        // What the C compiler links into any library.
        "_ITM_deregisterTMCloneTable",
        "_ITM_registerTMCloneTable",
        "__cxa_finalize",
        "__gmon_start__",
    ];
    for name in symbols("--undefined-only") {
        assert!(allowed.contains(&name.as_str()), "{name} is imported");
    }
}

#[test]
fn loads_no_library_that_a_program_has_not() {
    let text = tool("readelf", &["--dynamic", "--wide"]);
    let needed = text.lines().filter(|line| line.contains("(NEEDED)"));
    for line in needed {
        let known = line.contains("[libc.so.6]") || line.contains("[ld-linux");
        assert!(known, "{line}");
    }
    // Symbols are resolved when it is loaded, not after a vfork.
    assert!(text.contains("NOW"), "{text}");
    let size = std::fs::metadata(&kit().library).unwrap().len();
    assert!(size < 64 << 10, "{size} bytes");
}
