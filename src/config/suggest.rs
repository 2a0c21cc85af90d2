//! "Did you mean": the nearest of the words that would have been right.

/// How alike two words must be (Jaro-Winkler, 0 to 1) if they are not a slip of the finger apart. Below this,
/// guesses confuse more than they help: `host` and `port` score 0.67, `session_linger` and `half_close_linger` 0.73.
const ALIKE: f64 = 0.85;

/// The candidate most like `word`, if any is like it at all.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let slips = |candidate: &str| strsim::damerau_levenshtein(&word, candidate);
    let most_slips = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| {
            slips(candidate) <= most_slips || strsim::jaro_winkler(&word, candidate) >= ALIKE
        })
        .min_by_key(|candidate| slips(candidate))
}

/// "did you mean `near`?" when something is near, else "known: `a`, `b`"; `None` when there is nothing to name.
pub fn hint<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(near) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let known: Vec<String> = candidates
        .into_iter()
        .map(|name| format!("`{name}`"))
        .collect();
    (!known.is_empty()).then(|| format!("known: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        assert_eq!(nearest("regoin", ["profile", "region"]), Some("region"));
        assert_eq!(nearest("Hosts", ["port", "host"]), Some("host"));
        assert_eq!(nearest("app_db", ["cache", "app-db"]), Some("app-db"));
        assert_eq!(nearest("dve", ["prod", "dev"]), Some("dev"));
        assert_eq!(nearest("app", ["cache", "app-db"]), Some("app-db"));
    }

    #[test]
    fn a_stranger_is_answered_with_the_list() {
        assert_eq!(nearest("colour", ["port", "host"]), None);
        assert_eq!(
            hint("colour", ["port", "host"]),
            Some("known: `port`, `host`".into())
        );
        assert_eq!(hint("colour", []), None);
    }
}
