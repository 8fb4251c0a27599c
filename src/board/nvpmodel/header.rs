//! A [`Header`] is the line that begins a section.

use super::line::Word;
use super::value::number;
use super::{ConfError, Fault, Kind};

/// A header, read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Header<'a> {
    Param {
        kind: Kind,
        name: Word<'a>,
    },
    Model {
        id: u32,
        id_word: Word<'a>,
        name: &'a str,
    },
    Config {
        default: u32,
        default_word: Word<'a>,
    },
    /// Fans and chargers: no part of a power mode.
    Skipped,
}

const PARAM: &str = "< PARAM TYPE=CLOCK NAME=x >";
const MODEL: &str = "< POWER_MODEL ID=n NAME=x >";
const CONFIG: &str = "< PM_CONFIG DEFAULT=n >";

impl<'a> Header<'a> {
    /// Reads a line that begins with `<`; says too whether the blanks inside the brackets are there.
    pub(super) fn read(line: Word<'a>) -> Result<(Header<'a>, bool), ConfError> {
        let inside = line.text.get(1..).unwrap_or_default();
        let Some(length) = inside.find(['<', '>']) else {
            return Err(line.end().error(Fault::Open));
        };
        let close = length + 1;
        let behind = line.after(close + 1);
        if inside.as_bytes().get(length) == Some(&b'<') {
            return Err(line.at(close).error(Fault::Glued));
        } else if behind.text.contains('<') {
            let at = behind.text.find('<').unwrap_or_default();
            return Err(behind.at(at).error(Fault::Glued));
        } else if !behind.text.is_empty() {
            return Err(behind.error(Fault::BehindHeader));
        }
        let inside = inside.get(..length).unwrap_or_default();
        let spaced = inside.starts_with([' ', '\t']) && inside.ends_with([' ', '\t']);
        let inside = Word {
            text: line.text.get(..close).unwrap_or_default(),
            at: line.at,
        }
        .after(1);
        let mut words = inside.words();
        let Some(section) = words.next() else {
            return Err(line.at(close).error(Fault::Section));
        };
        // Where a missing key would stand.
        let end = inside.end();
        let header = match section.text {
            "PARAM" => {
                let [kind, name] = keys(words, ["TYPE", "NAME"], PARAM, end)?;
                let kind = match kind.text {
                    "FILE" => Kind::File,
                    "CLOCK" => Kind::Clock,
                    "HWMON" => Kind::Hwmon,
                    _ => return Err(kind.error(Fault::Type)),
                };
                name.name()?;
                Header::Param { kind, name }
            }
            "POWER_MODEL" => {
                let [id_word, name] = keys(words, ["ID", "NAME"], MODEL, end)?;
                Header::Model {
                    id: id(id_word)?,
                    id_word,
                    name: name.name()?,
                }
            }
            "PM_CONFIG" => {
                let [default_word] = keys(words, ["DEFAULT"], CONFIG, end)?;
                Header::Config {
                    default: id(default_word)?,
                    default_word,
                }
            }
            "FAN_CONFIG" | "FAN_MODEL" | "CHG_CONFIG" | "CHG_MODEL" => Header::Skipped,
            _ => return Err(section.error(Fault::Section)),
        };
        Ok((header, spaced))
    }
}

/// The values of exactly these keys, in whatever order they stand.
fn keys<'a, const N: usize>(
    words: impl Iterator<Item = Word<'a>>,
    keys: [&str; N],
    form: &'static str,
    end: super::Position,
) -> Result<[Word<'a>; N], ConfError> {
    let mut found: [Option<Word<'a>>; N] = [None; N];
    for word in words {
        let (key, _) = word
            .text
            .split_once('=')
            .ok_or_else(|| word.error(Fault::Key(form)))?;
        let slot = keys.iter().position(|known| *known == key);
        match slot.and_then(|index| found.get_mut(index)) {
            None => return Err(word.error(Fault::Key(form))),
            Some(Some(_)) => return Err(word.error(Fault::KeyTwice)),
            Some(slot) => *slot = Some(word.after(key.len() + 1)),
        }
    }
    let missing = end.error(Fault::NoKey(form));
    let mut values = [Word { text: "", at: end }; N];
    for (value, found) in values.iter_mut().zip(found) {
        *value = found.ok_or(missing)?;
    }
    Ok(values)
}

/// The tool keeps an id in an int.
fn id(word: Word<'_>) -> Result<u32, ConfError> {
    match number(word.text) {
        Some(id) if id <= i32::MAX as u64 => Ok(id as u32),
        _ => Err(word.error(Fault::Id)),
    }
}
