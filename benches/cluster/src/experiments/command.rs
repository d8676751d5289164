//! The command `sifcache` on a large cache.

use super::Effort;
use super::launches::SMALL;
use crate::experiment::{Experiment, Timed, Variant};
use crate::site::sif;
use crate::testbed;
use anyhow::Result;

/// The directory of the images.
const MANY: &str = "/srv/many";

/// The bytes at the start of a SIF file with everything that `list` and `verify` read: the header, the
/// table of descriptors, and the superblock of the root file system.
const HEAD: usize = 65_536;

/// Makes 10,000 images. Each has the head and the size of a real image, and a hole instead of the data.
pub(crate) fn make() -> Result<()> {
    let script = format!(
        "rm -rf {MANY} {VIEW}; size=$(stat --format %s {sif}); head -c {HEAD} {sif} >/tmp/header
         for group in $(seq 100); do
            mkdir -p {MANY}/group$group/team && cd {MANY}/group$group/team
            for number in $(seq 100); do
                cp /tmp/header image$number:1 && truncate --size $size image$number:1
            done
         done",
        sif = sif(SMALL)
    );
    testbed::on("ctl", &script).map(drop)
}

/// The directory of the view.
const VIEW: &str = "/srv/view";
/// The engines of the view.
const ENGINES: &str = "nextflow,cwltool,miniwdl,snakemake,shpc";

/// Measures `sifcache list` and `sifcache verify`, and `sifcache view` for all engines: a new view,
/// one that is current, and an import that updates one.
pub(crate) fn large_cache(effort: Effort) -> Experiment {
    let one = |word: &str, says: &str| {
        let line = format!("sifcache {word} --root {MANY}");
        Variant::new(&format!("sifcache {word}, 10,000 images"), Timed::new(&line).ends(0, says))
    };
    let removed = format!(
        "[ ! -e {VIEW} ] || sifcache view --root {MANY} --remove {VIEW}; \
         [ ! -e {MANY}/added:1 ] || sifcache remove --root {MANY} --yes --keep 0d added:1"
    );
    let created = format!("sifcache view --root {MANY} {VIEW} --for {ENGINES}");
    let current = format!("{removed} && {created}");
    let import = format!("sifcache import --root {MANY} {} added:1", sif(SMALL));
    let views = [
        Variant::new("sifcache view, new, 10,000 images", Timed::new(&created)).after(&removed),
        Variant::new("sifcache view, current, 10,000 images", Timed::new(&created)).after(&current),
        Variant::new("sifcache import, no view", Timed::new(&import)).after(&removed),
        Variant::new("sifcache import, view of 10,000 images", Timed::new(&import)).after(&current),
    ];
    let first = [one("list --json", "group99/team/image99"), one("verify", "0 problems")];
    Experiment {
        name: "the `sifcache` command".to_owned(),
        compared: false,
        warm_up: 1,
        rounds: effort.rounds(10),
        variants: first.into_iter().chain(views).collect(),
    }
}
