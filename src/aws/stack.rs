//! The calls of CloudFormation: what stacks there are, and making, changing and deleting one.

use std::collections::BTreeMap;

use quick_xml::DeError;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::{
    Aws,
    error::{Error, Kind},
    query::{Call, Form, Items, Service},
};

/// What AWS takes for one; far above what an account has.
const MOST_PAGES: usize = 50;
/// A change set without changes is one that failed, by these words.
const NOTHING_TO_CHANGE: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

/// A stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Stack {
    /// Its name.
    #[serde(rename = "StackName")]
    pub name: String,
    /// Such as `CREATE_COMPLETE`.
    #[serde(rename = "StackStatus")]
    pub status: String,
    /// Why it has this status, where AWS says so.
    #[serde(rename = "StackStatusReason")]
    pub reason: Option<String>,
    /// What it tells of itself.
    #[serde(deserialize_with = "pairs")]
    pub outputs: BTreeMap<String, String>,
    /// What it was made with.
    #[serde(deserialize_with = "pairs")]
    pub parameters: BTreeMap<String, String>,
}

impl Stack {
    /// Whether something is being done with it.
    pub fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && !self.is_empty()
    }

    /// Whether it is a name and no more: a change set was made that nobody carried out.
    pub fn is_empty(&self) -> bool {
        self.status == "REVIEW_IN_PROGRESS"
    }
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
}

impl ChangeSet {
    /// Whether it failed only because all is as it should be.
    pub fn is_needless(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        self.status == "FAILED" && NOTHING_TO_CHANGE.iter().any(|words| reason.contains(words))
    }
}

/// Something that happened to a resource of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StackEvent {
    /// What tells it from others.
    #[serde(rename = "EventId")]
    pub id: String,
    /// The resource's name in the template, or the stack's.
    #[serde(rename = "LogicalResourceId")]
    pub resource: String,
    /// Such as `CREATE_FAILED`.
    #[serde(rename = "ResourceStatus")]
    pub status: String,
    /// Why, where AWS says so.
    #[serde(rename = "ResourceStatusReason")]
    pub reason: Option<String>,
}

const DESCRIBE_STACKS: Call = Call {
    service: Service::CloudFormation,
    action: "DescribeStacks",
};
const CREATE_CHANGE_SET: Call = Call {
    service: Service::CloudFormation,
    action: "CreateChangeSet",
};
const DESCRIBE_CHANGE_SET: Call = Call {
    service: Service::CloudFormation,
    action: "DescribeChangeSet",
};
const EXECUTE_CHANGE_SET: Call = Call {
    service: Service::CloudFormation,
    action: "ExecuteChangeSet",
};
const DELETE_CHANGE_SET: Call = Call {
    service: Service::CloudFormation,
    action: "DeleteChangeSet",
};
const DESCRIBE_STACK_EVENTS: Call = Call {
    service: Service::CloudFormation,
    action: "DescribeStackEvents",
};
const DELETE_STACK: Call = Call {
    service: Service::CloudFormation,
    action: "DeleteStack",
};

impl Aws {
    /// The stack of this name, if there is one.
    pub async fn stack(&self, name: &str) -> Result<Option<Stack>, Error> {
        let mut form = Form::of(DESCRIBE_STACKS);
        form.add("StackName", name);
        match self.ask(DESCRIBE_STACKS, &form, stacks).await {
            Ok(page) => Ok(page.stacks.into_iter().next()),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All stacks that are not deleted.
    pub async fn stacks(&self) -> Result<Vec<Stack>, Error> {
        let (mut found, mut form) = (Vec::new(), Form::of(DESCRIBE_STACKS));
        for _ in 0..MOST_PAGES {
            let page = self.ask(DESCRIBE_STACKS, &form, stacks).await?;
            found.extend(page.stacks);
            let Some(next) = page.next_token.filter(|token| !token.is_empty()) else {
                return Ok(found);
            };
            form = Form::of(DESCRIBE_STACKS);
            form.add("NextToken", &next);
        }
        let message = format!("there are more than {MOST_PAGES} pages");
        Err(self.failure("DescribeStacks", None, message, Kind::Other))
    }

    /// Prepares to make or change a stack.
    pub async fn create_change_set(
        &self,
        stack: &str,
        change_set: &str,
        is_new: bool,
        template: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let mut form = of_change_set(CREATE_CHANGE_SET, stack, change_set);
        form.add("ChangeSetType", if is_new { "CREATE" } else { "UPDATE" });
        form.add("TemplateBody", template);
        form.add("Capabilities.member.1", "CAPABILITY_IAM");
        for (index, (key, value)) in parameters.iter().enumerate() {
            let member = format!("Parameters.member.{}", index + 1);
            form.add(&format!("{member}.ParameterKey"), key);
            form.add(&format!("{member}.ParameterValue"), value);
        }
        self.ask(CREATE_CHANGE_SET, &form, nothing).await
    }

    /// How far a change set is.
    pub async fn change_set(&self, stack: &str, change_set: &str) -> Result<ChangeSet, Error> {
        let form = of_change_set(DESCRIBE_CHANGE_SET, stack, change_set);
        self.ask(DESCRIBE_CHANGE_SET, &form, described).await
    }

    /// Does what was prepared.
    pub async fn execute_change_set(&self, stack: &str, change_set: &str) -> Result<(), Error> {
        let form = of_change_set(EXECUTE_CHANGE_SET, stack, change_set);
        self.ask(EXECUTE_CHANGE_SET, &form, nothing).await
    }

    /// Forgets what was prepared.
    pub async fn delete_change_set(&self, stack: &str, change_set: &str) -> Result<(), Error> {
        let form = of_change_set(DELETE_CHANGE_SET, stack, change_set);
        self.ask(DELETE_CHANGE_SET, &form, nothing).await
    }

    /// What happened to a stack lately, the newest first.
    pub async fn stack_events(&self, stack: &str) -> Result<Vec<StackEvent>, Error> {
        let mut form = Form::of(DESCRIBE_STACK_EVENTS);
        form.add("StackName", stack);
        self.ask(DESCRIBE_STACK_EVENTS, &form, events).await
    }

    /// Begins to delete a stack.
    pub async fn delete_stack(&self, stack: &str) -> Result<(), Error> {
        let mut form = Form::of(DELETE_STACK);
        form.add("StackName", stack);
        self.ask(DELETE_STACK, &form, nothing).await
    }
}

fn of_change_set(call: Call, stack: &str, change_set: &str) -> Form {
    let mut form = Form::of(call);
    form.add("StackName", stack);
    form.add("ChangeSetName", change_set);
    form
}

/// CloudFormation has no code of its own for a stack that is not there.
fn is_absent(error: &Error) -> bool {
    error.code.as_deref() == Some("ValidationError") && error.message.contains("does not exist")
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(rename = "Stacks", default, deserialize_with = "items")]
    stacks: Vec<Stack>,
    #[serde(rename = "NextToken")]
    next_token: Option<String>,
}

fn stacks(text: &str) -> Result<Page, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "DescribeStacksResult")]
        result: Page,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result)
}

fn described(text: &str) -> Result<ChangeSet, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "DescribeChangeSetResult")]
        result: ChangeSet,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result)
}

fn events(text: &str) -> Result<Vec<StackEvent>, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "DescribeStackEventsResult")]
        result: Events,
    }
    #[derive(Deserialize)]
    struct Events {
        #[serde(rename = "StackEvents", default, deserialize_with = "items")]
        events: Vec<StackEvent>,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result.events)
}

/// An answer that says no more than that there is one.
fn nothing(text: &str) -> Result<(), DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "ResponseMetadata")]
        _metadata: IgnoredAny,
    }
    quick_xml::de::from_str::<Response>(text).map(drop)
}

#[derive(Deserialize)]
struct Pair {
    #[serde(alias = "OutputKey", alias = "ParameterKey")]
    key: String,
    #[serde(alias = "OutputValue", alias = "ParameterValue", default)]
    value: String,
}

fn items<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Items::deserialize(from).map(|items: Items<T>| items.member)
}

fn pairs<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let pairs = items(from)?.into_iter();
    Ok(pairs.map(|pair: Pair| (pair.key, pair.value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_read_with_what_it_tells_of_itself() {
        let text = "<DescribeStacksResponse xmlns=\"x\"><DescribeStacksResult><Stacks><member><StackName>b</StackName>\
            <StackStatus>UPDATE_IN_PROGRESS</StackStatus><New/><Outputs><member><OutputKey>A</OutputKey>\
            <OutputValue>1</OutputValue><Description/></member><member><OutputKey>B</OutputKey></member></Outputs>\
            </member></Stacks></DescribeStacksResult></DescribeStacksResponse>";
        let page = stacks(text).unwrap();
        let [stack] = &page.stacks[..] else {
            panic!("{page:?}")
        };
        assert!(stack.is_busy() && stack.name == "b");
        let told: Vec<_> = stack
            .outputs
            .iter()
            .map(|(key, value)| (&key[..], &value[..]))
            .collect();
        assert_eq!(told, [("A", "1"), ("B", "")]);
        assert!(stack.parameters.is_empty());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in ["", "<html>sign in</html>", "{}", "<DescribeStacksResponse>"] {
            assert!(stacks(text).is_err() && nothing(text).is_err(), "{text}");
            assert!(events(text).is_err() && described(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_change_set_that_changes_nothing_is_told_from_one_that_failed() {
        let of = |reason: &str| ChangeSet {
            status: "FAILED".into(),
            reason: Some(reason.into()),
        };
        assert!(
            of("The submitted information didn't contain changes. Submit different information")
                .is_needless()
        );
        assert!(!of("Template format error").is_needless());
    }
}
