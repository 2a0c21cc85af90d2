//! `docs/errors.md`: what AWS may say, and what may be wrong with a call of the control API.

use std::path::Path;

use crate::{aws, control};

#[test]
fn errors_page_is_made_of_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let page = aws::page::page() + &control::code::section();
    if std::env::var_os("BASTIOND_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/errors.md is not what the tables say: BASTIOND_WRITE_DOCS=1 cargo test --lib errors_page"
    );
}
