//! A [`Finding`] is one thing that was looked at: what is so, how bad that is, and what to do about it.

use fulcrum::board::FileError;
use serde::Serialize;

/// How bad a finding is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// fulcrum cannot do a part of its work, or could not put the board back.
    Problem,
    /// It works, and a promise of time or power may break.
    Warning,
    /// Worth knowing, or could not be read.
    Note,
    /// As it should be.
    Ok,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Short and stable; programs may look for it.
    pub(super) name: String,
    /// How bad it is.
    pub(super) level: Level,
    /// One sentence of what is so, with the path and the value it was read from.
    pub(super) what: String,
    /// One sentence of what to do; `None` where there is nothing to.
    pub(super) fix: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// All is well with `name`.
    pub(super) fn ok(&mut self, name: impl Into<String>, what: impl Into<String>) {
        self.push(Level::Ok, name.into(), what.into(), None);
    }

    /// Something is to be known of `name`, and nothing to be done.
    pub(super) fn noted(&mut self, name: impl Into<String>, what: impl Into<String>) {
        self.push(Level::Note, name.into(), what.into(), None);
    }

    /// Something is so with `name`, and something can be done.
    pub(super) fn found(
        &mut self,
        level: Level,
        name: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(level, name.into(), what.into(), Some(fix.into()));
    }

    /// What `name` is judged by could not be read, so it is not judged.
    pub(super) fn unread(&mut self, name: impl Into<String>, error: &FileError) {
        let closed = matches!(error.errno(), libc::EACCES | libc::EPERM);
        let fix = closed.then(|| "run `sudo fulcrum doctor` to have it read".to_owned());
        self.push(
            Level::Note,
            name.into(),
            format!("not judged, since it could not be read: {error}"),
            fix,
        );
    }

    /// The findings, the worst first; of one level in the order in which they were looked at.
    pub(super) fn worst_first(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|it| it.level);
        self.0
    }

    fn push(&mut self, level: Level, name: String, what: String, fix: Option<String>) {
        self.0.push(Finding {
            name,
            level,
            what,
            fix,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulcrum::board::FileFault;

    #[test]
    fn the_worst_comes_first_and_what_was_closed_says_how_to_see_it() {
        let mut findings = Findings::default();
        findings.ok("a", "well");
        let mut error = FileError {
            path: "/sys/x".into(),
            fault: FileFault::Errno(libc::EACCES),
        };
        findings.unread("b", &error);
        error.fault = FileFault::Errno(libc::ENOENT);
        findings.unread("c", &error);
        findings.found(Level::Problem, "d", "bad", "mend it");
        let all = findings.worst_first();
        let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["d", "b", "c", "a"]);
        assert!(all[1].what.contains("/sys/x") && all[1].fix.is_some());
        assert_eq!(all[2].fix, None);
    }
}
