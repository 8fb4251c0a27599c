//! A [`Module`] is the computer that a carrier board holds, named by its part number.

use core::fmt;

/// Products by the beginning of their module's part number; the first that fits. Only names, never a clock or a rail.
///
/// Source: shared/design/jetson.md 1.1 and shared/data/jetson/boards.json; part numbers of older boards from the table
/// in rbonghi/jetson_stats, jtop/core/jetson_variables.py.
const PRODUCTS: [(&str, &str); 30] = [
    ("p3834-0008", "Jetson AGX Thor (T5000)"),
    ("p3834", "Jetson AGX Thor"),
    ("p3767-0000", "Jetson Orin NX 16GB"),
    ("p3767-0001", "Jetson Orin NX 8GB"),
    ("p3767-0003", "Jetson Orin Nano 8GB"),
    ("p3767-0004", "Jetson Orin Nano 4GB"),
    ("p3767-0005", "Jetson Orin Nano 8GB"),
    ("p3701-0000", "Jetson AGX Orin"),
    ("p3701-0004", "Jetson AGX Orin 32GB"),
    ("p3701-0005", "Jetson AGX Orin 64GB"),
    ("p3701", "Jetson AGX Orin"),
    ("p3668-0003", "Jetson Xavier NX 16GB"),
    ("p3668", "Jetson Xavier NX"),
    ("p2888-0001", "Jetson AGX Xavier 16GB"),
    ("p2888-0003", "Jetson AGX Xavier 32GB"),
    ("p2888-0004", "Jetson AGX Xavier 32GB"),
    ("p2888-0005", "Jetson AGX Xavier 64GB"),
    ("p2888-0006", "Jetson AGX Xavier 8GB"),
    ("p2888-0008", "Jetson AGX Xavier Industrial"),
    ("p2888", "Jetson AGX Xavier"),
    // The kit's own number, which is all that the device tree of its JetPack 5 names.
    ("p2972", "Jetson AGX Xavier"),
    ("p3310", "Jetson TX2"),
    ("p3489-0888", "Jetson TX2 4GB"),
    ("p3489-0000", "Jetson TX2i"),
    ("p3489", "Jetson TX2"),
    ("p3636", "Jetson TX2 NX"),
    ("p3448-0003", "Jetson Nano 2GB"),
    ("p3448", "Jetson Nano"),
    ("p2180", "Jetson TX1"),
    ("p2371", "Jetson TX1"),
];

/// A part number and the product it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The part number, as `p3767-0005`, or its first half where the board gives no more.
    pub part: String,
    /// The product; `None` for a part that is not in the table.
    pub product: Option<&'static str>,
    /// Whether the board was set up with the "super" clocks of JetPack 6.2.
    pub with_super: bool,
}

impl fmt::Display for Module {
    /// `Jetson Orin Nano 8GB Super (p3767-0005)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_super = if self.with_super { " Super" } else { "" };
        match self.product {
            Some(product) => write!(f, "{product}{with_super} ({})", self.part),
            None => write!(f, "{}{with_super}", self.part),
        }
    }
}

impl Module {
    /// The module that one of the board's texts names: `compatible` strings, board ids, the name of the device tree's
    /// source. A known module goes before an unknown part, and of those the last, because a carrier stands first in
    /// `p3737-0000+p3701-0005`.
    pub fn find<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Option<Module> {
        let parts = texts.clone().flat_map(parts);
        let known = parts.clone().find(|part| product(part).is_some());
        let part = known.or_else(|| parts.last())?;
        let with_super = format!("{part}-super");
        Some(Module {
            product: product(&part),
            with_super: texts.into_iter().any(|text| text.contains(&with_super)),
            part,
        })
    }
}

fn product(part: &str) -> Option<&'static str> {
    let known = PRODUCTS.iter().find(|(known, _)| part.starts_with(known));
    known.map(|(_, product)| *product)
}

/// Part numbers in `text`: `p` and four digits, mostly followed by `-` and four more. Of a longer word that looks like
/// one nothing is taken.
pub fn parts(text: &str) -> impl Iterator<Item = String> + Clone + '_ {
    let words = text.split(|it: char| !it.is_ascii_alphanumeric());
    let words: Vec<&str> = words.collect();
    let digits = |word: &str| word.len() == 4 && word.bytes().all(|it| it.is_ascii_digit());
    let found = (0..words.len()).filter_map(move |index| {
        let board = words.get(index)?.strip_prefix('p').filter(|it| digits(it))?;
        let kind = words.get(index + 1).filter(|it| digits(it));
        Some(kind.map_or(format!("p{board}"), |kind| format!("p{board}-{kind}")))
    });
    found.collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(texts: &[&str]) -> Option<String> {
        Module::find(texts.iter().copied()).map(|module| module.to_string())
    }

    #[test]
    fn the_module_is_found_beside_its_carrier_and_in_the_device_trees_name() {
        for (texts, wanted) in [
            (
                &[
                    "nvidia,p3737-0000+p3701-0005",
                    "nvidia,p3701-0005",
                    "nvidia,tegra234",
                ][..],
                "Jetson AGX Orin 64GB (p3701-0005)",
            ),
            (
                &["nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005"],
                "Jetson Orin Nano 8GB Super (p3767-0005)",
            ),
            (
                &["nvidia,p2972-0000", "nvidia,tegra194"],
                "Jetson AGX Xavier (p2972-0000)",
            ),
            (
                &["/dvs/dts/tegra210-p3448-0000-p3449-0000-b00.dts"],
                "Jetson Nano (p3448-0000)",
            ),
        ] {
            assert_eq!(named(texts).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn an_unknown_part_is_data_and_a_board_without_one_has_no_module() {
        assert_eq!(
            named(&["acme,p9001-0000+p9002-0001"]).as_deref(),
            Some("p9002-0001")
        );
        assert_eq!(named(&["brcm,bcm2712", "raspberrypi,5-model-b", "p12345"]), None);
    }
}
