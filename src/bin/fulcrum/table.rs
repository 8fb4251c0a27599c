//! A [`Table`] is rows of cells for a person: each column as wide as its widest cell.

use core::fmt;

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells, with two blanks between columns.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    sides: [Side; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without a row.
    pub(crate) fn new(sides: [Side; N]) -> Table<N> {
        Table {
            sides,
            rows: Vec::new(),
        }
    }

    /// Adds a row at the end.
    pub(crate) fn row<T: ToString>(&mut self, cells: [T; N]) {
        self.rows.push(cells.map(|cell| cell.to_string()));
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    /// Each row ends with a line end and without blanks before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let cells = row.iter().zip(widths).zip(self.sides);
            let cells: Vec<String> = cells
                .map(|((cell, width), side)| match side {
                    Side::Left => format!("{cell:<width$}"),
                    Side::Right => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_rows_end_without_blanks() {
        let mut table = Table::new([Side::Right, Side::Left, Side::Left]);
        table.row(["1", "one", ""]);
        table.row(["12", "x", "end"]);
        assert_eq!(table.to_string(), " 1  one\n12  x    end\n");
    }
}
