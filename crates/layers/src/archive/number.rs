//! Numbers in headers: octal text, or base 256 for large and negative ones.

/// A number in a field of a header. `None` if it is not a number or does not fit.
///
/// Base 256 is marked by the first bit. The other bits are a number in two's complement, highest
/// byte first (`parseNumeric` in Go's `strconv.go`).
pub(super) fn number(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => binary(field, first & 0x40 != 0),
        _ => octal(field),
    }
}

fn binary(field: &[u8], negative: bool) -> Option<i64> {
    let invert = if negative { 0xff } else { 0 };
    let mut value: u64 = 0;
    for (index, byte) in field.iter().enumerate() {
        let byte = if index == 0 { (byte ^ invert) & 0x7f } else { byte ^ invert };
        if value >> 56 != 0 {
            return None;
        }
        value = value << 8 | u64::from(byte);
    }
    let value = i64::try_from(value).ok()?;
    Some(if negative { !value } else { value })
}

/// Octal digits between any number of spaces and null bytes. An empty field is 0.
pub(super) fn octal(field: &[u8]) -> Option<i64> {
    let padding = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !padding(byte));
    let Some(start) = start else { return Some(0) };
    let end = field.iter().rposition(|byte| !padding(byte)).map_or(start, |last| last + 1);
    let mut value: u64 = 0;
    for byte in field.get(start..end)?.iter().take_while(|byte| **byte != 0) {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 8)?;
        value = value.checked_mul(8)?.checked_add(u64::from(digit))?;
    }
    i64::try_from(value).ok()
}

/// A decimal number in a pax record, with an optional sign.
pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
