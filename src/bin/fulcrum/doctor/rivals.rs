//! NVIDIA's and others' services that write what fulcrum writes.
//!
//! Source of what each does: shared/design/jetson.md 2.5 and 4.4.

use super::at;
use super::finding::{Findings, Level};
use super::processes::Process;
use fulcrum::board::{FileError, Root};

/// Where systemd keeps what is started at boot, as links in folders of units that want it.
const UNITS: &str = "etc/systemd/system";

/// Note of the mode that nvpmodel was asked for last.
const STATUS: &str = "var/lib/nvpmodel/status";

/// Folders of udev's rules, as udev reads them.
const RULES: [&str; 4] = [
    "etc/udev/rules.d",
    "run/udev/rules.d",
    "usr/lib/udev/rules.d",
    "lib/udev/rules.d",
];

pub(super) fn look(root: &Root, processes: &Result<Vec<Process>, FileError>, findings: &mut Findings) {
    let units = enabled(root);
    let processes = processes.as_deref().unwrap_or_default();
    // Where neither services nor processes can be seen, that one is missing says nothing.
    let unseen = |name: &str, findings: &mut Findings| match &units {
        Err(error) if processes.is_empty() => findings.unread(name, error),
        _ => findings.ok(name, "neither enabled nor running"),
    };
    nvpmodel(root, &units, findings);
    let seen = |name: &str| trace(root, name, &units, processes);
    match seen("nvfancontrol") {
        Some(trace) => findings.found(
            Level::Note,
            "nvfancontrol",
            format!("nvfancontrol sets the fan every 2 s ({trace})"),
            "nothing: fulcrum leaves the fan alone",
        ),
        None => unseen("nvfancontrol", findings),
    }
    let socket = root
        .exists("run/jtop.sock")
        .then(|| format!("{} is there", at(root, "run/jtop.sock")));
    match socket.or_else(|| seen("jtop")) {
        Some(trace) => findings.found(
            Level::Warning,
            "jtop",
            format!("jtop's service may run jetson_clocks, switch the power mode and set the fan ({trace})"),
            "leave its controls alone while fulcrum runs, or `sudo systemctl disable --now jtop`",
        ),
        None => unseen("jtop", findings),
    }
    nvpower(root, &units, findings);
}

fn nvpmodel(root: &Root, units: &Result<Vec<String>, FileError>, findings: &mut Findings) {
    const NAME: &str = "nvpmodel-service";
    match units {
        Err(error) => findings.unread(NAME, error),
        Ok(units) => match units.iter().find(|it| it.ends_with("/nvpmodel.service")) {
            Some(link) => findings.found(
                Level::Note,
                NAME,
                format!(
                    "{} is there: nvpmodel sets its stored mode at each boot",
                    at(root, link)
                ),
                "start fulcrum after it: `After=nvpmodel.service` in its unit",
            ),
            None => findings.ok(
                NAME,
                format!("no link to nvpmodel.service below {}", at(root, UNITS)),
            ),
        },
    }
    const STORED: &str = "nvpmodel-status";
    match root.value(STATUS, stored) {
        Ok(stored) => findings.found(
            Level::Note,
            STORED,
            format!(
                "{} asks for mode {stored}: it comes back at the next boot, whatever fulcrum sets",
                at(root, STATUS)
            ),
            "choose what a boot comes up with by `sudo nvpmodel -m ID`",
        ),
        Err(error) if error.is_missing() => {
            findings.ok(
                STORED,
                format!("no {}: nvpmodel has stored no mode", at(root, STATUS)),
            );
        }
        Err(error) => findings.unread(STORED, &error),
    }
}

/// The mode's number in `pmode:0002 fmode:quiet`.
fn stored(status: &str) -> Option<u32> {
    let mode = status
        .split_whitespace()
        .find_map(|word| word.strip_prefix("pmode:"))?;
    mode.parse().ok()
}

/// Links below systemd's folder to what is started at boot. They may lead nowhere below this root, and count all the
/// same.
fn enabled(root: &Root) -> Result<Vec<String>, FileError> {
    let folders = root.names(UNITS)?;
    let folders = folders
        .iter()
        .filter(|it| it.ends_with(".wants") || it.ends_with(".requires"));
    Ok(folders
        .flat_map(|folder| {
            let folder = format!("{UNITS}/{folder}");
            let names = root.names(&folder).unwrap_or_default();
            names.into_iter().map(move |name| format!("{folder}/{name}"))
        })
        .collect())
}

/// What shows that the service `name` runs or will at boot.
fn trace(
    root: &Root,
    name: &str,
    units: &Result<Vec<String>, FileError>,
    processes: &[Process],
) -> Option<String> {
    if let Some(Process { id, .. }) = processes.iter().find(|it| it.name == name) {
        return Some(format!(
            "{} says that it runs",
            at(root, &format!("proc/{id}/comm"))
        ));
    }
    let end = format!("/{name}.service");
    let link = units.as_ref().ok()?.iter().find(|it| it.ends_with(&end))?;
    Some(format!("{} starts it at boot", at(root, link)))
}

fn nvpower(root: &Root, units: &Result<Vec<String>, FileError>, findings: &mut Findings) {
    const NAME: &str = "nvpower-rules";
    let folders: Vec<(&str, Vec<String>)> = RULES
        .into_iter()
        .filter_map(|folder| Some((folder, root.names(folder).ok()?)))
        .collect();
    let rules = folders
        .iter()
        .flat_map(|(folder, names)| names.iter().map(move |name| format!("{folder}/{name}")));
    let rule = rules
        .filter(|path| path.ends_with(".rules"))
        .find(|path| root.text(path).is_ok_and(|text| runs_nvpower(&text)));
    let unit = units
        .as_ref()
        .ok()
        .and_then(|it| it.iter().find(|it| it.ends_with("/nvpower.service")));
    match (rule.as_ref().or(unit), units) {
        (Some(path), _) => findings.found(
            Level::Note,
            NAME,
            format!(
                "{} runs nvpower.sh: governors and the rails' sensors are set anew at boot and when the GPU is bound",
                at(root, path)
            ),
            "start fulcrum after it: `After=nvpower.service` in its unit",
        ),
        (None, Err(error)) if folders.is_empty() => findings.unread(NAME, error),
        _ => findings.ok(NAME, "neither a udev rule nor a service runs nvpower.sh"),
    }
}

/// Whether a rule of this file, comments left out, names nvpower.
fn runs_nvpower(rules: &str) -> bool {
    let mut rules = rules.lines().filter(|line| !line.trim_start().starts_with('#'));
    rules.any(|line| line.contains("nvpower"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_stored_mode_is_read_with_and_without_a_fan_mode() {
        assert_eq!(stored("pmode:0002 fmode:quiet"), Some(2));
        assert_eq!(stored("pmode:0000"), Some(0));
        assert_eq!(stored("fmode:quiet"), None);
        assert_eq!(stored("pmode:MAXN"), None);
    }

    #[test]
    fn a_comment_of_a_rule_runs_nothing() {
        assert!(runs_nvpower(
            "# GPU\nACTION==\"bind\", RUN+=\"/usr/sbin/nvpower.sh\"\n"
        ));
        assert!(!runs_nvpower("  # RUN+=\"/usr/sbin/nvpower.sh\"\n"));
        assert!(!runs_nvpower(""));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "(pmode:)?[\\PC\n]{0,60}") {
            let _ = (stored(&text), runs_nvpower(&text));
        }
    }
}
