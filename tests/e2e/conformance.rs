//! `docs/conformance.md` and `docs/resilience.md` name tests that exist.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_test_named_in_the_conformance_list_exists() {
    let rows = rows_of("docs/conformance.md");
    assert_eq!(rows.len(), 71);
    let sources = Sources::gather();
    for (row, number) in rows.iter().zip(1..) {
        assert!(row.starts_with(&format!("| {number} |")), "{row}");
        let tests = last_column(row);
        let count = sources.assert_all_exist(tests);
        assert!(
            count > 0 || tests.starts_with("not "),
            "row {number} has no test"
        );
    }
}

#[test]
fn every_test_named_in_the_list_of_faults_exists() {
    let rows = rows_of("docs/resilience.md");
    assert!(rows.len() > 40, "{}", rows.len());
    let sources = Sources::gather();
    for row in rows {
        let count = sources.assert_all_exist(last_column(&row));
        assert!(count > 0, "no test: {row}");
    }
}

/// The rows that begin with a number, such as `| 7 |` or `| 7.1 |`.
fn rows_of(list: &str) -> Vec<String> {
    let list = fs::read_to_string(root().join(list)).expect("the list");
    let is_row =
        |line: &&str| line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit());
    list.lines().filter(is_row).map(str::to_owned).collect()
}

fn last_column(row: &str) -> &str {
    let row = row.trim_end().trim_end_matches('|');
    row.rsplit(" | ").next().expect("columns")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every test there is.
pub struct Sources(String);

impl Sources {
    pub fn gather() -> Self {
        let mut all = String::new();
        gather(&root().join("src"), &mut all);
        gather(&root().join("tests"), &mut all);
        Self(all)
    }

    /// How many tests a cell names: each in backquotes, as a function or as `program::modules::function`.
    fn assert_all_exist(&self, cell: &str) -> usize {
        let names = cell.split('`').skip(1).step_by(2);
        let names: Vec<&str> = names.filter(|name| !name.contains('/')).collect();
        for name in &names {
            self.assert_exists(name);
        }
        names.len()
    }

    pub fn assert_exists(&self, name: &str) {
        let parts: Vec<&str> = name.split("::").collect();
        match parts[..] {
            [function] => assert!(has(&self.0, function), "no test `{name}`"),
            [program, ref modules @ .., function] => {
                let module = modules.join("/");
                let folder = root().join(format!("tests/{program}/{module}"));
                let file = match folder.join("mod.rs") {
                    file if file.exists() => file,
                    _ => folder.with_extension("rs"),
                };
                let text = fs::read_to_string(&file);
                let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                assert!(has(&text, function), "no test `{name}`");
            }
            _ => panic!("`{name}` is neither a function nor program::modules::function"),
        }
    }
}

fn has(text: &str, function: &str) -> bool {
    text.contains(&format!("fn {function}()"))
}

fn gather(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            sources.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
}
