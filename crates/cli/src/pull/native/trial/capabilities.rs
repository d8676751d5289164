//! Whether this process has all capabilities that the kernel knows. In a container, even root may
//! lack some.
//!
//! Sources: proc_pid_status(5), `CapPrm`; proc_sys_kernel(5), `cap_last_cap`.

use std::fs;

/// `false` only if a capability is certainly missing.
pub(super) fn are_complete() -> bool {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    complete(&read("/proc/self/status"), &read("/proc/sys/kernel/cap_last_cap")).unwrap_or(true)
}

fn complete(status: &str, last: &str) -> Option<bool> {
    let permitted = status.lines().find_map(|line| line.strip_prefix("CapPrm:"))?;
    let permitted = u64::from_str_radix(permitted.trim(), 16).ok()?;
    let last: u32 = last.trim().parse().ok()?;
    let all = u64::MAX.checked_shr(63_u32.checked_sub(last)?)?;
    Some(permitted & all == all)
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn a_missing_capability_is_noticed() {
        let status = |permitted| format!("Name:\tcat\nCapPrm:\t{permitted}\nCapEff:\t0\n");
        assert_eq!(complete(&status("000001ffffffffff"), "40\n"), Some(true));
        assert_eq!(complete(&status("000001fffeffffff"), "40\n"), Some(false));
        assert_eq!(complete(&status("0000000000000000"), "40\n"), Some(false));
        assert_eq!(complete("", "40\n"), None);
        assert_eq!(complete(&status("000001ffffffffff"), "64"), None);
        assert_eq!(complete(&status("ffffffffffffffff"), "63"), Some(true));
    }
}
