//! On which capacity a task runs: one provider by its name, or a strategy of several as the AWS CLI writes it,
//! `capacityProvider=FARGATE_SPOT,weight=4,base=1`.

use serde::Serialize;
use toml::Spanned;

use super::{
    error::Complaint,
    scope::{Scope, one_word},
};

/// Most of a strategy, and its largest numbers (ECS API model).
const MOST_PROVIDERS: usize = 20;
const MOST_WEIGHT: i32 = 1000;
const MOST_BASE: i32 = 100_000;

/// A capacity provider, and its part in a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CapacityProvider {
    /// `FARGATE`, `FARGATE_SPOT`, or another of the cluster.
    pub name: String,
    /// Its share of the tasks beyond all bases.
    pub weight: i32,
    /// So many tasks run on it before shares count.
    pub base: i32,
}

impl CapacityProvider {
    /// One that gets every task.
    pub fn only(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            weight: 1,
            base: 0,
        }
    }
}

type Strategy = Spanned<Vec<Spanned<String>>>;

pub(super) fn check(
    scope: &mut Scope,
    one: Option<Spanned<String>>,
    several: Option<Strategy>,
) -> Vec<CapacityProvider> {
    const KEY: &str = "capacity_provider_strategy";
    let is_doubled = one.is_some();
    let one = scope.checked("capacity_provider", one, one_word);
    let Some(several) = several else {
        return one
            .iter()
            .map(|name| CapacityProvider::only(name))
            .collect();
    };
    let span = several.span();
    if is_doubled {
        let complaint = Complaint::new("stands beside `capacity_provider`");
        scope.wrong(KEY, span.clone(), complaint.hint("leave one of them out"));
    }
    let mut strategy = Vec::new();
    for text in several.into_inner() {
        match provider(text.get_ref()) {
            Ok(provider) => strategy.push(provider),
            Err(complaint) => return wrong(scope, KEY, text.span(), complaint),
        }
    }
    match whole(&strategy) {
        Ok(()) => strategy,
        Err(complaint) => wrong(scope, KEY, span, complaint),
    }
}

fn wrong(
    scope: &mut Scope,
    key: &str,
    span: std::ops::Range<usize>,
    complaint: Complaint,
) -> Vec<CapacityProvider> {
    scope.wrong(key, span, complaint);
    Vec::new()
}

fn provider(text: &str) -> Result<CapacityProvider, Complaint> {
    let wrong = |why: &str| {
        Complaint::new(format!("`{}`: {why}", text.escape_debug()))
            .hint("write it as \"capacityProvider=FARGATE_SPOT,weight=1,base=0\"")
    };
    let mut provider = CapacityProvider::only("");
    for part in text.split(',') {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| wrong("is no provider"))?;
        let number = |most: i32| {
            let number = value
                .parse()
                .ok()
                .filter(|number| (0..=most).contains(number));
            number.ok_or_else(|| wrong(&format!("`{key}` must be from 0 to {most}")))
        };
        match key {
            "capacityProvider" => provider.name = value.to_owned(),
            "weight" => provider.weight = number(MOST_WEIGHT)?,
            "base" => provider.base = number(MOST_BASE)?,
            _ => return Err(wrong(&format!("there is no `{}`", key.escape_debug()))),
        }
    }
    one_word(&provider.name).map_err(|_| wrong("names no provider"))?;
    Ok(provider)
}

/// What ECS asks of a strategy as a whole.
fn whole(strategy: &[CapacityProvider]) -> Result<(), Complaint> {
    let mut names: Vec<&str> = strategy.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let bases = strategy.iter().filter(|it| it.base > 0).count();
    let wrong = match strategy.len() {
        0 => "must not be empty",
        count if count > MOST_PROVIDERS => "must not have more than 20 providers",
        count if names.len() < count => "names a provider twice",
        _ if bases > 1 => "must not have more than one provider with a base",
        _ if strategy.iter().all(|it| it.weight == 0) => {
            "must have a provider whose weight is not 0"
        }
        _ => return Ok(()),
    };
    Err(Complaint::new(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(line: &str) -> Result<Vec<CapacityProvider>, String> {
        let text = format!(
            "[bastion.dev]\ncluster = 'c'\ntask_definition = 'b'\nsubnets = ['subnet-0a1b2c3d']\n{line}\n\
             [[tunnel]]\nname = 'db'\nhost = 'db.internal'\nport = 5432\n"
        );
        let config = Config::parse(&text).map_err(|error| error.to_string())?;
        Ok(config.bastions["dev"].launch.capacity_providers.clone())
    }

    #[test]
    fn one_provider_or_a_strategy_in_the_words_of_the_cli() {
        let of = |name: &str, weight, base| CapacityProvider {
            name: name.to_owned(),
            weight,
            base,
        };
        assert_eq!(read(""), Ok(Vec::new()));
        let one = read("capacity_provider = 'FARGATE_SPOT'");
        assert_eq!(one, Ok(vec![of("FARGATE_SPOT", 1, 0)]));
        let several = "capacity_provider_strategy = ['capacityProvider=FARGATE,base=1,weight=0', \
                       'capacityProvider=FARGATE_SPOT,weight=4']";
        let expected = vec![of("FARGATE", 0, 1), of("FARGATE_SPOT", 4, 0)];
        assert_eq!(read(several), Ok(expected));
    }

    #[test]
    fn each_mistake_is_named() {
        let spot = "'capacityProvider=FARGATE_SPOT'";
        for (list, says) in [
            ("'FARGATE_SPOT'", "is no provider"),
            ("'capacityProvider=A,wieght=1'", "there is no `wieght`"),
            (
                "'capacityProvider=A,weight=1001'",
                "`weight` must be from 0 to 1000",
            ),
            (
                "'capacityProvider=A,base=-1'",
                "`base` must be from 0 to 100000",
            ),
            ("'weight=1'", "names no provider"),
            ("", "must not be empty"),
            (&format!("{spot}, {spot}"), "names a provider twice"),
            ("'capacityProvider=A,weight=0'", "whose weight is not 0"),
            (
                "'capacityProvider=A,base=1', 'capacityProvider=B,base=1'",
                "more than one provider with a base",
            ),
        ] {
            let error = read(&format!("capacity_provider_strategy = [{list}]")).unwrap_err();
            assert!(error.contains(says), "{list}: {error}");
        }
        let both = format!("capacity_provider = 'A'\ncapacity_provider_strategy = [{spot}]");
        assert!(
            read(&both)
                .unwrap_err()
                .contains("beside `capacity_provider`")
        );
    }
}
