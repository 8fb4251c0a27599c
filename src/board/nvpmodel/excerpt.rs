//! An [`Excerpt`] shows the line that an error points at, with a caret under the column.

use super::Position;
use core::fmt;

/// The line at `at`, as two lines of ASCII: control characters and all outside ASCII are made visible, and of a long
/// line the part around the column is shown.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a> {
    /// The whole file.
    pub text: &'a [u8],
    /// The place.
    pub at: Position,
}

/// Columns of the line that are shown.
const WIDTH: usize = 96;

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, caret) = visible(line(self.text, self.at.line), self.at.column);
        // The caret's third of the window, so that what led to the place is seen.
        let skipped = caret.saturating_sub(WIDTH * 2 / 3);
        let skipped = if shown.len() > WIDTH { skipped } else { 0 };
        let end = shown.len().min(skipped + WIDTH);
        let part = shown.get(skipped..end).unwrap_or_default();
        let (before, behind) = (
            if skipped > 0 { "..." } else { "" },
            if end < shown.len() { "..." } else { "" },
        );
        let number = self.at.line.to_string();
        writeln!(f, "  {number} | {before}{part}{behind}")?;
        let indent = before.len() + caret - skipped;
        write!(f, "  {:width$} | {:indent$}^", "", "", width = number.len())
    }
}

/// The line of this number, by the parser's rule: LF, CR LF and CR end one.
fn line(text: &[u8], number: u32) -> &[u8] {
    let mut rest = text;
    for _ in 1..number {
        let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            return &[];
        };
        let length = if rest.get(at..).is_some_and(|end| end.starts_with(b"\r\n")) {
            2
        } else {
            1
        };
        rest = rest.get(at + length..).unwrap_or_default();
    }
    rest.split(|byte| matches!(byte, b'\n' | b'\r'))
        .next()
        .unwrap_or_default()
}

/// `line` in ASCII, and how far from its beginning the column is.
fn visible(line: &[u8], column: u32) -> (String, usize) {
    let (mut shown, mut caret, mut at) = (String::new(), None, 0_u32);
    let mut step = |shown: &mut String, piece: &dyn fmt::Display| {
        at += 1;
        if at == column {
            caret = Some(shown.len());
        }
        shown.push_str(&piece.to_string());
    };
    for chunk in line.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char == ' ' || char.is_ascii_graphic() {
                step(&mut shown, &char);
            } else {
                step(&mut shown, &char.escape_default());
            }
        }
        for byte in chunk.invalid() {
            step(&mut shown, &format_args!("\\x{byte:02x}"));
        }
    }
    let caret = caret.unwrap_or(shown.len());
    (shown, caret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &[u8], line: u32, column: u32) -> String {
        let at = Position { line, column };
        Excerpt { text, at }.to_string()
    }

    #[test]
    fn the_caret_stands_under_the_column_whatever_stands_before_it() {
        assert_eq!(show(b"a\r\nb c\rd", 2, 3), "  2 | b c\n    |   ^");
        assert_eq!(show(b"a\r\nb c\rd", 3, 1), "  3 | d\n    | ^");
        assert_eq!(show(b"a\tb\x1bc", 1, 5), "  1 | a\\tb\\u{1b}c\n    |           ^");
        assert_eq!(show(b"\xc3\xa4\xffx", 1, 2), "  1 | \\u{e4}\\xffx\n    |       ^");
        assert_eq!(show(b"ab", 1, 3), "  1 | ab\n    |   ^");
        assert_eq!(show(b"ab", 9, 9), "  9 | \n    | ^");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_column_is_shown() {
        let mut text = vec![b'a'; 5000];
        text[3000] = b'#';
        let shown = show(&text, 1, 3001);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].len() < 120, "{shown}");
        assert_eq!(lines[0].find('#'), lines[1].find('^'), "{shown}");
    }
}
