//! What people type, and what it means. Pure.

/// A number of a list from 1 to `count`, as an index.
pub(super) fn choice(text: &str, count: usize) -> Result<usize, String> {
    let number = text.parse::<usize>().ok();
    match number.filter(|number| (1..=count).contains(number)) {
        Some(number) => Ok(number - 1),
        None if count == 1 => Err("there is only 1".to_owned()),
        None => Err(format!("write a number from 1 to {count}")),
    }
}

/// Yes or no.
pub(super) fn yes(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("write y or n".to_owned()),
    }
}

/// A port.
pub(super) fn port(text: &str) -> Result<u16, String> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "write a number from 1 to 65535".to_owned())
}

/// Something that is there, in one word.
pub(super) fn word(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains(char::is_whitespace) {
        true => Err("write one word".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// Words with commas or spaces between them.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// A name that a configuration takes, made of any other.
pub(super) fn name(text: &str) -> String {
    const LONGEST: usize = 40;
    let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
        true => c,
        false => '-',
    };
    let name: String = text.chars().map(plain).collect();
    let name = name.trim_start_matches(['-', '.', '_']);
    let name: String = name.chars().take(LONGEST).collect();
    match name.is_empty() {
        true => "db".to_owned(),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_list_begin_at_one_and_end_with_it() {
        assert_eq!((choice("1", 3), choice("3", 3)), (Ok(0), Ok(2)));
        for text in ["0", "4", "-1", "", "one", "1 2"] {
            assert_eq!(
                choice(text, 3),
                Err("write a number from 1 to 3".into()),
                "{text}"
            );
        }
    }

    #[test]
    fn yes_and_no_are_known_by_their_first_letter_too() {
        for (text, means) in [("y", true), ("YES", true), ("n", false), ("No", false)] {
            assert_eq!(yes(text), Ok(means));
        }
        assert!(yes("perhaps").is_err() && yes("").is_err());
    }

    #[test]
    fn a_port_is_one_that_can_be_connected_to() {
        assert_eq!(port("5432"), Ok(5432));
        for text in ["0", "65536", "", "http", "-1"] {
            assert!(port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_are_taken_however_they_are_separated() {
        assert_eq!(
            words(" subnet-1, subnet-2 subnet-3,"),
            ["subnet-1", "subnet-2", "subnet-3"]
        );
        assert!(words(" , ").is_empty());
    }

    #[test]
    fn any_text_makes_a_name_that_the_configuration_takes() {
        for (text, made) in [
            ("app-db", "app-db"),
            ("my app", "my-app"),
            ("-x", "x"),
            ("d\u{f6}ner", "d-ner"),
            ("...", "db"),
            ("", "db"),
        ] {
            assert_eq!(name(text), made);
        }
        assert_eq!(name(&"x".repeat(99)).len(), 40);
    }
}
