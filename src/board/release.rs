//! A [`Release`] is the number of NVIDIA's Linux for Tegra, and of the JetPack it belongs to.

use core::fmt;

/// The number of a release, as `36.4.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// The branch: the `36` of `R36`.
    pub major: u16,
    /// The `4` of `REVISION: 4.3`.
    pub minor: u16,
    /// The `3` of `REVISION: 4.3`; 0 where it is not said.
    pub patch: u16,
}

/// JetPack's number for each release, where it is known. Source: shared/design/jetson.md 1.1 (R36 and later);
/// rbonghi/jetson_stats, jtop/core/jetson_variables.py (before).
const JETPACKS: [((u16, u16, u16), &str); 28] = [
    ((28, 2, 0), "3.2"),
    ((31, 1, 0), "4.1.1"),
    ((32, 1, 0), "4.2"),
    ((32, 2, 0), "4.2.1"),
    ((32, 2, 1), "4.2.2"),
    ((32, 2, 3), "4.2.3"),
    ((32, 3, 1), "4.3"),
    ((32, 4, 2), "4.4 DP"),
    ((32, 4, 3), "4.4"),
    ((32, 4, 4), "4.4.1"),
    ((32, 5, 0), "4.5"),
    ((32, 5, 1), "4.5.1"),
    ((32, 5, 2), "4.5.1"),
    ((32, 6, 1), "4.6"),
    ((32, 7, 1), "4.6.1"),
    ((32, 7, 2), "4.6.2"),
    ((32, 7, 3), "4.6.3"),
    ((34, 1, 0), "5.0 DP"),
    ((34, 1, 1), "5.0.1 DP"),
    ((35, 1, 0), "5.0.2"),
    ((35, 2, 1), "5.1"),
    ((35, 3, 1), "5.1.1"),
    ((35, 4, 1), "5.1.2"),
    ((35, 5, 0), "5.1.3"),
    ((36, 4, 3), "6.2"),
    ((36, 4, 4), "6.2.1"),
    ((36, 4, 7), "6.2.1"),
    ((36, 5, 0), "6.2.2"),
];

impl Release {
    /// The release that `/etc/nv_tegra_release` names in its first line: `# R36 (release), REVISION: 4.3, GCID: ...`.
    pub fn from_tegra_release(text: &str) -> Option<Release> {
        let line = text.lines().next()?;
        let mut fields = line.trim_start_matches(['#', ' ']).split(',').map(str::trim);
        let major = fields.next()?.strip_prefix('R')?.split_whitespace().next()?;
        let revision = fields.find_map(|field| field.strip_prefix("REVISION:"))?;
        Release::parse(&format!("{major}.{}", revision.trim()))
    }

    /// The release of the installed package `nvidia-l4t-core`, from the text of dpkg's status file.
    pub fn from_dpkg_status(text: &str) -> Option<Release> {
        let mut of_ours = false;
        let mut installed = true;
        for line in text.lines() {
            if line.is_empty() {
                of_ours = false;
            } else if let Some(package) = line.strip_prefix("Package:") {
                (of_ours, installed) = (package.trim() == "nvidia-l4t-core", true);
            } else if let Some(status) = line.strip_prefix("Status:") {
                // "install ok installed"; a removed package stays listed as "deinstall ok config-files".
                installed = status.split_whitespace().last() == Some("installed");
            } else if let Some(version) = line.strip_prefix("Version:")
                && of_ours
                && installed
            {
                // `36.4.4-20250616085344`: the rest is the day of its making.
                return Release::parse(version.trim().split('-').next()?);
            }
        }
        None
    }

    fn parse(number: &str) -> Option<Release> {
        let mut parts = number.split('.').map(|part| part.parse::<u16>().ok());
        let release = Release {
            major: parts.next()??,
            minor: parts.next()??,
            patch: parts.next().unwrap_or(Some(0))?,
        };
        parts.next().is_none().then_some(release)
    }

    /// The JetPack this release belongs to: its number where that is known, else its generation, as `6`; `None` for
    /// releases before 21 and those that are not out yet.
    pub fn jetpack(&self) -> Option<&'static str> {
        let number = (self.major, self.minor, self.patch);
        let known = JETPACKS.iter().find(|(release, _)| *release == number);
        if let Some((_, jetpack)) = known {
            return Some(jetpack);
        }
        Some(match (self.major, self.minor) {
            (21..=23, _) => "1",
            (24..=26, _) => "2",
            (27..=30, _) => "3",
            (31..=33, _) => "4",
            (34..=35, _) => "5",
            (36..=37, _) => "6",
            (38, 0..=2) => "7.0",
            (38, _) => "7.1",
            (39, _) => "7.2",
            _ => return None,
        })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both(release: Option<Release>) -> Option<(String, Option<&'static str>)> {
        release.map(|it| (it.to_string(), it.jetpack()))
    }

    #[test]
    fn the_release_file_and_the_package_list_name_the_same_release() {
        let file = "# R36 (release), REVISION: 4.4, GCID: 41062509, BOARD: generic\n# KERNEL_VARIANT: oot\n";
        let wanted = Some(("36.4.4".to_owned(), Some("6.2.1")));
        assert_eq!(both(Release::from_tegra_release(file)), wanted);
        let status = [
            "Package: nvidia-l4t-camera\nStatus: install ok installed\nVersion: 1.2.3-4\n",
            "Package: nvidia-l4t-core\nStatus: install ok installed\nVersion: 36.4.4-20250616085344\n",
        ]
        .join("\n");
        assert_eq!(both(Release::from_dpkg_status(&status)), wanted);
        let removed = status.replace("install ok installed", "deinstall ok config-files");
        assert_eq!(Release::from_dpkg_status(&removed), None);
    }

    #[test]
    fn a_release_that_is_not_in_the_table_has_its_generation() {
        for (major, minor, wanted) in [
            (32, 99, Some("4")),
            (35, 99, Some("5")),
            (36, 99, Some("6")),
            (38, 2, Some("7.0")),
            (39, 1, Some("7.2")),
            (77, 0, None),
        ] {
            let release = Release {
                major,
                minor,
                patch: 9,
            };
            assert_eq!(release.jetpack(), wanted, "{release}");
        }
    }

    #[test]
    fn a_revision_of_one_number_and_a_file_of_something_else_are_told_apart() {
        assert_eq!(
            Release::from_tegra_release("# R32 (release), REVISION: , GCID"),
            None
        );
        assert_eq!(Release::from_tegra_release("Ubuntu 22.04"), None);
        assert_eq!(Release::from_tegra_release(""), None);
        let release = Release::from_tegra_release("# R32 (release), REVISION: 5").map(|it| it.to_string());
        assert_eq!(release.as_deref(), Some("32.5.0"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text in "[\\PC\n]{0,200}") {
            let _ = Release::from_tegra_release(&text);
            let _ = Release::from_dpkg_status(&format!("Package: nvidia-l4t-core\nVersion:{text}"));
        }

        #[test]
        fn every_release_is_read_back(major: u16, minor: u16, patch: u16) {
            let release = Release { major, minor, patch };
            let file = format!("# R{major} (release), REVISION: {minor}.{patch}, GCID: 1");
            prop_assert_eq!(Release::from_tegra_release(&file), Some(release));
            let status = format!("Package: nvidia-l4t-core\nVersion: {release}-2025\n");
            prop_assert_eq!(Release::from_dpkg_status(&status), Some(release));
        }
    }
}
