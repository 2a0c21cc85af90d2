//! `docs/conformance.md` names tests that exist.

use std::fs;
use std::path::Path;

#[test]
fn every_test_named_in_the_conformance_list_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs/conformance.md")).expect("the list");
    let mut sources = String::new();
    gather(&root.join("src"), &mut sources);
    gather(&root.join("tests"), &mut sources);
    let rows: Vec<&str> = list.lines().filter(|line| is_row(line)).collect();
    assert_eq!(rows.len(), 71);
    for (row, number) in rows.iter().zip(1..) {
        assert!(row.starts_with(&format!("| {number} |")), "{row}");
        let tests = row.split(" | ").nth(3).expect("four columns");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        let names = names.into_iter().filter(|name| !name.contains('/'));
        let mut count = 0;
        for name in names {
            let function = name.rsplit("::").next().expect("a name");
            let exists = sources.contains(&format!("fn {function}()"));
            assert!(exists, "row {number} names {name}");
            if let Some((module, _)) = name.strip_prefix("e2e::").and_then(|n| n.split_once("::")) {
                let file = root.join(format!("tests/e2e/{module}.rs"));
                let text = fs::read_to_string(file).expect("a module of these tests");
                assert!(
                    text.contains(&format!("fn {function}()")),
                    "row {number}: {name}"
                );
            }
            count += 1;
        }
        assert!(
            count > 0 || tests.starts_with("not "),
            "row {number} has no test"
        );
    }
}

fn is_row(line: &str) -> bool {
    let number = line
        .strip_prefix("| ")
        .and_then(|rest| rest.split(' ').next());
    number.is_some_and(|number| number.parse::<u32>().is_ok())
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
