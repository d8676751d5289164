//! What a job asks of the cache: `--sif-cache=` or `SIF_CACHE=`.

use sifcache_core::choice::Choice;

/// The wish of a job.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What it asks for.
    pub choice: Choice,
    /// Whether it came from the option.
    pub by_option: bool,
    /// A value in the environment that says nothing we know.
    pub ignored: Option<Vec<u8>>,
}

impl Wish {
    /// The wish of a job with these values of the option and of the variable: the option
    /// beats the environment.
    #[must_use]
    pub fn new(option: Option<&[u8]>, variable: Option<Vec<u8>>) -> Self {
        if let Some(choice) = option.and_then(Choice::parse) {
            return Self { choice, by_option: true, ignored: None };
        }
        match variable.as_deref().map(Choice::parse) {
            Some(Some(choice)) => Self { choice, ..Self::default() },
            Some(None) => Self { ignored: variable, ..Self::default() },
            None => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Wish;
    use sifcache_core::choice::Choice;

    #[test]
    fn the_option_beats_the_environment() {
        let choice = |option: Option<&str>, variable: Option<&str>| {
            let variable = variable.map(|value| value.as_bytes().to_vec());
            let wish = Wish::new(option.map(str::as_bytes), variable);
            (wish.choice, wish.by_option, wish.ignored.is_some())
        };
        assert_eq!(choice(None, None), (Choice::Auto, false, false));
        assert_eq!(choice(None, Some("off")), (Choice::Off, false, false));
        assert_eq!(choice(None, Some("wrong")), (Choice::Auto, false, true));
        assert_eq!(choice(Some("require"), Some("off")), (Choice::Require, true, false));
        assert_eq!(choice(Some("auto"), Some("require")), (Choice::Auto, true, false));
        assert_eq!(choice(Some("wrong"), Some("require")), (Choice::Require, false, false));
    }
}
