//! Images that the command converts itself: their texts are those of the runtime's own pull, and
//! their compression is proven before it is used.

use crate::kit::registry::digest;
use crate::kit::{SHARED, Site, program, with_hub};
use std::fs;

const IMAGE: &str = "library/busybox:latest";

/// A runtime that cannot start an image with zstd, whose test image has this name.
const WITHOUT_ZSTD: &str = "#!/bin/sh
case \"$*\" in
    *trial-6.sif*) echo 'FATAL:   zstd is not supported' >&2; exit 255 ;;
    *) exec /usr/bin/apptainer \"$@\" ;;
esac
";

/// Removes the time of the build.
fn without_date(text: &str) -> String {
    match text.split_once("build-date\"") {
        Some((before, after)) => {
            let value = after.splitn(3, '"').last().unwrap();
            format!("{before}{value}")
        }
        None => text.to_owned(),
    }
}

/// The texts in a SIF file, of its objects and of its root file system, without times.
fn texts(site: &Site, file: &str) -> Vec<String> {
    let dump = |id: &str| site.alice(&["apptainer", "sif", "dump", id, file]);
    let mut outputs: Vec<_> = ["1", "2", "3"].map(dump).into();
    let script = "cd /.singularity.d && cat Singularity labels.json runscript env/*.sh && \
                  find . /singularity /environment /.run /.exec /.test /.shell /etc/hosts /root \
                      -exec stat -c '%N %A %u:%g %s' {} +";
    outputs.push(site.alice(&["apptainer", "exec", file, "sh", "-c", script]));
    let texts = outputs.iter().inspect(|output| assert_eq!(output.status, 0, "{output:#?}"));
    texts.map(|output| without_date(&output.stdout)).collect()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn texts_are_those_of_the_runtimes_pull() {
    let site = Site::new("");
    let pinned = format!("docker.io/library/busybox@{}", with_hub(|| digest(IMAGE)));
    for user in ["root", "alice"] {
        let directory = format!("/home/template-{user}");
        // An image root of an ordinary user.
        let line = format!("image_root={directory} untrusted=accept");
        site.plugstack(&format!("optional spank_sifcache.so {line}\n"));
        let script = format!(
            "set -e; rm -rf {directory}; mkdir -m 755 {directory}; chown {user} {directory}; \
             runuser -u {user} -- sifcache add --engine native busybox; \
             APPTAINER_DISABLE_CACHE=1 runuser -u {user} -- \
                 apptainer pull {directory}/pulled.sif docker://{pinned}"
        );
        let output = with_hub(|| site.exec(&[], &["bash", "-c", &script], ""));
        assert_eq!(output.status, 0, "{output:#?}");
        let native = texts(&site, &format!("{directory}/busybox:latest"));
        let pulled = texts(&site, &format!("{directory}/pulled.sif"));
        assert_eq!(native, pulled, "{user}");
        assert!(native[0].contains(&format!("from: {pinned}\n")), "{native:#?}");
        fs::remove_dir_all(site.at("ctl", &directory)).unwrap();
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn zstd_is_used_only_if_it_starts() {
    let site = Site::new("compression=zstd");
    // Any file that is not a shim; the name is that of a runtime.
    let runtime = "/home/without-zstd/apptainer";
    fs::create_dir_all(site.at("ctl", runtime).parent().unwrap()).unwrap();
    program(&site.at("ctl", runtime), WITHOUT_ZSTD);
    let add = |more: &[&str]| {
        let words = [&["sifcache", "add", "--engine", "native", "--force", "busybox"], more];
        let output = with_hub(|| site.exec(&[], &words.concat(), ""));
        assert_eq!(output.status, 0, "{output:#?}");
        output.stderr
    };
    // The compression is in the superblock of the squashfs: 1 is gzip, 6 is zstd.
    let compression = || {
        let image = fs::read(site.at("ctl", SHARED).join("busybox:latest")).unwrap();
        let squashfs = image.chunks(4096).find(|block| block.starts_with(b"hsqs")).unwrap();
        squashfs[20]
    };
    let stderr = add(&[]);
    assert!(!stderr.contains("compression"), "{stderr}");
    assert_eq!(compression(), 6);
    let started = site.launch(&[], "docker://busybox");
    started.ran(IMAGE);
    let stderr = add(&["--runtime", runtime]);
    let message = "compression zstd:3 is not used, but gzip: the runtime does not start such an \
                   image here: zstd is not supported";
    assert!(stderr.contains(message), "{stderr}");
    assert_eq!(compression(), 1);
    fs::remove_dir_all(site.at("ctl", "/home/without-zstd")).unwrap();
}
