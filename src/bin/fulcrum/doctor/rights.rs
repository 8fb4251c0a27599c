//! The rights of this process: what the kernel lets the dispatcher ask for.

use super::finding::{Findings, Level};
use super::{at, cgroup, long_text};
use fulcrum::board::{FileError, Root};

const STATUS: &str = "proc/self/status";
const LIMITS: &str = "proc/self/limits";

/// Numbers of capabilities. Source: linux/capability.h.
const IPC_LOCK: u32 = 14;
const SYS_NICE: u32 = 23;

pub(super) fn look(root: &Root, findings: &mut Findings) {
    let capabilities = long_text(root, STATUS).map(|text| capabilities(&text));
    let limits = long_text(root, LIMITS);
    priority(root, &capabilities, &limits, findings);
    memory(root, &capabilities, &limits, findings);
}

type Capabilities = Result<Option<u64>, FileError>;

fn has(capabilities: &Capabilities, bit: u32) -> bool {
    matches!(capabilities, Ok(Some(bits)) if bits >> bit & 1 == 1)
}

fn priority(
    root: &Root,
    capabilities: &Capabilities,
    limits: &Result<String, FileError>,
    findings: &mut Findings,
) {
    const NAME: &str = "rt-priority";
    if let Some((path, runtime)) = cgroup::realtime(root)
        && runtime == 0
    {
        let what = format!(
            "{} is 0: this control group may run nothing in a real-time class",
            at(root, &path)
        );
        let fix = "`echo 950000 | sudo tee` into that file and those of its parents, or run outside of the group \
                   (docker: `--cpu-rt-runtime=950000`)";
        return findings.found(Level::Warning, NAME, what, fix);
    }
    if has(capabilities, SYS_NICE) {
        return findings.ok(NAME, format!("{} grants CAP_SYS_NICE", at(root, STATUS)));
    }
    let limit = match limits {
        Ok(text) => limit(text, "Max realtime priority"),
        Err(error) => return findings.unread(NAME, error),
    };
    match limit {
        Some(Limit::Of(0)) | None => findings.found(
            Level::Warning,
            NAME,
            format!(
                "no CAP_SYS_NICE and a real-time priority of 0 at most ({}): other programs may delay the dispatcher",
                at(root, LIMITS)
            ),
            "grant one: AmbientCapabilities=CAP_SYS_NICE or LimitRTPRIO=99 in its unit, `rtprio` in \
             /etc/security/limits.conf, docker: `--cap-add SYS_NICE --ulimit rtprio=99`",
        ),
        Some(limit) => findings.ok(NAME, format!("{} allows priorities up to {limit}", at(root, LIMITS))),
    }
}

fn memory(
    root: &Root,
    capabilities: &Capabilities,
    limits: &Result<String, FileError>,
    findings: &mut Findings,
) {
    const NAME: &str = "memory-lock";
    if has(capabilities, IPC_LOCK) {
        return findings.ok(NAME, format!("{} grants CAP_IPC_LOCK", at(root, STATUS)));
    }
    let limit = match limits {
        Ok(text) => limit(text, "Max locked memory"),
        Err(error) => return findings.unread(NAME, error),
    };
    match limit {
        Some(Limit::None) => findings.ok(NAME, format!("{} sets no limit", at(root, LIMITS))),
        limit => {
            let most = limit.map_or("an unknown number of".to_owned(), |it| it.to_string());
            findings.found(
                Level::Warning,
                NAME,
                format!(
                    "no CAP_IPC_LOCK and {most} bytes locked at most ({}): a page fault may delay the dispatcher",
                    at(root, LIMITS)
                ),
                "grant one: AmbientCapabilities=CAP_IPC_LOCK or LimitMEMLOCK=infinity in its unit, `memlock` in \
                 /etc/security/limits.conf, docker: `--ulimit memlock=-1`",
            );
        }
    }
}

/// The effective capabilities in /proc/self/status, bit by bit.
fn capabilities(status: &str) -> Option<u64> {
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(bits.trim(), 16).ok()
}

/// A resource limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Of(u64),
    None,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::Of(most) => most.fmt(f),
            Limit::None => f.write_str("any"),
        }
    }
}

/// The soft limit called `name` in /proc/self/limits. The runtime raises none, so the soft one is what counts.
fn limit(text: &str, name: &str) -> Option<Limit> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    match rest.split_whitespace().next()? {
        "unlimited" => Some(Limit::None),
        number => number.parse().ok().map(Limit::Of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max stack size            8388608              unlimited            bytes     
Max locked memory         65536                8388608              bytes     
Max address space         unlimited            unlimited            bytes     
Max realtime priority     0                    0                    
";

    #[test]
    fn the_soft_limit_is_read_and_none_is_told_from_zero() {
        assert_eq!(limit(TEXT, "Max locked memory"), Some(Limit::Of(65_536)));
        assert_eq!(limit(TEXT, "Max address space"), Some(Limit::None));
        assert_eq!(limit(TEXT, "Max realtime priority"), Some(Limit::Of(0)));
        assert_eq!(limit(TEXT, "Max patience"), None);
        assert_eq!(limit("Max locked memory", "Max locked memory"), None);
    }

    #[test]
    fn effective_capabilities_are_told_from_the_others() {
        let status = "CapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000804000\n";
        let found = Ok(capabilities(status));
        assert_eq!(found, Ok(Some(0x80_4000)));
        assert!(has(&found, SYS_NICE) && has(&found, IPC_LOCK) && !has(&found, 0));
        assert_eq!(capabilities("CapEff: rubbish"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "(Max locked memory|CapEff:)?[\\PC\n]{0,80}") {
            let _ = (limit(&text, "Max locked memory"), capabilities(&text));
        }
    }
}
