//! AWS's two call formats: awsJson1_1 for ECS, SSM, KMS and those that tell of an account, query and XML for STS, RDS,
//! EC2 and IAM.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};

pub(super) use super::dialect::Service;

/// A call, taken apart.
#[derive(Debug)]
pub(super) struct ApiCall {
    pub service: Service,
    pub operation: String,
    pub body: Value,
    /// The service in the signature's credential scope.
    pub signed_for: Option<String>,
}

/// An error as AWS answers it.
#[derive(Debug)]
pub(super) struct ApiError {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// Further members, as `resourceIds`.
    pub extra: Map<String, Value>,
}

impl ApiError {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: code.into(),
            message: message.into(),
            extra: Map::new(),
        }
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.extra.insert(key.into(), value);
        self
    }
}

impl ApiCall {
    /// Takes a request apart; an error is that of a caller who speaks another language.
    pub fn parse(
        method: &Method,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Self, ApiError> {
        let signed_for = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| scope_service(value.to_str().ok()?));
        let Some(target) = headers.get("x-amz-target") else {
            return Self::parse_query(method, query, body, signed_for);
        };
        let target = target.to_str().unwrap_or_default();
        let unknown = || {
            ApiError::new(
                "UnknownOperationException",
                format!("Unknown operation {target}"),
            )
        };
        let (prefix, operation) = target.split_once('.').ok_or_else(unknown)?;
        let service = match prefix {
            "AmazonEC2ContainerServiceV20141113" => Service::Ecs,
            "AmazonSSM" => Service::Ssm,
            "TrentService" => Service::Kms,
            "Logs_20140328" => Service::Logs,
            "ServiceQuotasV20190624" => Service::Quotas,
            "AmazonEC2ContainerRegistry_V20150921" => Service::Images,
            _ => return Err(unknown()),
        };
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| ApiError::new("SerializationException", error.to_string()))?;
        if !body.is_object() {
            return Err(ApiError::new(
                "SerializationException",
                "Start of structure expected",
            ));
        }
        Ok(Self {
            service,
            operation: operation.to_owned(),
            body,
            signed_for,
        })
    }

    fn parse_query(
        method: &Method,
        query: Option<&str>,
        body: &[u8],
        signed_for: Option<String>,
    ) -> Result<Self, ApiError> {
        let form = match *method {
            Method::GET => query.unwrap_or_default().as_bytes(),
            _ => body,
        };
        let fields = form_fields(form);
        let action = fields.get("Action").and_then(Value::as_str);
        let operation = action.ok_or_else(|| {
            let message = "missing Action";
            ApiError::new("MissingAction", message)
        })?;
        let service = match fields.get("Version").and_then(Value::as_str) {
            Some(RDS_VERSION) => Service::Rds,
            Some(EC2_VERSION) => Service::Ec2,
            Some(IAM_VERSION) => Service::Iam,
            Some(METRICS_VERSION) => Service::Metrics,
            Some(STACKS_VERSION) => Service::Stacks,
            Some(CACHES_VERSION) => Service::Caches,
            Some(WAREHOUSES_VERSION) => Service::Warehouses,
            _ => Service::Sts,
        };
        Ok(Self {
            service,
            operation: operation.to_owned(),
            body: Value::Object(fields.clone()),
            signed_for,
        })
    }
}

/// The answer to a call: the result or the error, in the service's own format.
pub(super) fn respond(
    service: Service,
    operation: &str,
    answer: &Result<Value, ApiError>,
) -> Response<Full<Bytes>> {
    let request_id = uuid::Uuid::new_v4().to_string();
    let (status, text) = match (service, answer) {
        (service, Ok(result)) if service.speaks_query() => {
            (200, xml_result(operation, result, &request_id))
        }
        (service, Err(error)) if service.speaks_query() => {
            (error.status, xml_error(error, &request_id))
        }
        (Service::Ec2, Ok(result)) => (200, ec2_result(operation, result, &request_id)),
        (Service::Ec2, Err(error)) => (error.status, ec2_error(error, &request_id)),
        (_, Ok(result)) => (200, result.to_string()),
        (_, Err(error)) => (error.status, json_error(error)),
    };
    let content_type = match service {
        service if service.speaks_query() || service == Service::Ec2 => "text/xml",
        _ => "application/x-amz-json-1.1",
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    let request_id = request_id.parse().expect("a UUID is a header value");
    headers.insert("x-amzn-requestid", request_id);
    response
}

/// `ecs` of `AWS4-HMAC-SHA256 Credential=AKIA…/20260101/eu-west-1/ecs/aws4_request, …`.
fn scope_service(authorization: &str) -> Option<String> {
    let (_, rest) = authorization
        .strip_prefix("AWS4-HMAC-SHA256")?
        .split_once("Credential=")?;
    let scope = rest.split(',').next()?;
    let mut parts = scope.rsplit('/');
    (parts.next()?.trim() == "aws4_request").then(|| parts.next().map(str::to_owned))?
}

fn json_error(error: &ApiError) -> String {
    let mut body = Value::Object(error.extra.clone());
    body["__type"] = json!(error.code);
    body["message"] = json!(error.message);
    body.to_string()
}

fn xml_error(error: &ApiError, request_id: &str) -> String {
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let body = json!({
        "Error": {"Type": fault, "Code": error.code, "Message": error.message},
        "RequestId": request_id,
    });
    format!(
        "<ErrorResponse xmlns=\"{STS_NAMESPACE}\">{}</ErrorResponse>",
        xml(&body)
    )
}

fn xml_result(operation: &str, result: &Value, request_id: &str) -> String {
    let result = xml(result);
    format!(
        "<{operation}Response xmlns=\"{STS_NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn ec2_error(error: &ApiError, request_id: &str) -> String {
    let body = json!({
        "Errors": {"Error": {"Code": error.code, "Message": error.message}},
        "RequestID": request_id,
    });
    format!("<Response>{}</Response>", xml(&body))
}

fn ec2_result(operation: &str, result: &Value, request_id: &str) -> String {
    let result = xml(result);
    format!(
        "<{operation}Response xmlns=\"http://ec2.amazonaws.com/doc/{EC2_VERSION}/\">\
         <requestId>{request_id}</requestId>{result}</{operation}Response>"
    )
}

/// The API versions that tell the calls of the others from those of STS.
const RDS_VERSION: &str = "2014-10-31";
const EC2_VERSION: &str = "2016-11-15";
const IAM_VERSION: &str = "2010-05-08";
const METRICS_VERSION: &str = "2010-08-01";
const STACKS_VERSION: &str = "2010-05-15";
const CACHES_VERSION: &str = "2015-02-02";
const WAREHOUSES_VERSION: &str = "2012-12-01";

/// The namespace of STS's answers (its API version), which nobody looks at.
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

fn xml(value: &Value) -> String {
    match value {
        Value::Object(members) => members
            .iter()
            .fold(String::new(), |mut text, (name, value)| {
                let elements = value
                    .as_array()
                    .map_or(std::slice::from_ref(value), Vec::as_slice);
                for element in elements {
                    let _ = write!(text, "<{name}>{}</{name}>", xml(element));
                }
                text
            }),
        Value::String(text) => text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
        other => other.to_string(),
    }
}

fn form_fields(form: &[u8]) -> Map<String, Value> {
    let pairs = form
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty());
    let mut fields = Map::new();
    for pair in pairs {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let mut half = || percent_decode(halves.next().unwrap_or_default());
        let (name, value) = (half(), half());
        fields.insert(name, Value::String(value));
    }
    fields
}

fn percent_decode(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = escaped
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None if *first == b'+' => out.push(b' '),
            None => out.push(*first),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_call_is_taken_apart() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", "AmazonSSM.StartSession".parse().unwrap());
        let signature = "AWS4-HMAC-SHA256 Credential=AK/20260101/eu-west-1/ssm/aws4_request, SignedHeaders=host, Signature=00";
        headers.insert(header::AUTHORIZATION, signature.parse().unwrap());
        let call = ApiCall::parse(&Method::POST, &headers, None, br#"{"Target":"i-1"}"#).unwrap();
        assert_eq!(
            (call.service, call.operation.as_str()),
            (Service::Ssm, "StartSession")
        );
        assert_eq!(call.signed_for.as_deref(), Some("ssm"));
        assert_eq!(call.body["Target"], "i-1");
    }

    #[test]
    fn a_query_call_is_taken_apart() {
        let form =
            b"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx&RoleSessionName=a+b%";
        let call = ApiCall::parse(&Method::POST, &HeaderMap::new(), None, form).unwrap();
        assert_eq!(
            (call.service, call.operation.as_str()),
            (Service::Sts, "AssumeRole")
        );
        assert_eq!(call.body["RoleArn"], "arn:aws:iam::1:role/x");
        assert_eq!(call.body["RoleSessionName"], "a b%");
    }

    #[test]
    fn junk_is_an_error() {
        let parse = |body: &[u8]| ApiCall::parse(&Method::POST, &HeaderMap::new(), None, body);
        assert_eq!(parse(b"\xff&=&%").unwrap_err().code, "MissingAction");
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", "AmazonSSM.StartSession".parse().unwrap());
        let error = ApiCall::parse(&Method::POST, &headers, None, b"[1]").unwrap_err();
        assert_eq!(error.code, "SerializationException");
    }

    #[test]
    fn xml_is_escaped() {
        assert_eq!(xml(&json!({"A": "<&>"})), "<A>&lt;&amp;&gt;</A>");
    }

    #[test]
    fn a_list_repeats_its_element() {
        let list = json!({"All": {"One": [1, 2]}});
        assert_eq!(xml(&list), "<All><One>1</One><One>2</One></All>");
    }
}
