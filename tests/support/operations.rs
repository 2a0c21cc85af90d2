//! The operations of AWS that the source names where it makes calls.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// What stands before an operation's name where it is called.
const MARKS: [&str; 4] = [".call(\"", ".paced(\"", ".paced_patiently(\"", "action:\""];

/// All of them. Roles are assumed by the SDK's own code.
pub fn of_the_source() -> BTreeSet<String> {
    let mut found = BTreeSet::from(["AssumeRole".to_owned()]);
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the source").flatten() {
            let path: PathBuf = entry.path();
            match path.is_dir() {
                true if !path.ends_with("tests") => folders.push(path),
                true => {}
                false => found.extend(of_file(&path)),
            }
        }
    }
    found
}

fn of_file(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).expect("a file of the source");
    let text: String = text.split_whitespace().collect();
    let after = MARKS.iter().flat_map(|mark| text.split(mark).skip(1));
    let names = after.filter_map(|rest| rest.split('"').next());
    let is_one = |name: &&str| name.chars().all(char::is_alphanumeric);
    names.filter(is_one).map(str::to_owned).collect()
}
