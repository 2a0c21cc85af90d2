//! Where a sign-in leaves its traces: the files of the AWS CLI, by their times and sizes.

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// More files than this are not told apart; a cache that nobody clears holds some dozens.
const MAX_FILES: usize = 1000;

/// What `aws sso login`, `aws login` and editing the configuration change.
#[derive(Clone, Debug, Default)]
pub(super) struct Files(Vec<PathBuf>);

/// How the files look at one moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Vec<(PathBuf, Option<SystemTime>, u64)>);

impl Files {
    /// Those that the SDK reads on this machine.
    pub(super) fn of_machine() -> Self {
        Self::find(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn find(env: impl Fn(&str) -> Option<String>) -> Self {
        let home = env("HOME").map(PathBuf::from);
        let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let named = |name: &str, otherwise: &str| match env(name) {
            Some(path) => match path.strip_prefix("~/") {
                Some(rest) => in_home(rest),
                None => Some(PathBuf::from(path)),
            },
            None => in_home(otherwise),
        };
        let files = [
            named("AWS_CONFIG_FILE", ".aws/config"),
            named("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
            named("AWS_LOGIN_CACHE_DIRECTORY", ".aws/login/cache"),
            in_home(".aws/sso/cache"),
        ];
        Self(files.into_iter().flatten().collect())
    }

    /// How they look now: of a folder, what is in it. Blocks for as long as the disk does.
    pub(super) fn stamp(&self) -> Stamp {
        let mut all: Vec<_> = self.0.iter().flat_map(|path| look(path)).collect();
        all.sort();
        Stamp(all)
    }
}

fn look(path: &Path) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
    let seen = |path: PathBuf, about: Metadata| (path, about.modified().ok(), about.len());
    match std::fs::metadata(path) {
        Err(_) => Vec::new(),
        Ok(about) if !about.is_dir() => vec![seen(path.to_owned(), about)],
        Ok(_) => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries
                .take(MAX_FILES)
                .filter_map(|entry| Some(seen(entry.path(), entry.metadata().ok()?)))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(home: &Path, more: &[(&str, &str)]) -> Files {
        Files::find(|name| match name {
            "HOME" => Some(home.display().to_string()),
            _ => {
                let mut more = more.iter();
                more.find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            }
        })
    }

    #[test]
    fn whatever_a_sign_in_writes_changes_the_stamp() {
        let home = tempfile::tempdir().unwrap();
        let files = files(home.path(), &[]);
        let mut before = files.stamp();
        for path in [
            ".aws/sso/cache/0a.json",
            ".aws/login/cache/0b.json",
            ".aws/config",
            ".aws/credentials",
        ] {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            for text in ["one", "other"] {
                std::fs::write(&path, text).unwrap();
                let after = files.stamp();
                assert_ne!(before, after, "{path:?}");
                assert_eq!(after, files.stamp());
                before = after;
            }
        }
    }

    #[test]
    fn files_elsewhere_are_looked_at_where_they_are() {
        let home = tempfile::tempdir().unwrap();
        let more = [
            ("AWS_CONFIG_FILE", "~/mine"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/elsewhere/keys"),
        ];
        let Files(paths) = files(home.path(), &more);
        assert_eq!(paths[0], home.path().join("mine"));
        assert_eq!(paths[1], Path::new("/elsewhere/keys"));
    }
}
