//! The way to an account, and who we are there.

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use http::{HeaderMap, Uri};
use tokio::time::timeout;

use super::Gatherer;
use crate::aws::{Aws, StreamUrl};
use crate::config;
use crate::doctor::check::{Gap, Known};
use crate::doctor::facts::{Account, Credentials, Endpoint, Upgrade};
use crate::net::{self, Net};
use crate::platform;

/// Services that no tunnel can do without.
const SERVICES: [&str; 4] = ["sts", "ecs", "ssm", "ssmmessages"];
/// For one name, one connection, one upgrade.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of it; calls of the account may follow when `identity` is there.
pub async fn account(
    gatherer: &Gatherer,
    config: &config::Aws,
    aws: Result<&Aws, crate::aws::Error>,
    net: &Net,
    arns: Vec<String>,
) -> Account {
    let role = config.role_arn.clone();
    let aws = match aws {
        Ok(aws) => aws,
        Err(error) => {
            return Account {
                region: String::new(),
                role,
                endpoints: Vec::new(),
                upgrade: Err(Gap::Needs("a region (C04)")),
                credentials: Err(error.clone()),
                identity: Err(error),
                skew: None,
                arns,
                user: platform::local_user(),
                preferences: Err(Gap::Needs("a region (C04)")),
            };
        }
    };
    let is_own = config.endpoint_url.is_some();
    let (endpoints, upgrade, (credentials, identity)) = tokio::join!(
        endpoints(gatherer, aws, net),
        upgrade(gatherer, aws, net, is_own),
        identity(aws)
    );
    let preferences = match &identity {
        Ok(_) => {
            gatherer
                .ask("ssm:GetDocument", aws.session_preferences())
                .await
        }
        Err(_) => Err(Gap::Needs("credentials (C01, C02)")),
    };
    Account {
        region: aws.region().to_owned(),
        role,
        endpoints,
        upgrade,
        credentials,
        identity,
        skew: aws.clock_skew(),
        arns,
        user: platform::local_user(),
        preferences,
    }
}

async fn identity(
    aws: &Aws,
) -> (
    Result<Credentials, crate::aws::Error>,
    Result<crate::aws::Identity, crate::aws::Error>,
) {
    let origin = aws.origin().await;
    let credentials = origin.map(|origin| Credentials {
        source: origin.source,
        left: origin
            .expiry
            .map(|at| at.duration_since(SystemTime::now()).unwrap_or_default()),
    });
    let identity = match &credentials {
        Ok(_) => aws.identity().await,
        Err(error) => Err(error.clone()),
    };
    (credentials, identity)
}

async fn endpoints(gatherer: &Gatherer, aws: &Aws, net: &Net) -> Vec<Endpoint> {
    if !gatherer.wants(&["L05", "L06"]) {
        return Vec::new();
    }
    let all = SERVICES.map(|service| async move {
        let looked = endpoint(service, aws.service_url(service), net);
        let late = || Endpoint {
            service: service.to_owned(),
            host: service.to_owned(),
            addresses: None,
            reached: Err(format!("{service} did not answer in time")),
        };
        gatherer.look(service, looked).await.unwrap_or_else(late)
    });
    join_all(all).await
}

async fn endpoint(service: &str, url: String, net: &Net) -> Endpoint {
    let uri: Uri = url.parse().unwrap_or_default();
    let host = uri
        .host()
        .unwrap_or_default()
        .trim_matches(['[', ']'])
        .to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let addresses = match net.has_proxy_for(&uri) {
        true => None,
        false => Some(addresses(&host, port).await),
    };
    let reached = net.reach(&uri, PATIENCE).await;
    Endpoint {
        service: service.to_owned(),
        host,
        addresses,
        reached: reached.map_err(|error| error.to_string()),
    }
}

async fn addresses(host: &str, port: u16) -> Result<Vec<std::net::IpAddr>, String> {
    match timeout(PATIENCE, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer of the resolver".to_owned()),
    }
}

/// The name of no session: nobody is waiting behind it.
async fn upgrade(gatherer: &Gatherer, aws: &Aws, net: &Net, is_own: bool) -> Known<Upgrade> {
    if !gatherer.wants(&["L08"]) {
        return Err(Gap::Unasked);
    }
    if is_own {
        return Err(Gap::Needs("AWS's own endpoints"));
    }
    let base = aws.service_url("ssmmessages").replacen("https", "wss", 1);
    let url = format!("{base}/v1/data-channel/bastiond-doctor?role=publish_subscribe");
    let url = StreamUrl::parse(&url, false).map_err(|error| Gap::Failed(error.to_string()))?;
    let opened = net.websocket(&url, HeaderMap::new(), PATIENCE);
    let answer = gatherer.look("ssmmessages", opened).await;
    Ok(match answer {
        Some(Ok(_)) => Upgrade::Answered(101),
        Some(Err(net::Error::Refused { status, .. })) => Upgrade::Answered(status.as_u16()),
        Some(Err(error)) => Upgrade::Blocked(error.to_string()),
        None => Upgrade::Blocked("no answer in time".to_owned()),
    })
}
