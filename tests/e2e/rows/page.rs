//! The rows of `docs/errors.md`, which is made of the tables that the program goes by.

/// What no tunnel runs into: the door's own refusals, and what becomes of a stack.
const ELSEWHERE: [&str; 2] = ["Calls of the control API", "Calls of CloudFormation"];

/// A row: what it is about, what it means, and what to do about it.
#[derive(Debug)]
pub struct Row {
    pub section: String,
    /// Its first column.
    pub cause: String,
    codes: Vec<String>,
    words: Vec<String>,
    operation: Option<String>,
    exit: Option<i32>,
    pub meaning: String,
    /// The stable word; that of tasks that stopped is always the same.
    pub word: String,
    pub again: String,
    /// With PROFILE and REGION in it.
    advice: String,
}

/// What a row is looked for by.
pub struct Failed<'a> {
    pub section: &'a str,
    pub operation: &'a str,
    pub code: &'a str,
    pub text: &'a str,
    pub exit: Option<i32>,
}

pub fn rows() -> Vec<Row> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in page.lines() {
        match line.strip_prefix("## ") {
            Some(title) => section = title.to_owned(),
            None if line.starts_with("| ") && !ELSEWHERE.contains(&section.as_str()) => {
                rows.push(Row::read(&section, line));
            }
            None => {}
        }
    }
    // The head of each table.
    rows.retain(|row| row.meaning != "what it means" && row.meaning != "what to do");
    rows
}

impl Row {
    fn read(section: &str, line: &str) -> Self {
        let line = line.trim_matches('|');
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let (cause, last) = (cells[0], cells[cells.len() - 1]);
        let (codes, words) = match cause.split_once(" with `") {
            Some((codes, words)) => (ticked(codes), ticked(&format!("`{words}"))),
            None if section.starts_with("RunTask") || section == "No credentials" => {
                (Vec::new(), ticked(cause))
            }
            None => (ticked(cause), Vec::new()),
        };
        let exit = cause.split_once("exit code ").map(|(_, code)| code);
        let (_, operation) = cause.rsplit_once("` of ").unzip();
        let has_word = cells.len() == 5;
        Self {
            section: section.to_owned(),
            cause: cause.to_owned(),
            codes,
            words,
            operation: operation.map(str::to_owned),
            exit: exit.map(|code| code.parse().expect("an exit code")),
            meaning: cells[1].to_owned(),
            word: match has_word {
                true => cells[2].trim_matches('`').to_owned(),
                false => "task_stopped".to_owned(),
            },
            again: cells[cells.len() - 2].to_owned(),
            advice: last.to_owned(),
        }
    }

    /// The first that fits counts.
    pub fn of<'a>(rows: &'a [Self], failed: &Failed) -> &'a Self {
        let found = rows.iter().find(|row| row.fits(failed));
        found.unwrap_or_else(|| panic!("no row for {} {}", failed.code, failed.text))
    }

    fn fits(&self, failed: &Failed) -> bool {
        let text = failed.text.to_lowercase();
        let has =
            |words: &[String], word: &str| words.is_empty() || words.iter().any(|it| it == word);
        self.section == failed.section
            && has(&self.codes, failed.code)
            && (self.words.is_empty() || self.words.iter().any(|word| text.contains(word)))
            && self
                .operation
                .as_deref()
                .is_none_or(|it| it == failed.operation)
            && self.exit.is_none_or(|exit| Some(exit) == failed.exit)
    }

    /// What the status says to do, for somebody without a profile.
    pub fn hint(&self) -> Option<String> {
        self.filled("", "the environment or the default profile")
    }

    /// The same for somebody with one.
    pub fn hint_for(&self, profile: &str) -> Option<String> {
        self.filled(
            &format!(" --profile {profile}"),
            &format!("profile `{profile}`"),
        )
    }

    fn filled(&self, option: &str, source: &str) -> Option<String> {
        let named = self.advice.replace(" --profile PROFILE", option);
        let named = named.replace("PROFILE", source);
        let named = named.replace("REGION", "ap-northeast-1");
        Some(named).filter(|hint| hint != "nothing")
    }
}

fn ticked(text: &str) -> Vec<String> {
    let pieces = text.split('`').skip(1).step_by(2);
    pieces.map(str::to_owned).collect()
}
