//! The mounts of this process: which file system lies where, and whether it may be written.

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it is mounted.
    pub(super) point: String,
    /// Whether nothing on it can be written.
    pub(super) read_only: bool,
}

/// The mount that the file at the absolute `path` lies on, from `/proc/self/mountinfo`.
pub(super) fn of(mountinfo: &str, path: &str) -> Option<Mount> {
    let around = |point: &str| {
        let rest = path.strip_prefix(point.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // Of several at one point the last is on top, and `max_by_key` takes the last of equals.
    mountinfo
        .lines()
        .filter_map(mount)
        .filter(|it| around(&it.point))
        .max_by_key(|it| it.point.len())
}

/// A line: id, parent, device, root, point, options, any further fields, a dash, type, source, options of the whole.
fn mount(line: &str) -> Option<Mount> {
    let (own, whole) = line.split_once(" - ")?;
    let mut own = own.split(' ').skip(4);
    let (point, options) = (own.next()?, own.next()?);
    let whole = whole.split(' ').nth(2).unwrap_or_default();
    let read_only = |options: &str| options.split(',').any(|it| it == "ro");
    Some(Mount {
        point: unescaped(point),
        read_only: read_only(options) || read_only(whole),
    })
}

/// Blanks, tabs, line ends and backslashes come as a backslash and three octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOUNTS: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
23 27 0:22 / /sys ro,relatime master:3 shared:2 - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
40 27 0:40 / /with\\040blank rw - tmpfs none ro
41 27 0:41 / /top ro - tmpfs none rw
42 27 0:42 / /top rw - tmpfs none rw
";

    #[test]
    fn the_nearest_mount_on_top_decides_whether_a_path_can_be_written() {
        let read_only = |path: &str| of(MOUNTS, path).map(|it| (it.point, it.read_only));
        assert_eq!(read_only("/sys/devices"), Some(("/sys".into(), true)));
        assert_eq!(
            read_only("/sys/fs/cgroup/cpu"),
            Some(("/sys/fs/cgroup".into(), false))
        );
        assert_eq!(read_only("/system"), Some(("/".into(), false)));
        assert_eq!(read_only("/with blank/x"), Some(("/with blank".into(), true)));
        assert_eq!(read_only("/top"), Some(("/top".into(), false)));
        assert_eq!(of("", "/"), None);
    }

    proptest! {
        #[test]
        fn no_table_makes_the_parser_panic(text in "[\\PC\n\\\\/ -]{0,120}") {
            let _ = of(&text, "/sys");
        }
    }
}
