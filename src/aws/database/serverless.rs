//! Databases whose services speak JSON: workgroups of Redshift Serverless and domains of OpenSearch.

use serde::Deserialize;

use super::{choose::Place, home::Home, problem::Problem};
use crate::{
    aws::{Aws, error::Error, json},
    config::{Selector, Which},
};

const REDSHIFT_SERVERLESS: json::Service =
    json::Service::new("redshift-serverless", "RedshiftServerless");
const OPENSEARCH: json::Service = json::Service::rest("es", "/2021-01-01/opensearch/domain-info");
/// Domains speak HTTPS (OpenSearch Service's documentation).
const HTTPS: u16 = 443;
/// Far above what an account holds.
const MOST_PAGES: usize = 50;

/// A workgroup of Redshift Serverless.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Workgroup {
    workgroup_name: String,
    status: Option<String>,
    endpoint: Option<Endpoint>,
    security_group_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoint {
    address: Option<String>,
    port: Option<u16>,
    vpc_endpoints: Vec<VpcEndpoint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct VpcEndpoint {
    vpc_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Workgroups {
    workgroups: Vec<Workgroup>,
    next_token: Option<String>,
}

/// A domain of OpenSearch.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Domain {
    domain_name: String,
    /// That of a domain without a VPC.
    endpoint: Option<String>,
    endpoints: Option<DomainEndpoints>,
    #[serde(rename = "VPCOptions")]
    vpc: Option<DomainVpc>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DomainEndpoints {
    vpc: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DomainVpc {
    #[serde(rename = "VPCId")]
    id: Option<String>,
    availability_zones: Vec<String>,
    security_group_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Domains {
    domain_status_list: Vec<Domain>,
}

impl Aws {
    /// The workgroup that `selector` names.
    pub(super) async fn workgroup(&self, selector: &Selector) -> Result<Workgroup, Error> {
        let mut known = Vec::new();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let page = self.workgroups(token).await?;
            for workgroup in page.workgroups {
                if is_named(selector, &workgroup.workgroup_name) {
                    return Ok(workgroup);
                }
                known.push(workgroup.workgroup_name);
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Err(self.problem(selector, Problem::Unknown(known)))
    }

    async fn workgroups(&self, token: Option<String>) -> Result<Workgroups, Error> {
        let body = match &token {
            Some(token) => serde_json::json!({"maxResults": 100, "nextToken": token}),
            None => serde_json::json!({"maxResults": 100}),
        };
        self.call("ListWorkgroups", || {
            self.ask_json(REDSHIFT_SERVERLESS, "ListWorkgroups", body.clone())
        })
        .await
    }

    /// The domain that `selector` names. One that there is not is left out of the answer.
    pub(super) async fn domain(&self, selector: &Selector) -> Result<Domain, Error> {
        let body =
            serde_json::json!({"DomainNames": [selector.which.to_string().to_ascii_lowercase()]});
        let found: Domains = self
            .call("DescribeDomains", || {
                self.ask_json(OPENSEARCH, "DescribeDomains", body.clone())
            })
            .await?;
        let mut domains = found.domain_status_list.into_iter();
        let named = domains.find(|domain| is_named(selector, &domain.domain_name));
        named.ok_or_else(|| self.problem(selector, Problem::NotThere))
    }
}

fn is_named(selector: &Selector, name: &str) -> bool {
    matches!(&selector.which, Which::Id(id) if id.eq_ignore_ascii_case(name))
}

impl Workgroup {
    pub(super) fn place(&self) -> Result<Place, Problem> {
        let endpoint = self.endpoint.as_ref();
        let host = endpoint.and_then(|it| it.address.clone());
        Ok(Place {
            host: host.ok_or_else(|| Problem::not_ready(&self.status))?,
            port: endpoint.and_then(|it| it.port),
        })
    }

    pub(super) fn home(&self) -> Home {
        let endpoints = self.endpoint.iter().flat_map(|it| &it.vpc_endpoints);
        let vpc = endpoints.filter_map(|it| it.vpc_id.as_deref()).next();
        Home::new(vpc, None, self.security_group_ids.clone()).at(self.place())
    }
}

impl Domain {
    /// Within a VPC its endpoint is another.
    pub(super) fn place(&self) -> Result<Place, Problem> {
        let inner = self.endpoints.as_ref().and_then(|it| it.vpc.clone());
        let host = inner.or_else(|| self.endpoint.clone());
        Ok(Place {
            host: host.ok_or_else(|| Problem::NotReady("being made".to_owned()))?,
            port: Some(HTTPS),
        })
    }

    pub(super) fn home(&self) -> Home {
        let vpc = self.vpc.as_ref();
        let zones = vpc.map_or(&[][..], |vpc| &vpc.availability_zones);
        // Of several zones none goes before the others.
        let zone = zones.first().filter(|_| zones.len() == 1);
        let groups = vpc.map_or_else(Vec::new, |vpc| vpc.security_group_ids.clone());
        let id = vpc.and_then(|vpc| vpc.id.as_deref());
        Home::new(id, zone.map(String::as_str), groups).at(self.place())
    }
}
