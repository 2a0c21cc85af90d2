//! Which checks are asked for.

use anyhow::bail;

use super::check::Check;
use super::checks;
use crate::config::suggest;

/// Those of `only`, in the order of the table; all, if none is named. Those of a start are among them if one `starts`.
pub fn checks(only: &[String], starts: bool) -> anyhow::Result<Vec<&'static Check>> {
    let wanted: Vec<_> = only.iter().map(|id| id.trim().to_uppercase()).collect();
    let ids: Vec<_> = checks::all().map(|check| check.id).collect();
    if let Some(unknown) = wanted.iter().find(|id| !ids.contains(&id.as_str())) {
        match suggest::hint(unknown, ids.iter().copied()) {
            Some(hint) => bail!(
                "no check is called `{}`\nhint: {hint}",
                unknown.escape_debug()
            ),
            None => bail!("no check is called `{}`", unknown.escape_debug()),
        }
    }
    let is_named = |check: &Check| wanted.iter().any(|id| id == check.id);
    let of_start = checks::all().find(|check| is_named(check) && checks::is_of_start(check));
    if let Some(check) = of_start.filter(|_| !starts) {
        bail!("{} is about a start\nhint: --start makes one", check.id);
    }
    let is_wanted = |check: &&Check| match wanted.is_empty() {
        true => starts || !checks::is_of_start(check),
        false => is_named(check),
    };
    Ok(checks::all().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(only: &[&str]) -> anyhow::Result<Vec<&'static str>> {
        let only: Vec<_> = only.iter().map(|id| (*id).to_owned()).collect();
        Ok(checks(&only, false)?.iter().map(|check| check.id).collect())
    }

    #[test]
    fn those_of_a_start_take_one() {
        assert!(!chosen(&[]).unwrap().contains(&"P01"));
        assert!(
            chosen(&["P01"])
                .unwrap_err()
                .to_string()
                .contains("--start")
        );
        let all = checks(&[], true).unwrap();
        assert_eq!(all.len(), checks::all().count());
        let one = checks(&["P01".to_owned()], true).unwrap();
        assert_eq!(one.len(), 1);
    }

    #[test]
    fn checks_are_named_in_any_case_and_order() {
        assert_eq!(chosen(&["t05", " L01"]).unwrap(), ["L01", "T05"]);
    }

    #[test]
    fn an_unknown_check_is_an_error() {
        let error = chosen(&["T99"]).unwrap_err().to_string();
        assert!(error.contains("`T99`"), "{error}");
    }
}
