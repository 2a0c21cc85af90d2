//! A bastion out of what its stack tells. Pure.

use std::collections::BTreeMap;

use super::draft::Bastion;

/// The outputs that this reads; a stack of another major schema has others.
const SCHEMA: &str = "1";
/// AWS's document, which a configuration need not name.
const OPEN_DOCUMENT: &str = "AWS-StartPortForwardingSessionToRemoteHost";

/// What tells a stack of ours.
pub(super) const MARK: &str = "BastiondSchema";

/// The bastion of the stack called `stack`.
pub(super) fn of_outputs(
    stack: &str,
    outputs: &BTreeMap<String, String>,
) -> Result<Bastion, String> {
    let told = |key: &str| outputs.get(key).map(String::as_str).unwrap_or_default();
    let schema = told(MARK);
    let major = schema.split('.').next().unwrap_or_default();
    if major.is_empty() {
        return Err(format!(
            "the stack `{stack}` is none of bastiond's: it has no output {MARK}"
        ));
    }
    if major != SCHEMA {
        return Err(format!(
            "the stack `{stack}` has schema {schema}, which this version does not know: it reads {SCHEMA}\nhint: install \
             a newer bastiond, or write the configuration by hand"
        ));
    }
    let needed = |key: &str| match told(key) {
        "" => Err(format!("the stack `{stack}` does not tell its {key}")),
        value => Ok(value.to_owned()),
    };
    let document = Some(told("DocumentName")).filter(|it| !it.is_empty() && *it != OPEN_DOCUMENT);
    let family = needed("TaskFamily")?;
    Ok(Bastion {
        // The operator policy allows tasks that are tagged so.
        name: family.clone(),
        cluster: needed("ClusterName")?,
        task_definition: family,
        service: Some(told("ServiceName"))
            .filter(|it| !it.is_empty())
            .map(str::to_owned),
        subnets: listed(&needed("SubnetIds")?),
        security_groups: listed(told("SecurityGroupIds")),
        assign_public_ip: told("AssignPublicIp") == "ENABLED",
        capacity_provider: Some(told("CapacityProvider"))
            .filter(|it| !matches!(*it, "" | "FARGATE"))
            .map(str::to_owned),
        document: document.map(str::to_owned),
        port: document.and_then(|_| told("TargetPort").parse().ok()),
    })
}

fn listed(text: &str) -> Vec<String> {
    let ids = text.split(',').filter(|id| !id.is_empty());
    ids.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let all = [
            (MARK, "1"),
            ("ClusterName", "c"),
            ("TaskFamily", "b"),
            ("SubnetIds", "subnet-1,subnet-2"),
            ("SecurityGroupIds", "sg-1"),
            ("AssignPublicIp", "DISABLED"),
            ("CapacityProvider", "FARGATE"),
            ("DocumentName", "b-port-forward"),
            ("TargetPort", "5432"),
        ];
        let all = all.iter().chain(more);
        all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_stack_tells_all_of_a_bastion() {
        let bastion = of_outputs("s", &outputs(&[])).unwrap();
        assert_eq!(
            (bastion.name.as_str(), bastion.cluster.as_str()),
            ("b", "c")
        );
        assert_eq!(bastion.subnets, ["subnet-1", "subnet-2"]);
        assert_eq!(bastion.security_groups, ["sg-1"]);
        assert!(!bastion.assign_public_ip && bastion.capacity_provider.is_none());
        assert_eq!(bastion.service, None);
        let served = of_outputs("s", &outputs(&[("ServiceName", "b")])).unwrap();
        assert_eq!(served.service.as_deref(), Some("b"));
        assert_eq!(
            (bastion.document.as_deref(), bastion.port),
            (Some("b-port-forward"), Some(5432))
        );
        let open = of_outputs(
            "s",
            &outputs(&[
                ("DocumentName", OPEN_DOCUMENT),
                ("AssignPublicIp", "ENABLED"),
            ]),
        );
        let open = open.unwrap();
        assert_eq!(
            (open.document, open.port, open.assign_public_ip),
            (None, None, true)
        );
    }

    #[test]
    fn a_minor_schema_is_read_and_a_major_one_refused() {
        assert!(of_outputs("s", &outputs(&[(MARK, "1.4")])).is_ok());
        let newer = of_outputs("s", &outputs(&[(MARK, "2")])).unwrap_err();
        assert!(
            newer.contains("schema 2") && newer.contains("hint:"),
            "{newer}"
        );
        let other = of_outputs("s", &BTreeMap::new()).unwrap_err();
        assert!(other.contains("none of bastiond's"), "{other}");
    }

    #[test]
    fn an_output_that_is_missing_is_named() {
        for key in ["ClusterName", "TaskFamily", "SubnetIds"] {
            let mut outputs = outputs(&[]);
            outputs.remove(key);
            let error = of_outputs("s", &outputs).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
    }
}
