//! The content of a SIF: the lookup accepts a file as an image if and only if the real runtime
//! starts it without further options.

use crate::kit::{IMAGE, SHARED, Site, inside, sif, with_hub};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The length in bytes of a descriptor, and the offset of the descriptor table in Apptainer's
/// files.
const DESCRIPTOR: usize = 585;
const TABLE: usize = 4096;

/// Makes files with Apptainer's own commands; $image is an ordinary image. The encrypted file
/// belongs to alice, because an ordinary user can make it with gocryptfs.
const MADE: &str = r#"
partition='--datatype 4 --partarch 2'
new() { apptainer sif new "$1:1" && apptainer sif add $2 "$1:1" "$3"; }
squashfs=/tmp/partitions.squashfs
apptainer sif dump 4 "$image" >$squashfs
head -c4 $squashfs | grep -q hsqs
echo data >/tmp/partitions.data
apptainer sif new nothing:1
new data '--datatype 7' /tmp/partitions.data
new overlay "$partition --parttype 4 --partfs 1" $squashfs
new system-partition "$partition --parttype 1 --partfs 1" $squashfs
new data-partition "$partition --parttype 3 --partfs 1" $squashfs
new raw "$partition --parttype 2 --partfs 4" $squashfs
new archive "$partition --parttype 2 --partfs 3" $squashfs
new root-alone "$partition --parttype 2 --partfs 1" $squashfs
cp "$image" without-definition:1; apptainer sif del 1 without-definition:1
cp "$image" without-root:1; apptainer sif del 4 without-root:1
cp without-root:1 root-again:1
apptainer sif add $partition --parttype 2 --partfs 1 root-again:1 $squashfs
cp "$image" embedded-overlay:1
apptainer sif add $partition --parttype 4 --partfs 1 --groupid 1 embedded-overlay:1 $squashfs
cp "$image" signed:1; openssl genrsa -out /tmp/partitions.pem 2048 2>/dev/null
apptainer sign --key /tmp/partitions.pem signed:1
su alice -c "APPTAINER_ENCRYPTION_PASSPHRASE=x apptainer -q build --encrypt /tmp/encrypted.sif $image"
cp /tmp/encrypted.sif encrypted:1
rm -f /tmp/partitions.* /tmp/encrypted.sif
chmod 644 ./*:1
"#;

/// The expected finding of `verify` for each file, or `image` if the file is a valid image.
const EXPECTED: [(&str, &str); 15] = [
    ("archive", "unknown-file-system"),
    ("data", "no-root-file-system"),
    ("data-partition", "no-root-file-system"),
    ("embedded-overlay", "image"),
    ("encrypted", "encrypted"),
    ("nothing", "no-root-file-system"),
    ("overlay", "no-root-file-system"),
    ("raw", "unknown-file-system"),
    ("root-again", "image"),
    ("root-alone", "image"),
    ("signed", "image"),
    ("system-partition", "no-root-file-system"),
    ("without-definition", "image"),
    ("without-root", "no-root-file-system"),
    ("z-two-roots", "no-root-file-system"),
];

/// The state of each file in the directory `partitions`, by its name without the tag.
fn states(site: &Site) -> BTreeMap<String, String> {
    let output = site.exec(&[], &["sifcache", "verify", "--json", "--all"], "");
    let object: Value = serde_json::from_str(&output.stdout).unwrap();
    let files = object["all"].as_array().unwrap().iter();
    let of = |file: &Value| {
        let name = file["path"].as_str()?.strip_prefix(&format!("{SHARED}/partitions/"))?;
        Some((name.strip_suffix(":1")?.to_owned(), file["state"].as_str()?.to_owned()))
    };
    files.filter_map(of).collect()
}

/// The offset of the descriptor of the root file system in an ordinary image.
fn root_descriptor(image: &[u8]) -> usize {
    let at = |index: usize| TABLE + index * DESCRIPTOR;
    let found = (0..48).map(at).find(|at| image[*at..].starts_with(&[4, 0x40, 0, 0, 1]));
    found.expect("a partition")
}

fn patched(site: &Site, name: &str, change: impl FnOnce(&mut Vec<u8>, usize)) -> PathBuf {
    let mut image = fs::read(sif(IMAGE)).unwrap();
    let at = root_descriptor(&image);
    change(&mut image, at);
    site.write(&format!("partitions/{name}:1"), &image)
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_image_is_what_the_runtime_starts() {
    let site = Site::new("");
    let directory = format!("{SHARED}/partitions");
    let script =
        format!("set -e; mkdir {directory}; cd {directory}; image={}\n{MADE}", inside(IMAGE));
    let output = site.exec(&[], &["sh", "-c", &script], "");
    assert_eq!(output.status, 0, "{output:#?}");
    patched(&site, "z-two-roots", |image, at| {
        image.copy_within(at..at + DESCRIPTOR, TABLE + 10 * DESCRIPTOR);
        // The header counts the free places, in a little-endian number.
        image[80] -= 1;
    });
    let expected = EXPECTED.map(|(name, state)| (name.to_owned(), state.to_owned()));
    assert_eq!(states(&site), BTreeMap::from(expected));
    for (name, state) in EXPECTED {
        let path = format!("{directory}/{name}:1");
        let words = ["apptainer", "exec", &path, "cat", "/etc/image-name"];
        let output = site.exec(&["--user", "alice"], &words, "");
        let runs = output.stdout.trim_end() == IMAGE;
        assert_eq!(runs, state == "image", "{name}: {output:#?}");
    }
    let output = site.launch(&[], "docker://partitions/encrypted:1");
    output.tried_the_registry();
    site.logged("n1", &format!("refused={directory}/encrypted:1 why=encrypted"));
    site.launch(&[], "docker://partitions/signed:1").ran(IMAGE);
}

fn finding(site: &Site, words: &[&str]) -> Vec<(String, String)> {
    let output = site.exec(&[], &[&["sifcache", "verify", "--json"], words].concat(), "");
    let object: Value = serde_json::from_str(&output.stdout).unwrap();
    let findings = object["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    findings.map(|one| (text(one, "finding"), text(one, "message"))).collect()
}

/// A runtime may succeed although its mksquashfs was killed.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_squashfs_that_is_cut_short() {
    let site = Site::new("");
    let program = "/usr/local/bin/mksquashfs";
    let cuts = format!(
        "cat >{program} && chmod 755 {program} && command -v mksquashfs | grep -qx {program}"
    );
    let text = "#!/bin/sh\n/usr/bin/mksquashfs \"$@\" && truncate -s 300000 \"$2\"\n";
    let output = site.exec(&[], &["sh", "-c", &cuts], text);
    assert_eq!(output.status, 0, "{output:#?}");
    let added = with_hub(|| site.exec(&[], &["sifcache", "add", "--engine", "runtime", IMAGE], ""));
    site.exec(&[], &["rm", program], "");
    assert_eq!(added.status, 65, "{added:#?}");
    assert!(added.stderr.contains("its root file system is cut short: 300000 of "), "{added:#?}");
    assert!(!Path::new(&site.at("ctl", SHARED)).join(IMAGE).exists());

    let cut = |image: &mut Vec<u8>, at: usize| {
        image[at + 25..at + 33].copy_from_slice(&300_000_u64.to_le_bytes());
    };
    patched(&site, "cut", cut);
    let path = format!("{SHARED}/partitions/cut:1");
    let words = ["sifcache", "import", &path, "o/imported:1"];
    let imported = site.exec(&[], &words, "");
    assert_eq!(imported.status, 65, "{imported:#?}");
    assert!(imported.stderr.contains("cut short"), "{imported:#?}");
    let found = finding(&site, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "damaged-file-system");
}

/// Each compression that `verify --deep` can read, with 64 overwritten bytes in the data.
#[test]
#[ignore = "needs a testbed: make test"]
fn every_block_is_read() {
    let site = Site::new("");
    with_hub(|| {
        for compression in ["gzip", "xz", "lz4", "zstd"] {
            let arguments = format!("-comp {compression}");
            let file = format!("{SHARED}/{compression}:1");
            let uri = format!("docker://{IMAGE}");
            let words = ["apptainer", "build", "--mksquashfs-args", &arguments, &file, &uri];
            let output = site.exec(&[], &words, "");
            assert_eq!(output.status, 0, "{output:#?}");
        }
    });
    assert_eq!(finding(&site, &["--deep"]), []);
    for compression in ["gzip", "xz", "lz4", "zstd"] {
        let path = site.at("ctl", SHARED).join(format!("{compression}:1"));
        let mut image = fs::read(&path).unwrap();
        let at = root_descriptor(&image);
        let offset = u64::from_le_bytes(image[at + 17..at + 25].try_into().unwrap());
        // In the first data block, after the superblock and the compression options.
        let place = usize::try_from(offset).unwrap() + 110;
        image[place..place + 64].fill(0xff);
        fs::write(&path, image).unwrap();
        let name = format!("{compression}:1");
        assert_eq!(finding(&site, &[&name]), []);
        let found = finding(&site, &["--deep", &name]);
        assert!(found.len() == 1 && found[0].0 == "damaged-file-system", "{name}: {found:?}");
    }
}
