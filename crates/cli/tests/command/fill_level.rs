//! `gc --fill-level` on a real file system of a known size.

use serde_json::Value;
use sif_fixture::Sif;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The size of each image in bytes, without its header.
const IMAGE: usize = 1 << 20;

/// Adds five images of about 1 MiB. The image called `i:0` is the oldest.
fn fill(root: &Path) {
    for number in 0..5 {
        let path = root.join(format!("o/i:{number}"));
        Sif::image().id(number).write(&path).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&vec![1; IMAGE]).unwrap();
        let age = Duration::from_secs(86_400 * (9 - u64::from(number)));
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(SystemTime::now() - age)
            .unwrap();
    }
}

/// Runs the script in a mount namespace with a file system of 8 MiB on `site/root`, and returns the
/// lines of its output. `None` if this process may not mount one.
fn on_small_file_system(site: &Path, script: &str) -> Option<Vec<String>> {
    fs::create_dir(site.join("root")).unwrap();
    fs::create_dir(site.join("images")).unwrap();
    fill(&site.join("images"));
    let mount = "mount -t tmpfs -o size=8m,mode=755 tmpfs root || exit 99; cp -a images/. root; ";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", &format!("{mount}{script}")]).current_dir(site);
    command.env("sifcache", env!("CARGO_BIN_EXE_sifcache")).stdin(Stdio::null());
    let output = command.output().unwrap();
    if !is_root() && !output.status.success() {
        return None;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The names of the images that a line of JSON says are removed.
fn removed(line: &str) -> Vec<String> {
    let object: Value = serde_json::from_str(line).unwrap();
    let images = object["removed"].as_array().unwrap();
    images.iter().map(|image| image["reference"].as_str().unwrap().to_owned()).collect()
}

const GC: &str = "$sifcache gc --root root --yes --json";

#[test]
fn the_oldest_images_are_removed_down_to_the_low_mark() {
    let site = TempDir::new().unwrap();
    let script = format!(
        "{GC} --fill-level 90%:10%; {GC} --fill-level 50%:40% --keep 0d;
         {GC} --fill-level 50%:40% --keep 0d; ls root/o"
    );
    let Some(lines) = on_small_file_system(site.path(), &script) else {
        eprintln!("skipped: needs root, to mount a file system");
        return;
    };
    let [below, above, again, rest @ ..] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(removed(below).is_empty(), "{below}");
    assert_eq!(removed(above), ["o/i:0", "o/i:1"]);
    assert!(removed(again).is_empty(), "{again}");
    assert_eq!(rest, ["i:2", "i:3", "i:4"]);
}

/// The file system is as full as before, until the files are deleted.
#[test]
fn files_that_are_still_kept_count_as_free() {
    let site = TempDir::new().unwrap();
    let script = format!("{GC} --fill-level 50%:40%; {GC} --fill-level 50%:40%");
    let Some(lines) = on_small_file_system(site.path(), &script) else {
        eprintln!("skipped: needs root, to mount a file system");
        return;
    };
    let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(removed(first), ["o/i:0", "o/i:1"]);
    assert!(removed(second).is_empty(), "{second}");
}

#[test]
fn the_marks_are_checked() {
    for (marks, message) in [
        ("80%:90%", "LOW is not below HIGH; write it as 90%:80%"),
        ("90:80", "\"90\" is not a valid percentage; write it as 1% to 100%"),
        ("90%", "write it as HIGH:LOW, such as 90%:80%"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(["gc", "--root", "/", "--dry-run", "--fill-level", marks]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(message), "{output:?}");
    }
}
