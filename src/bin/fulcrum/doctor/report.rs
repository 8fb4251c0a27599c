//! The report is the findings as a person reads them: grouped, the worst first, counted at the end.

use super::finding::{Finding, Level};

/// Columns that a finding's name takes; the longest usual one, `governor-cpu12`, and a gap.
const NAME: usize = 20;

/// The report on `board`, whose files lie below `root`, from findings that are sorted.
pub(super) fn text(board: &str, root: &str, findings: &[Finding]) -> String {
    let mut text = format!("{board}, files below {root}\n");
    let groups = [
        (Level::Problem, "Problems: a part of the work cannot be done"),
        (Level::Warning, "Warnings: promises of time or power may break"),
        (Level::Note, "Notes"),
    ];
    for (level, title) in groups {
        if count(findings, level) == 0 {
            continue;
        }
        text.push_str(&format!("\n{title}\n"));
        for it in findings.iter().filter(|it| it.level == level) {
            text.push_str(&format!("  {:NAME$}{}\n", it.name, it.what));
            if let Some(fix) = &it.fix {
                text.push_str(&format!("  {:NAME$}-> {fix}\n", ""));
            }
        }
    }
    let well: Vec<&str> = findings
        .iter()
        .filter(|it| it.level == Level::Ok)
        .map(|it| it.name.as_str())
        .collect();
    if !well.is_empty() {
        text.push_str("\nAs it should be\n");
        for line in well.chunks(6) {
            text.push_str(&format!("  {}\n", line.join(", ")));
        }
    }
    text.push_str(&format!("\n{}\n", counted(findings)));
    text
}

/// How many findings have this level.
pub(super) fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|it| it.level == level).count()
}

/// `1 problem, 2 warnings, 3 notes, 4 as it should be`
fn counted(findings: &[Finding]) -> String {
    let of = |level, one: &str| match count(findings, level) {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    format!(
        "{}, {}, {}, {} as it should be",
        of(Level::Problem, "problem"),
        of(Level::Warning, "warning"),
        of(Level::Note, "note"),
        count(findings, Level::Ok)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_worst_first_and_the_last_line_counts() {
        let finding = |name: &str, level, fix: Option<&str>| Finding {
            name: name.to_owned(),
            level,
            what: format!("{name} is so"),
            fix: fix.map(str::to_owned),
        };
        let findings = [
            finding("knob-cpu", Level::Problem, Some("run it as root")),
            finding("jtop", Level::Note, None),
            finding("container", Level::Note, None),
            finding("swap", Level::Ok, None),
        ];
        let text = text("Jetson", "/", &findings);
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
        assert!(place("Problems") < place("Notes") && place("Notes") < place("As it should be"));
        assert!(!text.contains("Warnings"), "an empty group is left out: {text}");
        assert!(text.contains("-> run it as root\n"));
        assert!(text.ends_with("\n1 problem, 0 warnings, 2 notes, 1 as it should be\n"));
    }
}
