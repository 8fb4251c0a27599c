//! A [`Conf`] is what an nvpmodel.conf says, checked; it borrows the text.

use super::{ConfError, Role, Value, Warning, parse};

/// The whole file. There is at least one mode, ids are unique, every row names a declared parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conf<'a> {
    pub(super) params: Vec<Param<'a>>,
    pub(super) modes: Vec<Mode<'a>>,
    pub(super) default: u32,
    pub(super) warnings: Vec<Warning>,
}

/// A section `PARAM`: names for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// What is written to its files.
    pub kind: Kind,
    /// Its name, unique in the file.
    pub name: &'a str,
    /// Its rows, `_KNEXT` twins included, in the order of the file.
    pub args: Vec<Arg<'a>>,
    /// Line of its header, from 1.
    pub line: u32,
}

/// `TYPE=` of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The value is written as it stands.
    File,
    /// The value is a frequency in the unit of the file: kHz for CPUs, Hz for all else; -1 is no cap.
    Clock,
    /// As [`Kind::File`], to a file in a directory of a hardware monitor.
    Hwmon,
}

/// One row of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg<'a> {
    /// Its name, unique in the parameter.
    pub name: &'a str,
    /// Where its value goes.
    pub node: Node<'a>,
}

/// A place in the board's file system, as the file writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// Absolute, without `..`. A file, or for HWMON a directory.
    pub path: &'a str,
    /// HWMON only: the file, somewhere below that directory.
    pub file: Option<&'a str>,
}

/// Where a row's value goes: the twin for the newer kernel if it exists on the board, else the plain one; if neither
/// does, the board lacks the knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path under the name that the row uses.
    pub plain: Node<'a>,
    /// The path declared under that name with `_KNEXT`.
    pub knext: Option<Node<'a>>,
}

/// One value that a mode sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Line, from 1.
    pub line: u32,
    /// The parameter's name.
    pub param: &'a str,
    /// The parameter's kind.
    pub kind: Kind,
    /// The argument's name.
    pub arg: &'a str,
    /// Where the value goes.
    pub target: Target<'a>,
    /// The parameter's `FREQ_TABLE`, to whose entries a clock is floored.
    pub table: Option<Target<'a>>,
    /// What the file behind the target does; by its path, never by the parameter's name.
    pub role: Role,
    /// The value as it stands in the file.
    pub text: &'a str,
    /// The value read.
    pub value: Value,
}

/// A section `POWER_MODEL`: values, in the order in which the tool applies them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode<'a> {
    pub(super) id: u32,
    pub(super) name: &'a str,
    pub(super) line: u32,
    pub(super) rows: Vec<Row<'a>>,
}

impl<'a> Conf<'a> {
    /// Reads the text of a file. All of it is good, or the first thing that is not is the error.
    pub fn parse(text: &'a [u8]) -> Result<Conf<'a>, ConfError> {
        parse::conf(text)
    }

    /// The parameters, in the order of the file.
    pub fn params(&self) -> &[Param<'a>] {
        &self.params
    }

    /// The modes, in the order of the file; not in that of ids, nor of speed.
    pub fn modes(&self) -> &[Mode<'a>] {
        &self.modes
    }

    /// The mode with this id.
    pub fn mode(&self, id: u32) -> Option<&Mode<'a>> {
        self.modes.iter().find(|mode| mode.id == id)
    }

    /// The id of the mode that a board starts in; one of [`Conf::modes`].
    pub fn default_id(&self) -> u32 {
        self.default
    }

    /// What was taken although the grammar does not have it, and what is likely not meant; in the order of lines.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl<'a> Param<'a> {
    /// The argument `name` with its twin for the newer kernel.
    pub fn target(&self, name: &str) -> Option<Target<'a>> {
        let find = |wanted: &dyn Fn(&str) -> bool| self.args.iter().find(|arg| wanted(arg.name));
        Some(Target {
            plain: find(&|other| other == name)?.node,
            knext: find(&|other| other.strip_suffix(KNEXT) == Some(name)).map(|arg| arg.node),
        })
    }
}

impl<'a> Mode<'a> {
    /// Its number; unique in the file, with gaps.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its name; not always unique, so show the id beside it.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Line of its header, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// What it sets, in the order of the file; at least one row.
    pub fn rows(&self) -> &[Row<'a>] {
        &self.rows
    }
}

/// Ending of the names of arguments for the newer kernel.
pub(super) const KNEXT: &str = "_KNEXT";
