//! `lookup_timeout=`: how long a launch waits for an image root.
//!
//! A file server that hangs holds whoever asks it, often beyond every signal. So a scout asks,
//! a process of its own. A root whose scout is not back in time has not answered, and the
//! launch goes on without it.

use crate::fault;
use crate::spank::within;
use sifcache_core::image::State;
use sifcache_core::lookup::{self, Answer, Look};
use sifcache_core::settings::Settings;
use std::path::PathBuf;

/// Asks image roots.
pub(crate) fn ask(settings: &Settings, look: Look<'_>) -> Vec<Answer> {
    let Some(timeout) = settings.lookup_timeout else { return lookup::wait(look) };
    let scout = |tell: &mut dyn FnMut(Answer)| {
        fault::point("scout");
        look(tell);
    };
    let (mut answers, all) = within(timeout, &scout);
    if !all && !answers.iter().any(lookup::has_image) {
        answers.push(Err(State::NoAnswer));
    }
    answers
}

/// Makes a text of what `readable` image roots hold, or else of none.
pub(crate) fn text(
    settings: &Settings,
    readable: &[PathBuf],
    make: &dyn Fn(&[PathBuf]) -> String,
) -> String {
    let Some(timeout) = settings.lookup_timeout else { return make(readable) };
    let scout = |tell: &mut dyn FnMut(String)| tell(make(readable));
    within(timeout, &scout).0.pop().unwrap_or_else(|| make(&[]))
}

#[cfg(test)]
mod tests {
    use super::{ask, text};
    use sifcache_core::image::State::{Absent, Empty, Failed, Image, NoAnswer, NoRoot};
    use sifcache_core::settings::Settings;
    use std::path::PathBuf;
    use std::time::Duration;

    fn settings(timeout: &str) -> Settings {
        Settings::parse(&["image_root=/sif", &format!("lookup_timeout={timeout}")]).unwrap()
    }

    #[test]
    fn the_answer_is_the_same_with_a_scout_and_without() {
        let answers =
            [Ok(vec![Empty, Failed(5)]), Err(NoRoot), Ok(vec![]), Ok(vec![Absent, Image])];
        let look = |tell: &mut dyn FnMut(_)| answers.iter().cloned().for_each(tell);
        let misses = |tell: &mut dyn FnMut(_)| answers[..3].iter().cloned().for_each(tell);
        for timeout in ["off", "600"] {
            assert_eq!(ask(&settings(timeout), &look), answers, "{timeout}");
            assert_eq!(ask(&settings(timeout), &misses), answers[..3], "{timeout}");
        }
    }

    #[test]
    fn a_lookup_ends_at_its_timeout() {
        let settings = settings("1");
        let never = |_: &[PathBuf]| std::thread::sleep(Duration::from_secs(600));
        let look = |tell: &mut dyn FnMut(_)| {
            tell(Ok(vec![Absent]));
            never(&[]);
            tell(Ok(vec![Image]));
        };
        assert_eq!(ask(&settings, &look), [Ok(vec![Absent]), Err(NoAnswer)]);
        let hit = |tell: &mut dyn FnMut(_)| {
            tell(Ok(vec![Image]));
            never(&[]);
        };
        assert_eq!(ask(&settings, &hit), [Ok(vec![Image])]);
        let make = |readable: &[PathBuf]| {
            if !readable.is_empty() {
                never(readable);
            }
            "nobody has looked".to_owned()
        };
        assert_eq!(text(&settings, &[PathBuf::from("/sif")], &make), "nobody has looked");
    }

    #[test]
    fn a_text_of_what_is_there() {
        let make = |readable: &[PathBuf]| format!("{readable:?} of {}", std::process::id());
        let roots = [PathBuf::from("/sif")];
        assert_eq!(text(&settings("off"), &roots, &make), make(&roots));
        let made = text(&settings("600"), &roots, &make);
        assert!(made.starts_with("[\"/sif\"] of ") && made != make(&roots), "{made}");
    }
}
