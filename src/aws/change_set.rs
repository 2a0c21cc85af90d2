//! The calls of CloudFormation that make and change a stack: a change set is prepared, looked at, and carried out or
//! forgotten.

use std::collections::BTreeMap;

use quick_xml::DeError;
use serde::Deserialize;

use super::{
    Aws,
    error::{Error, Kind},
    query::{Call, Form, Service},
    stack::{items, nothing},
};

/// What AWS takes for one; far above what a template has.
const MOST_PAGES: usize = 20;
/// A change set without changes is one that failed, by these words.
const NOTHING_TO_CHANGE: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

/// A change set to make.
#[derive(Clone, Copy, Debug)]
pub struct NewChangeSet<'a> {
    /// The stack's name.
    pub stack: &'a str,
    /// Its own name.
    pub name: &'a str,
    /// Whether it makes the stack.
    pub is_new: bool,
    /// The template's text, of at most 51,200 bytes (CloudFormation API model).
    pub template: &'a str,
    /// What the template is told.
    pub parameters: &'a BTreeMap<String, String>,
    /// The tags of the stack.
    pub tags: &'a BTreeMap<String, String>,
}

/// What would be done with a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeSet {
    /// Such as `CREATE_COMPLETE`, or `FAILED`.
    pub status: String,
    /// Why, where AWS says so.
    #[serde(rename = "StatusReason")]
    pub reason: Option<String>,
    /// What it would do to which resource.
    #[serde(deserialize_with = "items")]
    pub changes: Vec<Change>,
    next_token: Option<String>,
}

/// What would be done with a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Change {
    /// What and to which.
    #[serde(rename = "ResourceChange")]
    pub of: ResourceChange,
}

/// What would be done with which resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ResourceChange {
    /// `Add`, `Modify` or `Remove`, among others.
    pub action: String,
    /// Its name in the template.
    #[serde(rename = "LogicalResourceId")]
    pub resource: String,
    /// Its type, such as `AWS::ECS::Cluster`.
    #[serde(rename = "ResourceType")]
    pub kind: String,
    /// `True` if another takes its place, `Conditional` if that is not sure.
    pub replacement: Option<String>,
}

impl ChangeSet {
    /// Whether it failed only because all is as it should be.
    pub fn is_needless(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        self.status == "FAILED" && tells_of_no_change(reason)
    }
}

const CREATE_CHANGE_SET: Call = Call {
    service: Service::CloudFormation,
    action: "CreateChangeSet",
};
const DESCRIBE_CHANGE_SET: Call = Call {
    service: Service::CloudFormation,
    action: "DescribeChangeSet",
};
const LIST_CHANGE_SETS: Call = Call {
    service: Service::CloudFormation,
    action: "ListChangeSets",
};
const EXECUTE_CHANGE_SET: Call = Call {
    service: Service::CloudFormation,
    action: "ExecuteChangeSet",
};
const DELETE_CHANGE_SET: Call = Call {
    service: Service::CloudFormation,
    action: "DeleteChangeSet",
};

impl Aws {
    /// Prepares to make or change a stack, whose ARN it tells.
    pub async fn create_change_set(&self, new: NewChangeSet<'_>) -> Result<String, Error> {
        let mut form = of_change_set(CREATE_CHANGE_SET, new.stack, new.name);
        form.add(
            "ChangeSetType",
            if new.is_new { "CREATE" } else { "UPDATE" },
        );
        form.add("TemplateBody", new.template);
        form.add("Capabilities.member.1", "CAPABILITY_IAM");
        form.add("ClientToken", new.name);
        for (index, (key, value)) in new.parameters.iter().enumerate() {
            let member = format!("Parameters.member.{}", index + 1);
            form.add(&format!("{member}.ParameterKey"), key);
            form.add(&format!("{member}.ParameterValue"), value);
        }
        for (index, (key, value)) in new.tags.iter().enumerate() {
            let member = format!("Tags.member.{}", index + 1);
            form.add(&format!("{member}.Key"), key);
            form.add(&format!("{member}.Value"), value);
        }
        self.ask(CREATE_CHANGE_SET, &form, created).await
    }

    /// A change set as it stands, with all its changes.
    pub async fn change_set(&self, stack: &str, name: &str) -> Result<ChangeSet, Error> {
        let mut form = of_change_set(DESCRIBE_CHANGE_SET, stack, name);
        let mut whole = self.ask(DESCRIBE_CHANGE_SET, &form, described).await?;
        for _ in 1..MOST_PAGES {
            let Some(next) = whole.next_token.take().filter(|token| !token.is_empty()) else {
                break;
            };
            form = of_change_set(DESCRIBE_CHANGE_SET, stack, name);
            form.add("NextToken", &next);
            let page = self.ask(DESCRIBE_CHANGE_SET, &form, described).await?;
            whole.changes.extend(page.changes);
            whole.next_token = page.next_token;
        }
        Ok(whole)
    }

    /// The names of the change sets that wait for somebody to carry them out.
    pub async fn change_sets(&self, stack: &str) -> Result<Vec<String>, Error> {
        let mut form = Form::of(LIST_CHANGE_SETS);
        form.add("StackName", stack);
        let all = self.ask(LIST_CHANGE_SETS, &form, listed).await?;
        let waits = |it: &Summary| it.stack == stack && it.execution != "EXECUTE_COMPLETE";
        let names = all.into_iter().filter(waits).map(|it| it.name);
        Ok(names.collect())
    }

    /// Does what was prepared. The name tells a repeated call from another.
    pub async fn execute_change_set(&self, stack: &str, name: &str) -> Result<(), Error> {
        let mut form = of_change_set(EXECUTE_CHANGE_SET, stack, name);
        form.add("ClientRequestToken", name);
        self.ask(EXECUTE_CHANGE_SET, &form, nothing).await
    }

    /// Forgets what was prepared; one that is not there counts as forgotten.
    pub async fn delete_change_set(&self, stack: &str, name: &str) -> Result<(), Error> {
        let form = of_change_set(DELETE_CHANGE_SET, stack, name);
        match self.ask(DELETE_CHANGE_SET, &form, nothing).await {
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            done => done,
        }
    }
}

impl Error {
    /// Whether a change set was refused only because all is as it should be.
    pub fn is_of_no_change(&self) -> bool {
        self.operation == CREATE_CHANGE_SET.action && tells_of_no_change(&self.message)
    }
}

fn tells_of_no_change(text: &str) -> bool {
    NOTHING_TO_CHANGE.iter().any(|words| text.contains(words))
}

fn of_change_set(call: Call, stack: &str, name: &str) -> Form {
    let mut form = Form::of(call);
    form.add("StackName", stack);
    form.add("ChangeSetName", name);
    form
}

fn created(text: &str) -> Result<String, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "CreateChangeSetResult")]
        result: Created,
    }
    #[derive(Deserialize)]
    struct Created {
        #[serde(rename = "StackId")]
        stack: String,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result.stack)
}

fn described(text: &str) -> Result<ChangeSet, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "DescribeChangeSetResult")]
        result: ChangeSet,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Summary {
    #[serde(rename = "ChangeSetName")]
    name: String,
    #[serde(rename = "StackName")]
    stack: String,
    #[serde(rename = "ExecutionStatus")]
    execution: String,
}

fn listed(text: &str) -> Result<Vec<Summary>, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "ListChangeSetsResult")]
        result: Listed,
    }
    #[derive(Deserialize)]
    struct Listed {
        #[serde(rename = "Summaries", default, deserialize_with = "items")]
        summaries: Vec<Summary>,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result.summaries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_set_is_read_with_what_would_be_replaced() {
        let text = "<DescribeChangeSetResponse xmlns=\"x\"><DescribeChangeSetResult><Status>CREATE_COMPLETE</Status>\
            <Changes><member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>Cluster\
            </LogicalResourceId><ResourceType>AWS::ECS::Cluster</ResourceType><Replacement>True</Replacement><Scope/>\
            </ResourceChange></member></Changes><NextToken>2</NextToken></DescribeChangeSetResult>\
            </DescribeChangeSetResponse>";
        let set = described(text).unwrap();
        let [Change { of }] = &set.changes[..] else {
            panic!("{set:?}")
        };
        assert_eq!(
            (of.action.as_str(), of.resource.as_str()),
            ("Modify", "Cluster")
        );
        assert_eq!(of.replacement.as_deref(), Some("True"));
        assert_eq!(set.next_token.as_deref(), Some("2"));
    }

    #[test]
    fn a_change_set_that_changes_nothing_is_told_from_one_that_failed() {
        let of = |reason: &str| ChangeSet {
            status: "FAILED".into(),
            reason: Some(reason.into()),
            ..ChangeSet::default()
        };
        assert!(
            of("The submitted information didn't contain changes. Submit different information")
                .is_needless()
        );
        assert!(!of("Template format error").is_needless());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in [
            "",
            "<html>sign in</html>",
            "{}",
            "<DescribeChangeSetResponse>",
        ] {
            assert!(
                created(text).is_err() && described(text).is_err() && listed(text).is_err(),
                "{text}"
            );
        }
    }
}
