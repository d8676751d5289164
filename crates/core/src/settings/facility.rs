//! The facilities of syslog: their names in syslog.conf(5), and their codes in RFC 3164, 4.1.1.

/// The facilities that a site may choose, as syslog.conf(5) spells them.
pub fn facilities() -> impl Iterator<Item = &'static str> {
    // One string, because the loader writes the address of each string in a table.
    "daemon user auth authpriv cron ftp lpr mail news uucp local0 local1 local2 local3 local4 \
     local5 local6 local7"
        .split(' ')
}

/// The code of a facility, without the severity: the priority of a message is `code * 8 + severity`.
/// `None` if there is no such facility.
#[must_use]
pub fn facility_code(name: &str) -> Option<u8> {
    let mut named = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp".split(' ');
    if let Some(code) = named.position(|known| known == name) {
        return u8::try_from(code).ok();
    }
    match name.strip_prefix("local")?.as_bytes() {
        [digit @ b'0'..=b'7'] => Some(16 + (digit - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{facilities, facility_code};

    #[test]
    fn every_facility_has_its_code() {
        let codes: Vec<u8> = facilities().map(|name| facility_code(name).unwrap()).collect();
        assert_eq!(codes, [3, 1, 4, 10, 9, 11, 6, 2, 7, 8, 16, 17, 18, 19, 20, 21, 22, 23]);
        // The C library's numbers include the factor 8.
        assert_eq!(libc::LOG_AUTHPRIV, 10 * 8);
        for none in ["", "off", "local", "local8", "local-1", "local10", "LOCAL0", "demon"] {
            assert_eq!(facility_code(none), None, "{none:?}");
        }
    }
}
