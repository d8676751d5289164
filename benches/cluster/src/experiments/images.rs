//! Start of images of several sizes, pulled and from the cache.

use super::Effort;
use crate::experiment::{Experiment, Timed, Variant};
use crate::site::{LINE, NONE, image};

/// Sizes of images in MB.
pub(crate) const SIZES: [u32; 4] = [10, 100, 300, 1000];

/// Measures the first start of a user, a later one, and one from the site's cache. The registry
/// runs on this machine during all of them, so no network slows down the pulls.
pub(crate) fn start(effort: Effort, megabytes: u32) -> Experiment {
    let launch = format!("srun -w n1 apptainer --silent exec docker://{} true", image(megabytes));
    let timed = Timed::new(&launch).by_alice();
    let forget = "rm -rf /home/alice/.apptainer";
    // The previous variant may have removed the image from the user's cache.
    let fetch = format!("echo '{NONE}' >/etc/slurm/plugstack.conf; su alice -c '{launch}'");
    let rounds = if megabytes < 300 { 5 } else { 3 };
    Experiment {
        name: format!("an image of {megabytes} MB"),
        compared: true,
        warm_up: 0,
        rounds: effort.rounds(rounds),
        variants: vec![
            Variant::new("first start of a user, pulled from the registry", timed.clone())
                .plugstack(NONE)
                .after(forget),
            Variant::new("later start, from the user's own cache", timed.clone())
                .plugstack(NONE)
                .after(&fetch),
            Variant::new("any start, with sifcache", timed).plugstack(LINE).after(forget),
        ],
    }
}
