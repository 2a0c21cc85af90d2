//! The XML of answers: a page of a list, or an error. Unknown elements are passed over, missing ones are no mistake.

use std::fmt;

use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use quick_xml::DeError;
use serde::{Deserialize, de::DeserializeOwned};

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// What asks for the next; none on the last.
    pub(super) marker: Option<String>,
}

/// What AWS said no with.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    meta: ErrorMetadata,
}

/// `<ActionResponse><ActionResult><Things><Thing/>…`: the names of the first three levels are the action's.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Response<T> {
    #[serde(
        alias = "DescribeDBClustersResult",
        alias = "DescribeDBInstancesResult",
        alias = "DescribeDBProxiesResult",
        alias = "DescribeDBProxyEndpointsResult",
        alias = "DescribeReplicationGroupsResult",
        alias = "DescribeClustersResult"
    )]
    result: ListOf<T>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct ListOf<T> {
    #[serde(
        alias = "DBClusters",
        alias = "DBInstances",
        alias = "DBProxies",
        alias = "DBProxyEndpoints",
        alias = "ReplicationGroups",
        alias = "Clusters"
    )]
    list: Option<Items<T>>,
    #[serde(rename = "Marker")]
    marker: Option<String>,
}

/// The elements of a list; `member` where the API's model gives them no name.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub(in crate::aws) struct Items<T> {
    #[serde(
        default = "Vec::new",
        alias = "DBCluster",
        alias = "DBInstance",
        alias = "ReplicationGroup",
        alias = "Cluster",
        alias = "NodeGroup",
        alias = "Tag"
    )]
    pub(in crate::aws) member: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorResponse {
    error: Told,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    code: String,
    message: Option<String>,
}

/// Reads a page.
pub(super) fn page<T: DeserializeOwned>(text: &str) -> Result<Page<T>, DeError> {
    let Response { result } = quick_xml::de::from_str::<Response<T>>(text)?;
    Ok(Page {
        items: result.list.map(|list| list.member).unwrap_or_default(),
        marker: result.marker,
    })
}

/// Reads an error; one without words of AWS is told by its status.
pub(super) fn refused(status: u16, text: &str) -> Refused {
    let mut meta = ErrorMetadata::builder();
    if let Ok(ErrorResponse { error }) = quick_xml::de::from_str(text) {
        meta = meta.code(error.code);
        meta = meta.message(error.message.unwrap_or_default());
    }
    Refused {
        status,
        meta: meta.build(),
    }
}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is HTTP status {}", self.status)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Thing {
        #[serde(rename = "Id")]
        id: Option<String>,
    }

    fn read(list: &str) -> Result<Page<Thing>, DeError> {
        page(&format!(
            "<?xml version=\"1.0\"?>\n<DescribeDBProxiesResponse xmlns=\"x\"><DescribeDBProxiesResult>\n  {list}\n\
             </DescribeDBProxiesResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeDBProxiesResponse>"
        ))
    }

    #[test]
    fn what_is_unknown_or_missing_is_no_mistake() {
        let page = read(
            "<New><Of>AWS</Of></New><DBProxies><member><Other/><Id>a&amp;b</Id></member><member/></DBProxies><Marker/>",
        )
        .unwrap();
        let ids: Vec<_> = page.items.into_iter().map(|thing| thing.id).collect();
        assert_eq!(ids, [Some("a&b".to_owned()), None]);
        assert_eq!(page.marker.unwrap_or_default(), "");
        assert!(read("").unwrap().items.is_empty());
        assert!(read("<DBProxies/>").unwrap().items.is_empty());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in [
            "",
            "<html>sign in</html>",
            "{}",
            "<DescribeDBProxiesResponse>",
            "\0",
        ] {
            assert!(page::<Thing>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_is_told_by_its_code_or_else_by_its_status() {
        let text = "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>Throttling</Code>\
            <Message>Rate exceeded</Message></Error><RequestId>1</RequestId></ErrorResponse>";
        let told = refused(400, text);
        assert_eq!(
            (told.code(), told.message()),
            (Some("Throttling"), Some("Rate exceeded"))
        );
        let silent = refused(503, "<html>busy</html>");
        assert_eq!((silent.code(), silent.message()), (None, None));
        assert!(silent.to_string().contains("503"));
    }
}
