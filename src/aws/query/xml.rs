//! The XML of answers: a page of a list, or an error. Unknown elements are passed over, missing ones are no mistake.

use std::fmt;

use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use quick_xml::DeError;
use serde::{Deserialize, de::DeserializeOwned};

/// Where an error keeps its request id, as the SDK calls it.
const REQUEST_ID: &str = "aws_request_id";

/// One page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// What asks for the next; none on the last.
    pub(super) marker: Option<String>,
}

/// What AWS said no with.
#[derive(Debug)]
pub(in crate::aws) struct Refused {
    status: u16,
    meta: ErrorMetadata,
}

impl Refused {
    /// With the code and the words of AWS, as far as there are any.
    pub(in crate::aws) fn new(status: u16, code: Option<String>, message: Option<String>) -> Self {
        let mut meta = ErrorMetadata::builder();
        if let Some(code) = code {
            meta = meta.code(code);
            meta = meta.message(message.unwrap_or_default());
        }
        Self {
            status,
            meta: meta.build(),
        }
    }
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
        alias = "DescribeClustersResult",
        alias = "DescribeDBSubnetGroupsResult",
        alias = "DescribeCacheClustersResult",
        alias = "DescribeCacheSubnetGroupsResult"
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
        alias = "Clusters",
        alias = "DBSubnetGroups",
        alias = "CacheClusters",
        alias = "CacheSubnetGroups"
    )]
    list: Option<Items<T>>,
    #[serde(rename = "Marker")]
    marker: Option<String>,
}

/// `<ActionResponse><requestId/><things><item/>…`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: DeserializeOwned"))]
struct Ec2Response<T> {
    /// Always there: it tells an answer from other XML.
    #[serde(rename = "requestId")]
    _request_id: String,
    #[serde(
        alias = "subnetSet",
        alias = "routeTableSet",
        alias = "securityGroupInfo",
        alias = "securityGroupRuleSet",
        alias = "vpcEndpointSet",
        alias = "networkAclSet",
        alias = "reservationSet"
    )]
    list: Option<Items<T>>,
    next_token: Option<String>,
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
        alias = "Tag",
        alias = "DBClusterMember",
        alias = "DBSubnetGroup",
        alias = "VpcSecurityGroupMembership",
        alias = "VpcSecurityGroup",
        alias = "NodeGroupMember",
        alias = "CacheCluster",
        alias = "CacheSubnetGroup",
        alias = "item"
    )]
    pub(in crate::aws) member: Vec<T>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { member: Vec::new() }
    }
}

/// `<ErrorResponse><Error/><RequestId/>`, or of EC2 `<Response><Errors><Error/></Errors><RequestID/>`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorResponse {
    error: Option<Told>,
    errors: Option<Errors>,
    #[serde(alias = "RequestID")]
    request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Errors {
    error: Vec<Told>,
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

/// Reads a page of EC2.
pub(super) fn ec2_page<T: DeserializeOwned>(text: &str) -> Result<Page<T>, DeError> {
    let response = quick_xml::de::from_str::<Ec2Response<T>>(text)?;
    Ok(Page {
        items: response.list.unwrap_or_default().member,
        marker: response.next_token,
    })
}

/// Reads an error; one without words of AWS is told by its status.
pub(in crate::aws) fn refused(status: u16, text: &str) -> Refused {
    let mut meta = ErrorMetadata::builder();
    if let Ok(response) = quick_xml::de::from_str::<ErrorResponse>(text) {
        let of_ec2 = response.errors.and_then(|all| all.error.into_iter().next());
        if let Some(error) = response.error.or(of_ec2) {
            meta = meta.code(error.code);
            meta = meta.message(error.message.unwrap_or_default());
        }
        if let Some(id) = response.request_id {
            meta = meta.custom(REQUEST_ID, id);
        }
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
    fn a_page_of_ec2_has_items_and_a_token_and_is_no_other_xml() {
        let page = ec2_page::<Thing>(
            "<DescribeSubnetsResponse xmlns=\"x\"><requestId>1</requestId><subnetSet><item><Id>a</Id></item>\
             <item><Id>b</Id></item></subnetSet><nextToken>more</nextToken></DescribeSubnetsResponse>",
        );
        let page = page.unwrap();
        assert_eq!(
            (page.items.len(), page.marker.as_deref()),
            (2, Some("more"))
        );
        let empty = "<DescribeSubnetsResponse><requestId>1</requestId><subnetSet/></DescribeSubnetsResponse>";
        assert!(ec2_page::<Thing>(empty).unwrap().items.is_empty());
        for text in [
            "",
            "<html>sign in</html>",
            "{}",
            "<DescribeSubnetsResponse>",
        ] {
            assert!(ec2_page::<Thing>(text).is_err(), "{text}");
        }
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
        let ec2 = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>RequestLimitExceeded</Code>\
            <Message>Request limit exceeded.</Message></Error></Errors><RequestID>r-1</RequestID></Response>";
        let told = refused(503, ec2);
        assert_eq!(told.code(), Some("RequestLimitExceeded"));
        assert_eq!(told.meta().extra(REQUEST_ID), Some("r-1"));
        let silent = refused(503, "<html>busy</html>");
        assert_eq!((silent.code(), silent.message()), (None, None));
        assert!(silent.to_string().contains("503"));
    }
}
