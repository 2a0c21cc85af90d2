//! SigV4 signatures of the requests that no SDK client makes: the WebSocket's GET, and the Query API's POST.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::net::StreamUrl;

/// The service's name in signatures (AWS service metadata).
const SERVICE: &str = "ssmmessages";

/// `Authorization`, `X-Amz-Date` and, for temporary credentials, `X-Amz-Security-Token` of a GET of `url`
/// with an empty body at `time`. The error says why a URL cannot be signed, without any of it.
pub(super) fn headers(
    url: &StreamUrl,
    credentials: &Credentials,
    region: &str,
    time: SystemTime,
) -> Result<HeaderMap, &'static str> {
    let scope = Scope {
        service: SERVICE,
        region,
        time,
    };
    let target = url.as_http();
    let request = SignableRequest::new("GET", target, std::iter::empty(), SignableBody::empty())
        .map_err(|_| UNSIGNABLE)?;
    signed(request, credentials, scope)
}

/// The same headers of a POST of `body` with `fixed` headers to `url`.
pub(super) fn post_headers(
    url: &str,
    fixed: &[(&'static str, String)],
    body: &[u8],
    credentials: &Credentials,
    scope: Scope<'_>,
) -> Result<HeaderMap, &'static str> {
    let fixed = fixed.iter().map(|(name, value)| (*name, value.as_str()));
    let body = SignableBody::Bytes(body);
    let request = SignableRequest::new("POST", url, fixed, body);
    signed(request.map_err(|_| UNSIGNABLE)?, credentials, scope)
}

/// What a signature holds for.
pub(super) struct Scope<'a> {
    /// The service, as signatures call it.
    pub(super) service: &'static str,
    pub(super) region: &'a str,
    pub(super) time: SystemTime,
}

const UNSIGNABLE: &str = "its address is not one that can be signed";

fn signed(
    request: SignableRequest<'_>,
    credentials: &Credentials,
    scope: Scope<'_>,
) -> Result<HeaderMap, &'static str> {
    let identity = credentials.clone().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(scope.time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| "the signing parameters are incomplete")?
        .into();
    let (instructions, _) = sign(request, &params)
        .map_err(|_| "the signature could not be made")?
        .into_parts();
    let headers: Option<HeaderMap> = instructions.headers().map(header).collect();
    headers.ok_or("the signature is no header")
}

fn header((name, value): (&str, &str)) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::try_from(value).ok()?;
    // Debug output of the map must not show it.
    value.set_sensitive(true);
    Some((HeaderName::try_from(name).ok()?, value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Computed with Python's hmac and hashlib from the signature's definition.
    const SIGNATURE: &str = "f1c6623f31a02cc4965967cd4494f6eccf9fe58fce6b84b0fab0861b4135c292";
    /// The same, of the query `cell-number=AA%20b%2Fc%3D%3D&role=publish_subscribe`.
    const RAW_SIGNATURE: &str = "37cd49964bd891e9533ca1ea836e583dffbfe55b2db546b3e1a1ec127a47e799";
    const URL: &str = "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/me-0123456789abcdef0?role=publish_subscribe&cell-number=AAEL%2Bx%3D%3D";

    #[test]
    fn the_signature_is_that_of_an_independent_computation() {
        let headers = signed(Some("session-token"));
        let scope = "Credential=AKIDEXAMPLE/20261122/eu-west-1/ssmmessages/aws4_request";
        let expected = format!(
            "AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature={SIGNATURE}"
        );
        assert_eq!(headers["authorization"], expected);
        assert_eq!(headers["x-amz-date"], "20261122T120000Z");
        assert_eq!(headers["x-amz-security-token"], "session-token");
    }

    #[test]
    fn a_form_is_signed_as_botocore_does() {
        let url = "https://rds.eu-west-1.amazonaws.com/";
        let form = b"Action=DescribeDBClusters&Version=2014-10-31&DBClusterIdentifier=app";
        let scope = Scope {
            service: "rds",
            region: "eu-west-1",
            time: noon(),
        };
        let content_type = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
        let fixed = [("content-type", content_type)];
        let credentials = credentials(Some("session-token"));
        let headers = post_headers(url, &fixed, form, &credentials, scope).unwrap();
        assert_eq!(
            headers["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/rds/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
             Signature=711084616bd36455f54b4a4fd060a6caf49e99bc7cd6e4a2b99e7f85f1fb99fb"
        );
    }

    /// A raw `+` in a query is a space to signers, the reference client's among them; `/` and `=` are themselves.
    #[test]
    fn raw_base64_in_the_url_is_signed_as_the_reference_does() {
        let raw = "AA+b/c==";
        let url = URL.replace("AAEL%2Bx%3D%3D", raw);
        assert!(url.ends_with(raw));
        let authorization = signed_url(&url, Some("session-token"))["authorization"].clone();
        let authorization = authorization.to_str().unwrap();
        assert!(
            authorization.ends_with(&format!("Signature={RAW_SIGNATURE}")),
            "{authorization}"
        );
    }

    #[test]
    fn no_secret_shows_in_debug_output() {
        let shown = format!("{:?}", signed(Some("session-token")));
        assert!(
            !shown.contains("session-token") && !shown.contains("Signature"),
            "{shown}"
        );
    }

    #[test]
    fn lasting_credentials_have_no_token_header() {
        assert!(!signed(None).contains_key("x-amz-security-token"));
    }

    fn signed(token: Option<&str>) -> HeaderMap {
        signed_url(URL, token)
    }

    fn signed_url(url: &str, token: Option<&str>) -> HeaderMap {
        let url = StreamUrl::parse(url, false).unwrap();
        headers(&url, &credentials(token), "eu-west-1", noon()).unwrap()
    }

    fn credentials(token: Option<&str>) -> Credentials {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let token = token.map(str::to_owned);
        Credentials::new("AKIDEXAMPLE", secret, token, None, "test")
    }

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_348_800)
    }
}
