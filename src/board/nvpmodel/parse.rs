//! Reads the text of an nvpmodel.conf, line by line, into a [`Conf`].

use super::header::Header;
use super::line::{self, Line, Word};
use super::{Arg, Conf, ConfError, Fault, Kind, Mode, Node, Oddity, Param, Role, Row, Value, Warning};
use crate::limits;

/// The section that rows belong to now.
#[derive(Clone, Copy, Debug)]
enum Section {
    None,
    Param,
    Mode,
    Config,
    Skipped,
}

struct Parser<'a> {
    conf: Conf<'a>,
    section: Section,
    /// `DEFAULT` as it stands in the file.
    default: Option<Word<'a>>,
}

pub(super) fn conf(bytes: &[u8]) -> Result<Conf<'_>, ConfError> {
    let text = line::text(bytes)?;
    let mut parser = Parser {
        conf: Conf {
            params: Vec::new(),
            modes: Vec::new(),
            default: 0,
            warnings: Vec::new(),
        },
        section: Section::None,
        default: None,
    };
    let mut end = line::Word {
        text: "",
        at: super::Position { line: 1, column: 1 },
    };
    for line in line::lines(text) {
        end.at = line.end();
        parser.line(line)?;
    }
    parser.end(end)
}

impl<'a> Parser<'a> {
    fn warn(&mut self, line: u32, what: Oddity) {
        self.conf.warnings.push(Warning { line, what });
    }

    fn line(&mut self, line: Line<'a>) -> Result<(), ConfError> {
        let cr_said = |warning: &Warning| warning.what == Oddity::CarriageReturn;
        if line.cr && !self.conf.warnings.iter().any(cr_said) {
            self.warn(line.number, Oddity::CarriageReturn);
        }
        let Some(content) = line.content()? else {
            if names_a_mode(line.text) {
                self.warn(line.number, Oddity::CommentedMode);
            }
            return Ok(());
        };
        if content.text.starts_with('<') {
            if content.at.column > 1 {
                self.warn(line.number, Oddity::Indented);
            }
            return self.header(content);
        }
        match content.text.find(['<', '>']) {
            Some(at) if content.text.as_bytes().get(at) == Some(&b'<') => {
                return Err(content.at(at).error(Fault::Glued));
            }
            Some(at) => return Err(content.at(at).error(Fault::StrayEnd)),
            None => {}
        }
        match self.section {
            Section::None if content.text.starts_with('/') => Err(content.error(Fault::BarePath)),
            Section::None => Err(content.error(Fault::Outside)),
            Section::Param => self.arg(content),
            Section::Mode => self.row(content),
            Section::Config => Err(content.error(Fault::AfterConfig)),
            Section::Skipped => Ok(()),
        }
    }

    fn header(&mut self, line: Word<'a>) -> Result<(), ConfError> {
        self.close()?;
        let (header, spaced) = Header::read(line)?;
        let number = line.at.line;
        if !spaced {
            self.warn(number, Oddity::NoBlank);
        }
        self.section = match header {
            Header::Param { kind, name } => {
                self.param(kind, name)?;
                Section::Param
            }
            Header::Model { id, id_word, name } => {
                if let Some(first) = self.conf.mode(id) {
                    let first = first.line;
                    return Err(id_word.error(Fault::IdTwice { id, first }));
                }
                if self.conf.modes.len() == limits::CONF_MODES {
                    return Err(line.error(Fault::ModeLimit));
                }
                if let Some(same) = self.conf.modes.iter().find(|mode| mode.name == name) {
                    let what = Oddity::SameName(same.id);
                    self.warn(number, what);
                }
                self.conf.modes.push(Mode {
                    id,
                    name,
                    line: number,
                    rows: Vec::new(),
                });
                Section::Mode
            }
            Header::Config {
                default,
                default_word,
            } => {
                if let Some(first) = self.default {
                    return Err(line.error(Fault::ConfigTwice(first.at.line)));
                }
                self.conf.default = default;
                self.default = Some(default_word);
                Section::Config
            }
            Header::Skipped => {
                self.warn(number, Oddity::Skipped);
                Section::Skipped
            }
        };
        Ok(())
    }

    fn param(&mut self, kind: Kind, name: Word<'a>) -> Result<(), ConfError> {
        let params = &mut self.conf.params;
        if let Some(first) = params.iter().find(|param| param.name == name.text) {
            return Err(name.error(Fault::ParamTwice(first.line)));
        }
        if params.len() == limits::CONF_PARAMS {
            return Err(name.error(Fault::ParamLimit));
        }
        params.push(Param {
            kind,
            name: name.text,
            args: Vec::new(),
            line: name.at.line,
        });
        Ok(())
    }

    /// A row of the last parameter.
    fn arg(&mut self, line: Word<'a>) -> Result<(), ConfError> {
        let Some(param) = self.conf.params.last_mut() else {
            return Ok(());
        };
        let (name, path, file) = if param.kind == Kind::Hwmon {
            let [name, path, file] = line.row()?;
            (name, path, Some(file))
        } else {
            let [name, path] = line.row()?;
            (name, path, None)
        };
        let arg = Arg {
            name: name.name()?,
            node: node(path, file)?,
        };
        if param.args.iter().any(|other| other.name == arg.name) {
            return Err(name.error(Fault::ArgTwice));
        }
        if param.args.len() == limits::CONF_ARGS {
            return Err(name.error(Fault::ArgLimit));
        }
        param.args.push(arg);
        Ok(())
    }

    /// A row of the last mode.
    fn row(&mut self, line: Word<'a>) -> Result<(), ConfError> {
        let Some(mode) = self.conf.modes.last_mut() else {
            return Ok(());
        };
        if line.text.starts_with('/') {
            return Err(line.error(Fault::BarePath));
        }
        let [param_word, arg_word, value_word] = line.row()?;
        let param = self
            .conf
            .params
            .iter()
            .find(|param| param.name == param_word.text);
        let param = param.ok_or_else(|| param_word.error(Fault::NoParam))?;
        let target = param
            .target(arg_word.text)
            .ok_or_else(|| arg_word.error(Fault::NoArg))?;
        if value_word.text.len() > limits::CONF_WORD {
            return Err(value_word.error(Fault::WordLimit));
        }
        let role = Role::of(&target);
        let (value, odd) =
            Value::read(value_word.text, param.kind, role).map_err(|fault| value_word.error(fault))?;
        let row = Row {
            line: line.at.line,
            param: param.name,
            kind: param.kind,
            arg: arg_word.text,
            target,
            table: param.target("FREQ_TABLE"),
            role,
            text: value_word.text,
            value,
        };
        let same = |other: &&Row<'_>| other.param == row.param && other.arg == row.arg;
        let again = match mode.rows.iter().find(same) {
            None => None,
            Some(first) if first.text == row.text => Some(Oddity::SaidTwice(first.line)),
            Some(first) => return Err(param_word.error(Fault::RowTwice(first.line))),
        };
        if mode.rows.len() == limits::CONF_ROWS {
            return Err(line.error(Fault::RowLimit));
        }
        mode.rows.push(row);
        for what in odd.into_iter().chain(again) {
            self.warn(row.line, what);
        }
        Ok(())
    }

    /// Looks at the section that ends here as a whole.
    fn close(&mut self) -> Result<(), ConfError> {
        match self.section {
            Section::Param => {
                let empty = self.conf.params.last().filter(|param| param.args.is_empty());
                if let Some(line) = empty.map(|param| param.line) {
                    self.warn(line, Oddity::EmptyParam);
                }
            }
            Section::Mode => {
                let Some(mode) = self.conf.modes.last() else {
                    return Ok(());
                };
                if mode.rows.is_empty() {
                    let at = super::Position {
                        line: mode.line,
                        column: 1,
                    };
                    return Err(at.error(Fault::EmptyMode));
                }
                let found = oddities(mode, &self.conf.params);
                self.conf.warnings.extend(found);
            }
            Section::None | Section::Config | Section::Skipped => {}
        }
        Ok(())
    }

    fn end(mut self, end: Word<'a>) -> Result<Conf<'a>, ConfError> {
        self.close()?;
        if self.conf.modes.is_empty() {
            return Err(end.error(Fault::NoMode));
        }
        let default = self.default.ok_or_else(|| end.error(Fault::NoDefault))?;
        if self.conf.mode(self.conf.default).is_none() {
            return Err(default.error(Fault::DefaultUnknown(self.conf.default)));
        }
        self.conf.warnings.sort_by_key(|warning| warning.line);
        Ok(self.conf)
    }
}

/// What is odd about a whole mode.
fn oddities(mode: &Mode<'_>, params: &[Param<'_>]) -> Vec<Warning> {
    let mut found = Vec::new();
    let core = |row: &Row<'_>| match row.role {
        Role::CoreOnline(core) => Some(core),
        _ => None,
    };
    let declared = params
        .iter()
        .flat_map(|param| param.args.iter().filter_map(|arg| param.target(arg.name)))
        .filter_map(|target| match Role::of(&target) {
            Role::CoreOnline(core) => Some(core),
            _ => None,
        });
    let mut declared: Vec<u32> = declared.collect();
    declared.sort_unstable();
    declared.dedup();
    let unset = |wanted: &&u32| **wanted != 0 && !mode.rows.iter().any(|row| core(row) == Some(**wanted));
    let unset = declared.iter().filter(unset).count();
    // A mode that sets no core at all leaves them alone on purpose.
    if unset > 0 && mode.rows.iter().any(|row| core(row).is_some()) {
        found.push(Warning {
            line: mode.line,
            what: Oddity::CoresNotSet(u32::try_from(unset).unwrap_or(u32::MAX)),
        });
    }
    for row in &mode.rows {
        if row.role == Role::CoreOnline(0) && row.value == Value::Number(0) {
            found.push(Warning {
                line: row.line,
                what: Oddity::CoreZeroOff,
            });
        }
        let highest = match row.role {
            Role::CpuMin(cpu) => Role::CpuMax(cpu),
            Role::GpuMin => Role::GpuMax,
            _ => continue,
        };
        let above = |other: &Row<'_>| match (row.value, other.value) {
            (Value::Number(low), Value::Number(high)) => other.role == highest && low > high,
            _ => false,
        };
        if mode.rows.iter().any(above) {
            found.push(Warning {
                line: row.line,
                what: Oddity::MinAboveMax,
            });
        }
    }
    found
}

fn node<'a>(path: Word<'a>, file: Option<Word<'a>>) -> Result<Node<'a>, ConfError> {
    if !path.text.starts_with('/') || path.text.split('/').any(|part| part == "..") {
        return Err(path.error(Fault::Path));
    }
    if let Some(file) = file
        && (file.text.contains('/') || file.text == "." || file.text == "..")
    {
        return Err(file.error(Fault::FileName));
    }
    Ok(Node {
        path: path.text,
        file: file.map(|file| file.text),
    })
}

/// Whether a comment holds the header of a mode: one that was switched off, or one that was glued to the comment.
fn names_a_mode(comment: &str) -> bool {
    comment.split_once("POWER_MODEL").is_some_and(|(_, after)| {
        let id = after.split_once("ID=").map_or("", |(_, id)| id);
        id.starts_with(|char: char| char.is_ascii_digit())
    })
}
