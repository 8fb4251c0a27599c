//! The processes of the machine, by name: programs that write what fulcrum writes.

use super::at;
use super::finding::{Findings, Level};
use fulcrum::board::{FileError, Root};

/// A running program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number.
    pub(super) id: u32,
    /// Its name, of which the kernel keeps 15 bytes.
    pub(super) name: String,
}

/// A program that is known to cross our way.
struct Known {
    /// The name as the kernel cuts it.
    name: &'static str,
    level: Level,
    does: &'static str,
    fix: &'static str,
}

/// Programs without a finding of their own. Source for NVIDIA's: shared/design/jetson.md 4.4; for the others their
/// manuals.
const KNOWN: [Known; 11] = [
    Known {
        name: "nvpmodel",
        level: Level::Warning,
        does: "switches the power mode now",
        fix: "let it end before fulcrum starts",
    },
    Known {
        name: "jetson_clocks",
        level: Level::Warning,
        does: "pins or frees all clocks now",
        fix: "let it end, then `sudo jetson_clocks --restore`",
    },
    Known {
        name: "nvpmodel_indica",
        level: Level::Note,
        does: "lets whoever sits at the desktop switch the power mode",
        fix: "do not use it while fulcrum holds a mode",
    },
    Known {
        name: "tegrastats",
        level: Level::Note,
        does: "reads the rails' sensors, which answer one reader at a time",
        fix: "`tegrastats --stop` while you measure",
    },
    Known {
        name: "thermald",
        level: Level::Warning,
        does: "lowers clocks when the machine gets warm",
        fix: "`sudo systemctl stop thermald` while you measure",
    },
    Known {
        name: "tuned",
        level: Level::Warning,
        does: "sets governors, floors of clocks and idle states",
        fix: "`sudo systemctl stop tuned`",
    },
    Known {
        name: "power-profiles-",
        level: Level::Warning,
        does: "sets governors and limits of clocks",
        fix: "`sudo systemctl stop power-profiles-daemon`",
    },
    Known {
        name: "auto-cpufreq",
        level: Level::Warning,
        does: "sets governors and limits of clocks every few seconds",
        fix: "`sudo systemctl stop auto-cpufreq`",
    },
    Known {
        name: "cpufreqd",
        level: Level::Warning,
        does: "sets governors and limits of clocks",
        fix: "`sudo systemctl stop cpufreqd`",
    },
    Known {
        name: "gamemoded",
        level: Level::Warning,
        does: "sets governors while a game runs",
        fix: "`systemctl --user stop gamemoded`",
    },
    Known {
        name: "irqbalance",
        level: Level::Note,
        does: "moves interrupts to any core, the dispatcher's too",
        fix: "keep it off that core: IRQBALANCE_BANNED_CPULIST in /etc/default/irqbalance",
    },
];

/// The running programs, by number.
pub(super) fn list(root: &Root) -> Result<Vec<Process>, FileError> {
    let names = root.names("proc")?;
    let ids = names.iter().filter_map(|name| name.parse().ok());
    // One may end between the list and its name.
    Ok(ids
        .filter_map(|id: u32| {
            let name = root.text(&format!("proc/{id}/comm")).ok()?;
            Some(Process { id, name })
        })
        .collect())
}

pub(super) fn look(root: &Root, processes: &Result<Vec<Process>, FileError>, findings: &mut Findings) {
    const NAME: &str = "programs";
    let processes = match processes {
        Ok(processes) => processes,
        Err(error) => return findings.unread(NAME, error),
    };
    if processes.is_empty() {
        let what = format!("not judged: {} shows no process", at(root, "proc"));
        return findings.found(
            Level::Note,
            NAME,
            what,
            "mount it: `sudo mount -t proc proc /proc`",
        );
    }
    let mut any = false;
    for known in &KNOWN {
        if let Some(Process { id, name }) = processes.iter().find(|it| it.name == known.name) {
            any = true;
            let what = format!(
                "{} runs ({}): it {}",
                name,
                at(root, &format!("proc/{id}/comm")),
                known.does
            );
            findings.found(known.level, format!("program-{name}"), what, known.fix);
        }
    }
    if !any {
        let what = format!(
            "none of {} processes is known to write what fulcrum writes",
            processes.len()
        );
        findings.ok(NAME, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_names_are_such_as_the_kernel_keeps() {
        for known in &KNOWN {
            assert!(known.name.len() <= 15, "{} is cut by the kernel", known.name);
        }
    }
}
