//! Which checks are asked for.

use anyhow::bail;

use super::check::Check;
use super::checks;
use crate::config::suggest;

/// Those of `only`, in the order of the table; all, if none is named.
pub fn checks(only: &[String]) -> anyhow::Result<Vec<&'static Check>> {
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
    let is_wanted = |check: &&Check| wanted.is_empty() || wanted.iter().any(|id| id == check.id);
    Ok(checks::all().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(only: &[&str]) -> anyhow::Result<Vec<&'static str>> {
        let only: Vec<_> = only.iter().map(|id| (*id).to_owned()).collect();
        Ok(checks(&only)?.iter().map(|check| check.id).collect())
    }

    #[test]
    fn checks_are_named_in_any_case_and_order() {
        assert_eq!(chosen(&["t05", " L01"]).unwrap(), ["L01", "T05"]);
        assert_eq!(chosen(&[]).unwrap().len(), checks::all().count());
    }

    #[test]
    fn an_unknown_check_is_an_error() {
        let error = chosen(&["T99"]).unwrap_err().to_string();
        assert!(error.contains("`T99`"), "{error}");
    }
}
