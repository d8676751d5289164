//! The values of the policy file that are written as text: `"50G"`, `"7d"`, `"90%"`.

use crate::ui::format;
use jiff::SignedDuration;
use serde::Deserialize;

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Size(pub(super) u64);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match format::parse_size(&text) {
            Ok(0) => Err(format!("{text:?} is zero; write it as \"300M\", \"5G\" or \"2T\"")),
            Ok(bytes) => Ok(Self(bytes)),
            Err(error) => Err(format!("{text:?} is not a valid size: {error}")),
        }
    }
}

/// A duration that is longer than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Age(pub(super) SignedDuration);

impl TryFrom<String> for Age {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let age = format::parse_age(&text)?;
        match age.is_zero() {
            true => Err(format!("{text:?} is zero; write it as \"5m\", \"12h\" or \"7d\"")),
            false => Ok(Self(age)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Age, Size};

    #[test]
    fn values_have_a_unit() {
        let (size, age) = (Size::try_from("5G".to_owned()), Age::try_from("2h".to_owned()));
        assert_eq!((size.unwrap().0, age.unwrap().0.as_secs()), (5 << 30, 7_200));
        for wrong in ["", "0G", "x", "-1G"] {
            assert!(Size::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        for wrong in ["", "0d", "7", "-7d"] {
            assert!(Age::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
