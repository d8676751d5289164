//! What users and admins call on a node, while an image root does not answer.

use super::mounted::{Mounted, ROOT};
use crate::kit::{IMAGE, Output, SHARED, Site};

/// The commands end, and show what the other image root has.
#[test]
#[ignore = "needs a testbed: make test"]
fn list_and_completion_do_not_wait() {
    let site = Site::with_line(&format!(
        "optional spank_sifcache.so image_root={ROOT}:{SHARED} lookup_timeout=1\n"
    ));
    site.store(IMAGE, "o/i:7");
    let on_n1 = |words: &[&str]| -> Output {
        let limit = ["timeout", "--kill-after=1", "60", "sifcache"];
        site.exec(&["--on", "n1", "--user", "alice"], &[&limit, words].concat(), "")
    };
    // A request that the server has read leaves a process that no signal ends. `readdir` is answered
    // by a server that then hangs at the first file.
    for fault in ["all hang", "lookup hang", "getattr hang"] {
        let mounted = Mounted::faulty(&site);
        mounted.fault(fault);
        let list = on_n1(&["list", "I:7"]);
        assert_eq!(list.status, 74, "{fault}: {list:#?}");
        assert!(list.stdout.contains("\no/i:7 "), "{fault}: {list:#?}");
        let message = format!("image root {ROOT}: no answer within 1 s\n");
        assert!(list.stderr.contains(&message), "{fault}: {list:#?}");
        let names = on_n1(&["complete-references", "--", "remove", "o/i"]);
        let result = (names.status, names.stdout.as_str(), names.stderr.as_str());
        assert_eq!(result, (0, "o/i:7\n", ""), "{fault}");
        mounted.dies();
    }
}

/// A change of one root compares directories with the others, looks its image up as a job would, and
/// updates views.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_change_does_not_wait_for_another_root() {
    let site = Site::with_line(&format!(
        "optional spank_sifcache.so image_root={ROOT}:{SHARED} lookup_timeout=1\n"
    ));
    site.store(IMAGE, "o/i:7");
    let mounted = Mounted::faulty(&site);
    mounted.fault("all hang");
    let file = format!("{SHARED}/o/i:7");
    let import = ["timeout", "--kill-after=1", "60", "sifcache", "import", &file, "o/i:8"];
    let import = site.exec(&["--on", "n1"], &import, "");
    assert_eq!(import.status, 1, "{import:#?}");
    let message = format!("image root {ROOT} does not answer: its views are not updated\n");
    assert!(import.stderr.contains(&message), "{import:#?}");
    let added = format!("{SHARED}/o/i:8");
    assert_eq!(site.exec(&["--on", "ctl"], &["test", "-s", &added], "").status, 0);
    mounted.dies();
}
