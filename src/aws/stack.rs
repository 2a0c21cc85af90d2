//! The calls of CloudFormation: what stacks there are.

use std::collections::BTreeMap;

use quick_xml::DeError;
use serde::{Deserialize, Deserializer};

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
    /// Its name.
    #[serde(rename = "StackName")]
    pub name: String,
    /// Such as `CREATE_COMPLETE`.
    #[serde(rename = "StackStatus")]
    pub status: String,
    /// What it tells of itself.
    #[serde(deserialize_with = "pairs")]
    pub outputs: BTreeMap<String, String>,
}

const DESCRIBE_STACKS: Call = Call {
    service: Service::CloudFormation,
    action: "DescribeStacks",
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

#[derive(Deserialize)]
struct Pair {
    #[serde(rename = "OutputKey")]
    key: String,
    #[serde(rename = "OutputValue", default)]
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
