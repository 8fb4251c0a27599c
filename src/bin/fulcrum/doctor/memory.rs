//! The memory: what may make a page wait, for a disk or for another page.

use super::finding::{Findings, Level};
use super::{at, long_text};
use fulcrum::board::Root;
use fulcrum::board::sysfs::number;

const SWAPS: &str = "proc/swaps";
const SWAPPINESS: &str = "proc/sys/vm/swappiness";
const HUGE: &str = "sys/kernel/mm/transparent_hugepage/enabled";

/// Swappiness from which the kernel takes pages of programs although it could take cached files.
const EAGER: u64 = 10;

pub(super) fn look(root: &Root, findings: &mut Findings) {
    let any = swap(root, findings);
    swappiness(root, any, findings);
    huge_pages(root, findings);
}

/// Looks for swap and says whether there is any.
fn swap(root: &Root, findings: &mut Findings) -> bool {
    const NAME: &str = "swap";
    let text = match long_text(root, SWAPS) {
        Ok(text) => text,
        Err(error) => {
            findings.unread(NAME, &error);
            return false;
        }
    };
    let all = areas(&text);
    let disks: Vec<&str> = all.iter().filter(|it| !is_zram(it)).copied().collect();
    let shown = at(root, SWAPS);
    if all.is_empty() {
        findings.ok(NAME, format!("{shown} lists none"));
    } else if disks.is_empty() {
        findings.found(
            Level::Note,
            NAME,
            format!(
                "{shown} lists {} areas, all zram: a page that comes back costs processor time, no disk",
                all.len()
            ),
            "nothing while the dispatcher's memory is locked (`memory-lock`); else `sudo swapoff -a`",
        );
    } else {
        findings.found(
            Level::Warning,
            NAME,
            format!(
                "{shown} lists {} (and {} of zram): a page may wait for a disk",
                disks.join(", "),
                all.len() - disks.len()
            ),
            format!("`sudo swapoff {}`, and its line in /etc/fstab", disks.join(" ")),
        );
    }
    !all.is_empty()
}

fn swappiness(root: &Root, any: bool, findings: &mut Findings) {
    const NAME: &str = "swappiness";
    match root.value(SWAPPINESS, number) {
        Ok(value) if any && value > EAGER => findings.found(
            Level::Note,
            NAME,
            format!(
                "{} is {value}: programs' pages are swapped out early",
                at(root, SWAPPINESS)
            ),
            format!("`sudo sysctl -w vm.swappiness={EAGER}`"),
        ),
        Ok(value) => findings.ok(
            NAME,
            format!(
                "{} is {value}{}",
                at(root, SWAPPINESS),
                if any { "" } else { ", and there is no swap" }
            ),
        ),
        Err(error) => findings.unread(NAME, &error),
    }
}

fn huge_pages(root: &Root, findings: &mut Findings) {
    const NAME: &str = "huge-pages";
    match root.value(HUGE, |text| chosen(text).map(str::to_owned)) {
        Ok(word) if word == "always" => findings.found(
            Level::Note,
            NAME,
            format!(
                "{} is always: the kernel may stop a thread while it merges pages",
                at(root, HUGE)
            ),
            format!("`echo madvise | sudo tee {}`", at(root, HUGE)),
        ),
        Ok(word) => findings.ok(NAME, format!("{} is {word}", at(root, HUGE))),
        Err(error) if error.is_missing() => {
            findings.ok(NAME, format!("no {}: the kernel has none", at(root, HUGE)));
        }
        Err(error) => findings.unread(NAME, &error),
    }
}

/// The swap areas in `/proc/swaps`, whose first line is a head.
fn areas(text: &str) -> Vec<&str> {
    let lines = text.lines().skip(1);
    lines.filter_map(|line| line.split_whitespace().next()).collect()
}

/// Whether an area is compressed memory.
fn is_zram(area: &str) -> bool {
    area.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("zram"))
}

/// The word in brackets, as in `always [madvise] never`.
fn chosen(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zram_is_told_from_a_disk() {
        let text = "Filename\tType\tSize\tUsed\tPriority\n\
                    /dev/zram0                              partition\t505860\t0\t5\n\
                    /var/zram/swapfile                      file\t4194300\t12\t-2\n";
        assert_eq!(areas(text), ["/dev/zram0", "/var/zram/swapfile"]);
        assert!(is_zram("/dev/zram0") && !is_zram("/var/zram/swapfile"));
        assert!(areas("Filename\tType\n").is_empty() && areas("").is_empty());
    }

    #[test]
    fn the_word_in_brackets_is_the_chosen_one() {
        assert_eq!(chosen("always [madvise] never"), Some("madvise"));
        assert_eq!(chosen("always madvise never"), None);
        assert_eq!(chosen("] always ["), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "[\\PC\n\\[\\]]{0,80}") {
            let _ = (areas(&text), chosen(&text));
        }
    }
}
