//! Many users start the same image at once, each for the first time.

use super::Effort;
use crate::experiment::{Experiment, Timed, Variant};
use crate::site::{FIRST_USER, LINE, NONE, image};

/// The size of the image, in MB.
pub(crate) const IMAGE: u32 = 40;
/// The numbers of users.
pub(crate) const COUNTS: [u32; 3] = [2, 10, 100];

/// Measures the time until the last launch has ended. The gauge is the size of the users' homes
/// afterwards, in MB.
pub(crate) fn start(effort: Effort, count: u32) -> Experiment {
    let launch = format!("srun --quiet apptainer --silent exec docker://{} true", image(IMAGE));
    let one = |number: u32| Timed::new(&launch).by(&format!("u{number}"), FIRST_USER + number - 1);
    let variant = |name: &str, plugstack: &str| Variant {
        name: name.to_owned(),
        plugstack: Some(plugstack.to_owned()),
        before: Some("rm -rf /home/u*/.apptainer".to_owned()),
        commands: (1..=count).map(one).collect(),
        gauge: Some("du -sm --total /home/u* | tail -n 1 | cut -f 1".to_owned()),
    };
    Experiment {
        name: format!("{count} users at once"),
        compared: true,
        warm_up: 0,
        rounds: effort.rounds(if count < 100 { 3 } else { 2 }),
        variants: vec![variant("no plugin, each user pulls", NONE), variant("sifcache", LINE)],
    }
}
