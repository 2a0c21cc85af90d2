//! The calls of CloudFormation about a stack: what there is, what happened to it, and its end. How one is made and changed
//! is in `change_set`.

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

/// A stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Stack {
    /// Its ARN, by which AWS still knows it when it is deleted.
    #[serde(rename = "StackId")]
    pub id: String,
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
    /// Its tags, which its resources have too.
    #[serde(deserialize_with = "pairs")]
    pub tags: BTreeMap<String, String>,
}

/// Something that happened to a stack, or to a resource of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StackEvent {
    /// What tells it from others.
    #[serde(rename = "EventId")]
    pub id: String,
    /// The resource's name in the template, or the stack's.
    #[serde(rename = "LogicalResourceId")]
    pub resource: String,
    /// The resource's type, such as `AWS::ECS::Cluster`.
    #[serde(rename = "ResourceType")]
    pub kind: String,
    /// Such as `CREATE_FAILED`.
    #[serde(rename = "ResourceStatus")]
    pub status: String,
    /// Why, where AWS says so.
    #[serde(rename = "ResourceStatusReason")]
    pub reason: Option<String>,
}

impl StackEvent {
    /// Whether it is about the stack as a whole.
    pub fn is_of_stack(&self) -> bool {
        self.kind == "AWS::CloudFormation::Stack"
    }

    /// Whether something was begun with the stack; everything after it belongs to that, up to the next.
    pub fn is_begin(&self) -> bool {
        const BEGINS: [&str; 4] = [
            "REVIEW_IN_PROGRESS",
            "CREATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
            "DELETE_IN_PROGRESS",
        ];
        self.is_of_stack() && BEGINS.contains(&self.status.as_str())
    }
}

/// What a stack consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StackResource {
    /// Its name in the template.
    #[serde(rename = "LogicalResourceId")]
    pub name: String,
    /// Its type, such as `AWS::ECS::Cluster`.
    #[serde(rename = "ResourceType")]
    pub kind: String,
    /// Such as `CREATE_COMPLETE`.
    #[serde(rename = "ResourceStatus")]
    pub status: String,
}

const DESCRIBE_STACKS: Call = Call {
    service: Service::CloudFormation,
    action: "DescribeStacks",
};
const DESCRIBE_STACK_EVENTS: Call = Call {
    service: Service::CloudFormation,
    action: "DescribeStackEvents",
};
const DESCRIBE_STACK_RESOURCES: Call = Call {
    service: Service::CloudFormation,
    action: "DescribeStackResources",
};
const GET_TEMPLATE: Call = Call {
    service: Service::CloudFormation,
    action: "GetTemplate",
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

    /// What happened to a stack lately, the newest first: at least all since the last begin of something.
    pub async fn stack_events(&self, stack: &str) -> Result<Vec<StackEvent>, Error> {
        let (mut found, mut next) = (Vec::<StackEvent>::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let mut form = Form::of(DESCRIBE_STACK_EVENTS);
            form.add("StackName", stack);
            if let Some(next) = &next {
                form.add("NextToken", next);
            }
            let page = self.ask(DESCRIBE_STACK_EVENTS, &form, events).await?;
            found.extend(page.events);
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() || found.iter().any(StackEvent::is_begin) {
                break;
            }
        }
        Ok(found)
    }

    /// What a stack consists of; at most a hundred things (CloudFormation API model).
    pub async fn stack_resources(&self, stack: &str) -> Result<Vec<StackResource>, Error> {
        let mut form = Form::of(DESCRIBE_STACK_RESOURCES);
        form.add("StackName", stack);
        self.ask(DESCRIBE_STACK_RESOURCES, &form, resources).await
    }

    /// The template that a stack was made of, as it was handed in.
    pub async fn stack_template(&self, stack: &str) -> Result<String, Error> {
        let mut form = Form::of(GET_TEMPLATE);
        form.add("StackName", stack);
        form.add("TemplateStage", "Original");
        self.ask(GET_TEMPLATE, &form, template).await
    }

    /// Begins to delete a stack; one that is not there counts as deleted. The token tells a repeated call from another.
    pub async fn delete_stack(&self, stack: &str, token: &str) -> Result<(), Error> {
        let mut form = Form::of(DELETE_STACK);
        form.add("StackName", stack);
        form.add("ClientRequestToken", token);
        self.ask(DELETE_STACK, &form, nothing).await
    }
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

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Events {
    #[serde(rename = "StackEvents", deserialize_with = "items")]
    events: Vec<StackEvent>,
    next_token: Option<String>,
}

fn events(text: &str) -> Result<Events, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "DescribeStackEventsResult")]
        result: Events,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result)
}

fn resources(text: &str) -> Result<Vec<StackResource>, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "DescribeStackResourcesResult")]
        result: Resources,
    }
    #[derive(Deserialize)]
    struct Resources {
        #[serde(rename = "StackResources", default, deserialize_with = "items")]
        resources: Vec<StackResource>,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result.resources)
}

fn template(text: &str) -> Result<String, DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "GetTemplateResult")]
        result: Template,
    }
    #[derive(Deserialize)]
    struct Template {
        #[serde(rename = "TemplateBody", default)]
        body: String,
    }
    quick_xml::de::from_str::<Response>(text).map(|response| response.result.body)
}

/// An answer that says no more than that there is one.
pub(super) fn nothing(text: &str) -> Result<(), DeError> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(rename = "ResponseMetadata")]
        _metadata: IgnoredAny,
    }
    quick_xml::de::from_str::<Response>(text).map(drop)
}

#[derive(Deserialize)]
struct Pair {
    #[serde(alias = "OutputKey", alias = "ParameterKey", alias = "Key")]
    key: String,
    #[serde(
        alias = "OutputValue",
        alias = "ParameterValue",
        alias = "Value",
        default
    )]
    value: String,
}

pub(super) fn items<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
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
        assert_eq!(
            (stack.name.as_str(), stack.status.as_str()),
            ("b", "UPDATE_IN_PROGRESS")
        );
        let told: Vec<_> = stack
            .outputs
            .iter()
            .map(|(key, value)| (&key[..], &value[..]))
            .collect();
        assert_eq!(told, [("A", "1"), ("B", "")]);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in ["", "<html>sign in</html>", "{}", "<DescribeStacksResponse>"] {
            assert!(stacks(text).is_err(), "{text}");
        }
    }
}
