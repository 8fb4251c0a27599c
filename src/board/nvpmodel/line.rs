//! A [`Line`] is a line of the text, and a [`Word`] one of its words with its column.

use super::{ConfError, Fault, Position};
use crate::limits;

/// One line without its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u32,
    pub(super) text: &'a str,
    /// It ended with CR.
    pub(super) cr: bool,
}

/// Text without blanks at its ends, and the column of its first character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) at: Position,
}

const BLANKS: [char; 2] = [' ', '\t'];

/// The text of a file, if it is text and not too much of it.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ConfError> {
    if bytes.len() > limits::CONF_TEXT {
        let at = Position { line: 1, column: 1 };
        return Err(ConfError {
            at,
            fault: Fault::TextLimit,
        });
    }
    str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let good = str::from_utf8(good).unwrap_or_default();
        let at = lines(good)
            .last()
            .map_or(Position { line: 1, column: 1 }, |line| line.end());
        ConfError {
            at,
            fault: Fault::NotUtf8(bad.first().copied().unwrap_or_default()),
        }
    })
}

/// The lines of `text`; LF, CR LF and CR end one. A last line without an end counts, even an empty one.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let (mut rest, mut number) = (Some(text), 0);
    core::iter::from_fn(move || {
        let text = rest?;
        number += 1;
        let (text, cr) = match text.split_once(['\n', '\r']) {
            None => {
                rest = None;
                (text, false)
            }
            Some((line, after)) => {
                let cr = text.as_bytes().get(line.len()) == Some(&b'\r');
                rest = Some(if cr {
                    after.strip_prefix('\n').unwrap_or(after)
                } else {
                    after
                });
                (line, cr)
            }
        };
        Some(Line { number, text, cr })
    })
}

impl<'a> Line<'a> {
    /// The line's content without blanks around it; `None` for an empty line and a comment.
    pub(super) fn content(&self) -> Result<Option<Word<'a>>, ConfError> {
        if self.text.len() > limits::CONF_LINE {
            return Err(self.at(limits::CONF_LINE).error(Fault::LineLimit));
        }
        let bad = |unwanted: &dyn Fn(char) -> bool| {
            let at = self.text.chars().position(unwanted)?;
            Some((self.position(at), self.text.chars().nth(at)?))
        };
        if let Some((at, char)) = bad(&|char| char.is_control() && char != '\t') {
            return Err(at.error(Fault::Control(char)));
        }
        let before = self.text.trim_start_matches(BLANKS);
        if before.is_empty() || before.starts_with('#') {
            return Ok(None);
        }
        if let Some((at, char)) = bad(&|char| !char.is_ascii()) {
            return Err(at.error(Fault::NotAscii(char)));
        }
        Ok(Some(Word {
            text: before.trim_end_matches(BLANKS),
            at: self.position(self.text.len() - before.len()),
        }))
    }

    /// One past the last character.
    pub(super) fn end(&self) -> Position {
        self.position(self.text.chars().count())
    }

    fn position(&self, index: usize) -> Position {
        Position {
            line: self.number,
            column: column(index + 1),
        }
    }

    /// The position of the byte at `index`, in a line that may have characters of several bytes before it.
    fn at(&self, index: usize) -> Position {
        let before = self.text.char_indices().take_while(|(at, _)| *at < index);
        self.position(before.count())
    }
}

impl Position {
    pub(super) fn error(self, fault: Fault) -> ConfError {
        ConfError { at: self, fault }
    }
}

impl<'a> Word<'a> {
    /// The first character is at `index` of this text, which is ASCII.
    pub(super) fn at(&self, index: usize) -> Position {
        Position {
            line: self.at.line,
            column: self.at.column.saturating_add(column(index)),
        }
    }

    pub(super) fn end(&self) -> Position {
        self.at(self.text.len())
    }

    pub(super) fn error(&self, fault: Fault) -> ConfError {
        self.at.error(fault)
    }

    /// The text behind `index`, without blanks at its ends.
    pub(super) fn after(&self, index: usize) -> Word<'a> {
        let rest = self.text.get(index..).unwrap_or_default();
        let trimmed = rest.trim_start_matches(BLANKS);
        Word {
            text: trimmed.trim_end_matches(BLANKS),
            at: self.at(index + rest.len() - trimmed.len()),
        }
    }

    /// The words of this text.
    pub(super) fn words(&self) -> impl Iterator<Item = Word<'a>> + use<'a> {
        let mut rest = *self;
        core::iter::from_fn(move || {
            if rest.text.is_empty() {
                return None;
            }
            let length = rest.text.find(BLANKS).unwrap_or(rest.text.len());
            let word = Word {
                text: rest.text.get(..length)?,
                at: rest.at,
            };
            rest = rest.after(length);
            Some(word)
        })
    }

    /// Exactly `N` words; a row that is cut or that has another behind it is refused.
    pub(super) fn row<const N: usize>(&self) -> Result<[Word<'a>; N], ConfError> {
        let wanted = N as u8;
        let mut words = self.words();
        let mut row = [Word {
            text: "",
            at: self.at,
        }; N];
        for slot in &mut row {
            *slot = words
                .next()
                .ok_or_else(|| self.end().error(Fault::Short { wanted }))?;
        }
        match words.next() {
            None => Ok(row),
            Some(word) => Err(word.error(Fault::Long { wanted })),
        }
    }

    /// A name of a parameter, an argument or a mode. Source of the characters: shared/design/jetson.md 2.1.
    pub(super) fn name(&self) -> Result<&'a str, ConfError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.()|+-".contains(&byte);
        if self.text.len() > limits::CONF_WORD {
            return Err(self.error(Fault::WordLimit));
        }
        match self.text.bytes().position(|byte| !known(byte)) {
            None if !self.text.is_empty() => Ok(self.text),
            at => Err(self.at(at.unwrap_or(0)).error(Fault::Name)),
        }
    }
}

fn column(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
