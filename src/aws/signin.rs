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
        Self::find(machine)
    }

    /// Those of them that hold profiles.
    pub(super) fn of_profiles() -> Self {
        Self::profiles(&machine)
    }

    fn find(env: impl Fn(&str) -> Option<String>) -> Self {
        let Self(mut files) = Self::profiles(&env);
        files.extend(named(&env, "AWS_LOGIN_CACHE_DIRECTORY", ".aws/login/cache"));
        files.extend(in_home(&env, ".aws/sso/cache"));
        Self(files)
    }

    fn profiles(env: &impl Fn(&str) -> Option<String>) -> Self {
        let files = [
            named(env, "AWS_CONFIG_FILE", ".aws/config"),
            named(env, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        ];
        Self(files.into_iter().flatten().collect())
    }

    /// For a person.
    pub(super) fn told(&self) -> String {
        let paths = self.0.iter().map(|path| path.display().to_string());
        paths.collect::<Vec<_>>().join(" and ")
    }

    /// How they look now: of a folder, what is in it. Blocks for as long as the disk does.
    pub(super) fn stamp(&self) -> Stamp {
        let mut all: Vec<_> = self.0.iter().flat_map(|path| look(path)).collect();
        all.sort();
        Stamp(all)
    }
}

fn machine(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn in_home(env: &impl Fn(&str) -> Option<String>, path: &str) -> Option<PathBuf> {
    env("HOME").map(|home| Path::new(&home).join(path))
}

/// The path that the variable has, or the usual one.
fn named(
    env: &impl Fn(&str) -> Option<String>,
    variable: &str,
    otherwise: &str,
) -> Option<PathBuf> {
    match env(variable) {
        Some(path) => match path.strip_prefix("~/") {
            Some(rest) => in_home(env, rest),
            None => Some(PathBuf::from(path)),
        },
        None => in_home(env, otherwise),
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
    fn a_person_is_told_where_profiles_are_looked_for() {
        let env = |name: &str| match name {
            "HOME" => Some("/home/me".to_owned()),
            "AWS_SHARED_CREDENTIALS_FILE" => Some("~/keys".to_owned()),
            _ => None,
        };
        let told = Files::profiles(&env).told();
        assert_eq!(told, "/home/me/.aws/config and /home/me/keys");
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
